// The head of the page: what ran, how it ended, what is wrong with the recording, and the buttons of the states.

function counts() {
  const count = new Array(STATES.length).fill(0);
  for (let task = 0; task < tasks.count; task += 1) {
    count[tasks.state[task]] += 1;
    if (tasks.tries[task] > 1) count[RETRIED] += 1;
  }
  return count;
}

function header() {
  const count = counts();
  $("name").textContent = run.name;
  const bad = count[1] ? 1 : count[2] || run.stopped ? 2 : run.cut ? 3 : 0;
  const outcome = run.cut ? "not ended" : run.stopped ?? STATES[bad][0];
  $("outcome").textContent = outcome;
  $("outcome").className = `s${run.cut && !count[1] ? 3 : bad}`;
  const words = [[clock(0, true), zone()].filter(Boolean).join(" "), `took ${span(run.end)}`];
  if (!run.single) {
    const total = Math.max(run.total ?? 0, tasks.count + run.unshown);
    words.push(counted(total, "task", "tasks"));
    const rest = total - tasks.count - run.unshown;
    // Otherwise an earlier run of the list had done them.
    const why = run.cut ? "not begun" : run.stopped || run.not_started ? "not started" : "not in this run";
    if (rest > 0) words.push(`${rest.toLocaleString("en")} ${why}`);
    const slots = Math.max(run.jobs ?? 0, new Set(tries.slot).size);
    let busy = 0;
    for (let i = 0; i < tries.count; i += 1) busy += tries.stop[i] - tries.began[i];
    const share = Math.round(100 * busy / Math.max(slots * run.end, 1));
    if (slots > 0) words.push(`${counted(slots, "slot", "slots")}, busy ${share} % of the time`);
  }
  $("summary").textContent = words.filter(Boolean).join(" · ");
  $("command").textContent = run.command;
  const notices = [];
  if (run.cut) notices.push("The recording ends before the run does: the run is still going on, or was killed.");
  if (run.headless) notices.push("The beginning of the recording is missing.");
  const [damaged, line] = data.damaged;
  if (damaged) {
    const are = damaged === 1 ? "is" : "are";
    notices.push(`${counted(damaged, "line", "lines")} of the recording could not be read and ${are} left out; the first is line ${line}.`);
  }
  if (run.unshown) notices.push(`${counted(run.unshown, "more task", "more tasks")} of this run are left out, with their figures.`);
  if (data.earlier) notices.push(`${counted(data.earlier, "earlier run", "earlier runs")} of the recording are left out.`);
  if (run.more_parts) notices.push("The tasks have more parts than are shown here.");
  notices.push(...run.warnings);
  $("notices").replaceChildren(...notices.map((text) => element("li", "foreign", text)));
  $("states").replaceChildren(...[0, 1, 2, 3, 4, 5, RETRIED].filter((state) => count[state]).map((state) => {
    const button = element("button", "", undefined, mark(state), `${count[state].toLocaleString("en")} ${STATES[state][0]}`);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.onclick = () => {
      if (!states.delete(state)) states.add(state);
      button.setAttribute("aria-pressed", states.has(state));
      list();
    };
    return button;
  }));
  $("footer").textContent = `Made of ${data.source} by progrun ${data.version}`;
}
