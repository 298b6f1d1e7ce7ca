// Beside the table: the selected task, and what ran at the time of the cursor.

function select(task, origin) {
  selected = task;
  if (task >= 0 && tasks.first[task] >= 0 && origin !== "cursor") at = tasks.began[task] + tasks.took[task] / 2;
  details();
  if (origin !== "table") reveal(task);
  drawn.first = -1;
  rows();
  lay();
  bring(task);
  if (task >= 0) $("live").textContent = `${tasks.name[task]}, ${STATES[tasks.state[task]][0]}, ${span(tasks.took[task])}`;
}

function details() {
  const box = $("details");
  box.hidden = selected < 0;
  now();
  if (selected < 0) return;
  const task = selected, list = element("dl");
  const add = (name, value, className) => {
    if (value) list.append(element("dt", "", name), element("dd", className ?? "figure", value));
  };
  const last = tasks.last[task];
  add("ended", how(task), "foreign");
  if (last >= 0) {
    add("began", [span(tasks.began[task]), clock(tasks.began[task])].filter(Boolean).join(" · "));
    add("took", span(tasks.took[task]));
    if (!run.single) add("slot", tries.slot[last]);
  }
  add("CPU", tasks.processor[task] && span(tasks.processor[task]));
  add("memory", tasks.memory[task] && bytes(tasks.memory[task]));
  add("output", tasks.output[task] && bytes(tasks.output[task]));
  add("message", tasks.message[task], "foreign");
  add("command", tasks.command[task], "foreign");
  box.replaceChildren(element("h2", "", undefined, mark(tasks.state[task]), " ",
    element("span", "foreign", called(task))), list);
  if (tasks.tries[task] > 1) {
    box.append(element("h3", "", "Attempts"));
    for (let i = tasks.first[task]; i <= last; i += 1) {
      const text = ` ${span(tries.stop[i] - tries.began[i])} ${run.words[tries.how[i]]}`;
      box.append(element("p", "foreign", undefined, mark(tries.kind[i]), text));
    }
  }
  if (run.tails[last] !== undefined) box.append(element("h3", "", "Last lines"), lines(last));
}

// The tasks that ran at the cursor; without one, those that took longest.
function now() {
  let title, found = [];
  const running = [];
  $("now").classList.toggle("idle", at === null);
  $("now").hidden = at === null && tasks.count < 2;
  if (at === null) {
    title = "Longest";
    found = [...tasks.took.keys()].filter((task) => tasks.took[task] >= 0)
      .sort((one, other) => tasks.took[other] - tasks.took[one]).slice(0, 8)
      .map((task) => [task, tasks.state[task], span(tasks.took[task])]);
  } else {
    let over = 0;
    for (let i = 0; i < tries.count; i += 1) {
      const task = tries.task[i];
      if (tries.began[i] <= at && at < tries.stop[i]) {
        found.push([task, tries.kind[i], span(at - tries.began[i])]);
        for (const part of tasks.count <= FEW && parts.of.get(task) || []) {
          if (parts.began[part] > at || at >= parts.stop[part]) continue;
          running.push([task, parts.state[part], span(at - parts.began[part]), parts.title[part]]);
        }
      }
      else if (tries.stop[i] <= at && tries.kind[i] !== RETRIED) over += 1;
    }
    const index = before(curve.times, at) - 1, share = run.single && index >= 0 ? curve.heights[index] : null;
    const how = !run.single ? `${found.length} running, ${over.toLocaleString("en")} over`
      : share === null ? "" : `${Math.floor(100 * share)} %`;
    title = [span(at), clock(at), how].filter(Boolean).join(" · ");
    found.push(...running);
  }
  $("now-title").textContent = title;
  $("running").replaceChildren(...found.slice(0, 60).map(([task, state, time, part]) => {
    const button = element("button", part === undefined ? "" : "part", undefined, mark(state),
      element("span", "foreign", part ?? called(task)), element("span", "soft figure", time));
    button.type = "button";
    button.onclick = () => select(task);
    return element("li", "", undefined, button);
  }));
  if (found.length > 60) $("running").append(element("li", "soft", `and ${found.length - 60} more`));
}
