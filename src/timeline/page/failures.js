// The tasks that did not complete, with their last lines.

let cardsShown = 20;
const unwell = () => [...tasks.state.keys()].filter((task) => [1, 2, 3].includes(tasks.state[task]));

function failures() {
  const isFailed = (task) => tasks.state[task] === 1;
  const bad = unwell().sort((one, other) => isFailed(other) - isFailed(one) || one - other);
  $("failures").hidden = bad.length === 0;
  $("failed-title").textContent = `${counted(bad.length, "task", "tasks")} did not complete`;
  $("cards").replaceChildren(...bad.slice(0, cardsShown).map((task, index) => {
    const last = tasks.last[task];
    const count = tasks.tries[task] > 1 ? ` and ${tasks.tries[task]} attempts` : "";
    const when = last < 0 ? "" : `${clock(tries.stop[last])} after ${span(tasks.took[task])}${count}`;
    const summary = element("summary", "", undefined, mark(tasks.state[task]),
      element("span", "foreign", called(task)), element("span", "how foreign", how(task)),
      element("span", "soft figure", when));
    const card = element("details", `of${tasks.state[task]}`, undefined, summary,
      element("code", "foreign soft", tasks.command[task]), lines(last));
    card.open = bad.length <= 3 || index === 0;
    return card;
  }));
  if (bad.length && !Object.keys(run.tails).length) {
    const why = "The recording contains none of their output: --json >FILE keeps it, --json=FILE and --job-log do not.";
    $("cards").append(element("p", "", why));
  }
  $("more").hidden = bad.length <= cardsShown;
  $("more").textContent = `Show ${Math.min(100, bad.length - cardsShown)} more of ${bad.length.toLocaleString("en")}`;
}

function lines(attempt) {
  const text = run.tails[attempt];
  if (text === undefined) return element("p", "", attempt < 0 ? "It never ran." : "No output in the recording.");
  const made = element("pre", "", text);
  made.tabIndex = 0;
  made.setAttribute("aria-label", "Last lines of output");
  return made;
}
