"use strict";
// Draws the page of `progrun timeline`. The data are columns of numbers and texts; src/timeline/page.rs says which.
// Every text of the recording becomes a text node or is drawn on a canvas: none is ever taken for markup.
(() => {
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

const RETRIED = 6;
// By the numbers of the states; then that of an attempt that was followed by another one.
const STATES = [
  ["completed", "✓"], ["failed", "✕"], ["cancelled", "⊘"], ["unfinished", "…"], ["not started", "–"],
  ["done before", "✓"], ["retried", "↻"],
];
const WELL = (state) => state === 0 || state === 5;
const ROW = 28, GAP = 1, CURVE = 108, RIGHT = 18, AXIS = 20, PRINTED_ROWS = 1000;

// ---- Words and figures ----

const pad = (number) => String(Math.floor(number)).padStart(2, "0");

// A length of time in microseconds, in words.
function span(micros) {
  if (micros < 0) return "–";
  if (micros < 1e3) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${Math.round(micros / 1e3)} ms`;
  if (micros < 59.95e6) return `${(micros / 1e6).toFixed(1)} s`;
  const seconds = Math.round(micros / 1e6);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h${pad(seconds % 3600 / 60)}m`;
  return `${Math.floor(seconds / 86400)}d${pad(seconds % 86400 / 3600)}h`;
}

// The same as a place on the axis, where a step is so long.
function place(micros, step) {
  if (micros === 0) return "0";
  if (step < 1e3) return `${+(micros / 1e3).toFixed(2)} ms`;
  if (step < 1e6 && micros < 1e6) return `${Math.round(micros / 1e3)} ms`;
  const digits = step < 1e5 ? 2 : step < 1e6 ? 1 : 0;
  const seconds = micros / 1e6;
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  const rest = (seconds % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${step < 60e6 ? rest + "s" : ""}`;
  return `${Math.floor(seconds / 3600)}h${pad(seconds % 3600 / 60)}${step < 60e6 ? "m" + rest : ""}`;
}

function scaled(number, step, units) {
  let index = 0;
  while (number >= step && index < units.length - 1) { number /= step; index += 1; }
  const digits = index === 0 && Number.isInteger(number) || number >= 100 ? 0 : 1;
  return `${number.toFixed(digits)}${units[index]}`;
}
const bytes = (count) => scaled(count, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
const figure = (number) => scaled(number, 1000, ["", "k", "M", "G"]);
const counted = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

// The time of day, and with a date the day.
function clock(micros, dated) {
  if (run.began === null) return "";
  const time = new Date(run.began + micros / 1e3);
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} `;
  return (dated ? day : "") + [time.getHours(), time.getMinutes(), time.getSeconds()].map(pad).join(":");
}

// ---- Elements ----

function element(tag, className, text, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  made.append(...children);
  return made;
}
function mark(state) {
  const made = element("span", `mark s${state}`, STATES[state][1]);
  made.setAttribute("aria-hidden", "true");
  return made;
}

// ---- The run that is shown ----

let run, tasks, tries, parts, texts;
let shown = [];           // The tasks that the table lists, in its order.
let isShown = [];         // Whether it lists this task.
let sort = { key: "number", up: true };
let states = new Set();   // The states that are looked for; empty: all.
let selected = -1;        // A task.
let at = null;            // The time of the cursor.
let from = 0, to = 1;     // The times at both ends of the chart.
let mode = "slots";
let isPrinting = false;

function load(index) {
  run = data.runs[index];
  tries = { ...run.tries, count: run.tries.task.length };
  tries.stop = tries.ended.map((time) => time < 0 ? run.end : time);
  tasks = { ...run.tasks, count: run.tasks.number.length };
  tasks.first = new Int32Array(tasks.count).fill(-1);
  tasks.last = new Int32Array(tasks.count).fill(-1);
  for (let i = 0; i < tries.count; i += 1) {
    const task = tries.task[i];
    if (tasks.first[task] < 0) tasks.first[task] = i;
    tasks.last[task] = i;
  }
  tries.kind = tries.state.map((state, i) => state === 1 && i !== tasks.last[tries.task[i]] ? RETRIED : state);
  tasks.tries = new Int32Array(tasks.count);
  tasks.began = new Float64Array(tasks.count).fill(Infinity);
  tasks.took = new Float64Array(tasks.count).fill(-1);
  for (let task = 0; task < tasks.count; task += 1) {
    if (tasks.first[task] < 0) continue;
    tasks.tries[task] = tries.number[tasks.last[task]];
    tasks.began[task] = tries.began[tasks.first[task]];
    tasks.took[task] = tries.stop[tasks.last[task]] - tasks.began[task];
  }
  parts = { ...run.parts, count: run.parts.task.length, of: new Map() };
  parts.stop = parts.ended.map((time, i) => time < 0 ? tries.stop[tasks.last[parts.task[i]]] ?? run.end : time);
  for (let i = 0; i < parts.count; i += 1) {
    if (!parts.of.has(parts.task[i])) parts.of.set(parts.task[i], []);
    parts.of.get(parts.task[i]).push(i);
  }
  texts = tasks.name.map((name, task) => [
    tasks.number[task], name, tasks.command[task], STATES[tasks.state[task]][0], how(task),
  ].join(" ").toLowerCase());
  [from, to] = [0, Math.max(run.end, 1)];
  [selected, at, states] = [-1, null, new Set()];
  mode = run.single || tasks.count <= 40 ? "tasks" : "slots";
  $("search").value = "";
  prepareCurve();
  header();
  failures();
  list();
  details();
}

const called = (task) => tasks.name[task] || `task ${tasks.number[task]}`;

// How a task ended, if not well.
function how(task) {
  if (tasks.state[task] === 3) return "unfinished: the recording ends before it";
  return run.words[tasks.why[task]] || (tasks.last[task] < 0 ? "" : run.words[tries.how[tasks.last[task]]]);
}

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
  const words = [`${clock(0, true)}`, `took ${span(run.end)}`];
  if (!run.single) {
    const total = Math.max(run.total ?? 0, tasks.count + run.unshown);
    words.push(counted(total, "task", "tasks"));
    if (total > tasks.count + run.unshown) words.push(`${(total - tasks.count - run.unshown).toLocaleString("en")} ${run.cut ? "not begun" : "not in this run"}`);
    const slots = Math.max(run.jobs ?? 0, new Set(tries.slot).size);
    let busy = 0;
    for (let i = 0; i < tries.count; i += 1) busy += tries.stop[i] - tries.began[i];
    if (slots > 0) words.push(`${counted(slots, "slot", "slots")}, busy ${Math.round(100 * busy / (slots * Math.max(run.end, 1)))} % of the time`);
  }
  $("summary").textContent = words.filter(Boolean).join(" · ");
  $("command").textContent = run.command;
  const notices = [];
  if (run.cut) notices.push("The recording ends before the run does: the run is still going on, or was killed.");
  if (run.headless) notices.push("The beginning of the recording is missing.");
  const [damaged, line] = data.damaged;
  if (damaged) notices.push(`${counted(damaged, "line", "lines")} of the recording could not be read and ${damaged === 1 ? "is" : "are"} left out; the first is line ${line}.`);
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

// ---- What did not complete, with its last words ----

let cardsShown = 20;
const unwell = () => [...tasks.state.keys()].filter((task) => [1, 2, 3].includes(tasks.state[task]));

function failures() {
  const bad = unwell().sort((one, other) => (tasks.state[one] === 1 ? 0 : 1) - (tasks.state[other] === 1 ? 0 : 1) || one - other);
  $("failures").hidden = bad.length === 0;
  $("failed-title").textContent = `${counted(bad.length, "task", "tasks")} did not complete`;
  $("cards").replaceChildren(...bad.slice(0, cardsShown).map((task, index) => {
    const last = tasks.last[task];
    const summary = element("summary", "", undefined, mark(tasks.state[task]),
      element("span", "foreign", called(task)), element("span", "how foreign", how(task)),
      element("span", "soft figure", last < 0 ? "" : `${clock(tries.stop[last])} after ${span(tries.stop[last] - tries.began[last])}`));
    const card = element("details", `of${tasks.state[task]}`, undefined, summary,
      element("code", "foreign soft", tasks.command[task]), lines(last));
    card.open = bad.length <= 3 || index === 0;
    return card;
  }));
  if (bad.length && !Object.keys(run.tails).length) {
    $("cards").append(element("p", "", "The recording contains none of their output: `--json >FILE` keeps it, --json=FILE and --job-log do not."));
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

// ---- The table ----

const COLUMNS = [
  ["number", "#", "right figure", (task) => tasks.number[task]],
  ["name", "Task", "foreign", (task) => tasks.name[task]],
  ["state", "State", "", (task) => STATES[tasks.state[task]][0]],
  ["began", "Began", "right figure", (task) => tasks.began[task] === Infinity ? "–" : span(tasks.began[task])],
  ["took", "Took", "right figure", (task) => span(tasks.took[task])],
  ["tries", "Tries", "right figure", (task) => tasks.tries[task] || "–"],
  ["processor", "CPU", "right figure", (task) => tasks.processor[task] ? span(tasks.processor[task]) : "–"],
  ["memory", "Memory", "right figure", (task) => tasks.memory[task] ? bytes(tasks.memory[task]) : "–"],
];

function columns() {
  $("columns").replaceChildren(...COLUMNS.map(([key, title, className]) => {
    const button = element("button", "", title + (sort.key === key ? (sort.up ? " ↑" : " ↓") : ""));
    button.type = "button";
    button.id = `sort-${key}`;
    button.onclick = () => {
      // Of figures, the largest are looked for first; of the others, the first.
      sort = { key, up: sort.key === key ? !sort.up : !["took", "tries", "processor", "memory"].includes(key) };
      list();
      $(`sort-${key}`).focus();
    };
    const cell = element("th", `c-${key} ${className.includes("right") ? "right" : ""}`, undefined, button);
    cell.scope = "col";
    if (sort.key === key) cell.setAttribute("aria-sort", sort.up ? "ascending" : "descending");
    return cell;
  }));
}

const collator = new Intl.Collator("en", { numeric: true });

// The tasks that are looked for, in the order that is asked for.
function list() {
  const wanted = $("search").value.trim().toLowerCase();
  shown = [];
  isShown = new Uint8Array(tasks.count);
  for (let task = 0; task < tasks.count; task += 1) {
    const isOfState = !states.size || states.has(tasks.state[task]) || states.has(RETRIED) && tasks.tries[task] > 1;
    if (isOfState && texts[task].includes(wanted)) { shown.push(task); isShown[task] = 1; }
  }
  const column = tasks[sort.key];
  const compare = sort.key === "name" ? (one, other) => collator.compare(column[one], column[other])
    : sort.key === "state" ? (one, other) => (WELL(column[one]) - WELL(column[other])) || column[one] - column[other]
      : (one, other) => column[one] - column[other] || 0;
  const sign = sort.up ? 1 : -1;
  shown.sort((one, other) => sign * compare(one, other) || one - other);
  $("found").textContent = shown.length === tasks.count ? "" : `${shown.length.toLocaleString("en")} of ${tasks.count.toLocaleString("en")}`;
  $("table").setAttribute("aria-rowcount", shown.length + 1);
  columns();
  // Where the last rows were, there may be none now.
  $("scroll").scrollTop = 0;
  drawn.first = -1;
  rows();
  lay();
}

// Only the rows in sight are elements; two high rows stand for those above and below.
const drawn = { first: -1, last: -1 };
function rows() {
  const box = $("scroll");
  const height = box.clientHeight || 600;
  let first = Math.max(0, Math.floor(box.scrollTop / ROW) - 10);
  let last = Math.min(shown.length, first + Math.ceil(height / ROW) + 20);
  if (isPrinting) [first, last] = [0, Math.min(shown.length, PRINTED_ROWS)];
  if (first === drawn.first && last === drawn.last) return;
  Object.assign(drawn, { first, last });
  const room = (count) => {
    const cell = element("td", "room");
    // Not more than there are in sight: a narrow page would make room for the others.
    cell.colSpan = [...$("columns").children].filter((column) => column.offsetWidth).length || 1;
    cell.style.height = `${count * ROW}px`;
    const row = element("tr", "", undefined, cell);
    row.setAttribute("aria-hidden", "true");
    return row;
  };
  const made = [];
  for (let index = first; index < last; index += 1) made.push(tableRow(shown[index], index));
  if (isPrinting && last < shown.length) {
    const cell = element("td", "", `and ${(shown.length - last).toLocaleString("en")} more`);
    cell.colSpan = COLUMNS.length;
    made.push(element("tr", "", undefined, cell));
  } else if (!isPrinting) {
    made.unshift(room(first));
    made.push(room(shown.length - last));
  }
  $("rows").replaceChildren(...made);
  point();
}

function tableRow(task, index) {
  const row = element("tr");
  row.id = `task-${task}`;
  row.setAttribute("aria-rowindex", index + 2);
  row.setAttribute("aria-selected", task === selected);
  for (const [key, , className, text] of COLUMNS) {
    const cell = element("td", `c-${key} ${className}`);
    if (key === "state") {
      cell.append(mark(tasks.state[task]), element("span", "word", text(task)));
      cell.title = how(task);
    } else {
      cell.textContent = text(task);
      if (key === "name") cell.title = tasks.command[task];
    }
    row.append(cell);
  }
  row.onclick = () => select(task, "table");
  row.ondblclick = () => zoomTo(task);
  return row;
}

// Says which row the table's focus is on.
function point() {
  const isThere = selected >= 0 && document.getElementById(`task-${selected}`);
  if (isThere) $("table").setAttribute("aria-activedescendant", `task-${selected}`);
  else $("table").removeAttribute("aria-activedescendant");
}

function reveal(task) {
  const index = shown.indexOf(task);
  if (index < 0) return;
  const box = $("scroll"), top = index * ROW, room = box.clientHeight - 2 * ROW;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top > box.scrollTop + room) box.scrollTop = top - room;
}

// ---- The selected task, and what ran at a time ----

function select(task, origin) {
  selected = task;
  if (task >= 0 && tasks.first[task] >= 0 && origin !== "cursor") at = (tasks.began[task] + tries.stop[tasks.last[task]]) / 2;
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
      box.append(element("p", "foreign", undefined, mark(tries.kind[i]), ` ${span(tries.stop[i] - tries.began[i])} ${run.words[tries.how[i]]}`));
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
    found = [...tasks.took.keys()].filter((task) => tasks.took[task] >= 0).sort((one, other) => tasks.took[other] - tasks.took[one]).slice(0, 8)
      .map((task) => [task, tasks.state[task], span(tasks.took[task])]);
  } else {
    let over = 0;
    for (let i = 0; i < tries.count; i += 1) {
      const task = tries.task[i];
      if (tries.began[i] <= at && at < tries.stop[i]) {
        found.push([task, tries.kind[i], span(at - tries.began[i])]);
        for (const part of tasks.count <= 12 && parts.of.get(task) || []) {
          if (parts.began[part] <= at && at < parts.stop[part]) running.push([task, parts.state[part], span(at - parts.began[part]), parts.title[part]]);
        }
      }
      else if (tries.stop[i] <= at && tries.kind[i] !== RETRIED) over += 1;
    }
    const index = before(curve.times, at) - 1, share = run.single && index >= 0 ? curve.heights[index] : null;
    const how = run.single ? (share === null ? "" : `${Math.floor(100 * share)} %`) : `${found.length} running, ${over.toLocaleString("en")} over`;
    title = [span(at), clock(at), how].filter(Boolean).join(" · ");
    found.push(...running);
  }
  $("now-title").textContent = title;
  $("running").replaceChildren(...found.slice(0, 60).map(([task, state, time, part]) => {
    const button = element("button", part === undefined ? "" : "part", undefined, mark(state), element("span", "foreign", part ?? called(task)),
      element("span", "soft figure", time));
    button.type = "button";
    button.onclick = () => select(task);
    return element("li", "", undefined, button);
  }));
  if (found.length > 60) $("running").append(element("li", "soft", `and ${found.length - 60} more`));
}

// ---- The curves of progress and of throughput ----

let curve;
function prepareCurve() {
  const own = run.single && run.curves[0];
  if (own) {
    const [times, shares, amounts] = own;
    curve = { times, heights: shares.map((share) => share < 0 ? null : share / 1000), amounts, unit: run.units[0] ?? "" };
    if (!shares.some((share) => share >= 0)) {
      const most = Math.max(...amounts, 1);
      curve.heights = amounts.map((amount) => amount < 0 ? null : amount / most);
    }
    return;
  }
  const times = [];
  for (let i = 0; i < tries.count; i += 1) if (tries.ended[i] >= 0 && tries.kind[i] !== RETRIED) times.push(tries.ended[i]);
  times.sort((one, other) => one - other);
  const total = Math.max(run.total ?? 0, times.length, 1);
  curve = { times, heights: times.map((_, index) => (index + 1) / total), amounts: null, unit: "tasks", steps: true };
}

// How many of the sorted times are at most this one.
function before(times, time) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1; else high = middle;
  }
  return low;
}

// What was done by this time.
function doneBy(time) {
  const index = before(curve.times, time);
  if (!curve.amounts) return index;
  if (index === 0) return 0;
  const one = index - 1, other = Math.min(index, curve.times.length - 1);
  const [low, high] = [Math.max(curve.amounts[one], 0), Math.max(curve.amounts[other], 0)];
  const long = curve.times[other] - curve.times[one];
  return long > 0 ? low + (high - low) * (time - curve.times[one]) / long : high;
}

// ---- The chart ----

let colors, width = 0, gutter = 0, lanes = [], offsets = [], isWaiting = false;

function theme() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  colors = { fills: [], inks: [] };
  for (let state = 0; state <= RETRIED; state += 1) {
    colors.fills.push(color(`s${state}`));
    colors.inks.push(color(`t${state}`));
  }
  for (const name of ["back", "panel", "text", "soft", "line", "line-soft", "accent", "select", "area", "edge", "rate"]) colors[name] = color(name);
}

const x = (time) => gutter + (time - from) / (to - from) * (width - gutter - RIGHT);
const timeAt = (position) => from + (position - gutter) / Math.max(1, width - gutter - RIGHT) * (to - from);

// Which lanes there are, how high, and what is on them.
function lay() {
  width = isPrinting ? 1040 : $("chart").clientWidth;
  lanes = [];
  if (mode === "slots") {
    const slots = new Map();
    for (let i = 0; i < tries.count; i += 1) {
      if (!slots.has(tries.slot[i])) slots.set(tries.slot[i], []);
      slots.get(tries.slot[i]).push(i);
    }
    const count = Math.max(1, slots.size), height = Math.min(24, Math.max(9, Math.floor(320 / count)));
    for (const slot of [...slots.keys()].sort((one, other) => one - other)) {
      const bars = slots.get(slot).sort((one, other) => tries.began[one] - tries.began[other]);
      lanes.push({ label: String(slot), bars, height, task: -1 });
    }
  } else {
    for (const task of shown) {
      const bars = [];
      if (tasks.first[task] >= 0) for (let i = tasks.first[task]; i <= tasks.last[task]; i += 1) bars.push(i);
      lanes.push({ label: called(task), bars, height: 24, task });
      const own = parts.of.get(task);
      if (own && (tasks.count <= 12 || task === selected)) {
        for (const part of own) lanes.push({ label: parts.title[part], part, bars: [], height: 17, task, depth: depth(part) });
      }
    }
  }
  const pen = $("bars").getContext("2d");
  pen.font = "11px system-ui, sans-serif";
  const widest = lanes.slice(0, 500).reduce((most, lane) => Math.max(most, pen.measureText(lane.label.slice(0, 60)).width + 12 * (lane.depth ?? 0)), 40);
  gutter = mode === "slots" ? 34 : Math.round(Math.min(widest + 20, 260, width * 0.3));
  let top = 4;
  offsets = lanes.map((lane) => (top += lane.height) - lane.height);
  offsets.push(top);
  $("room").style.height = `${top + 4}px`;
  $("mode").textContent = mode === "slots" ? "Lanes: slots" : "Lanes: tasks";
  $("mode").hidden = run.single;
  redraw();
}

function depth(part) {
  let level = 1;
  while (parts.parent[part] >= 0 && level < 6) { part = parts.parent[part]; level += 1; }
  return level;
}

function redraw() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => { isWaiting = false; draw(); });
}

function context(canvas, wide, high) {
  // Paper is finer than a screen.
  const scale = isPrinting ? 2 : window.devicePixelRatio || 1;
  const [across, down] = [Math.round(wide * scale), Math.round(high * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${high}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, wide, high);
  return pen;
}

function draw() {
  drawCurve();
  drawLanes();
  const cursor = $("cursor");
  cursor.hidden = at === null || at < from || at > to;
  if (!cursor.hidden) {
    cursor.style.transform = `translateX(${x(at)}px)`;
    cursor.classList.toggle("left", x(at) > width - 120);
    cursor.firstChild.textContent = span(at);
  }
}

const STEPS = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 15e6, 3e7, 6e7, 12e7, 3e8, 6e8, 9e8, 18e8, 36e8, 72e8, 216e8, 432e8, 864e8];
function ticks() {
  const room = Math.max(1, Math.floor((width - gutter) / 66));
  const step = STEPS.find((step) => (to - from) / step <= room) ?? Math.ceil((to - from) / room / 864e8) * 864e8;
  const times = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) times.push(time);
  return [times, step];
}

function drawCurve() {
  const pen = context($("curve"), width, CURVE + AXIS);
  const right = width - RIGHT, high = CURVE - 16, y = (share) => 12 + (1 - share) * high, [times, step] = ticks();
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillStyle = colors.soft;
  pen.strokeStyle = colors["line-soft"];
  pen.lineWidth = 1;
  pen.textAlign = "center";
  for (const time of times) {
    pen.beginPath();
    pen.moveTo(Math.round(x(time)) + 0.5, 8);
    pen.lineTo(Math.round(x(time)) + 0.5, CURVE);
    pen.stroke();
    const text = place(time, step), half = pen.measureText(text).width / 2;
    pen.fillText(text, Math.min(Math.max(x(time), half + 4), width - half - 4), CURVE + AXIS / 2);
  }
  pen.textAlign = "right";
  if (gutter > 60) pen.fillText("progress", gutter - 8, y(1) + 14);
  pen.fillText(gutter > 60 ? "100 %" : "100", gutter - 8, y(1));
  pen.fillText("0", gutter - 8, y(0));
  pen.save();
  pen.beginPath();
  pen.rect(gutter, 0, right - gutter, CURVE);
  pen.clip();
  // Progress: what is done, out of all.
  const left = Math.max(0, before(curve.times, from) - 1), end = Math.min(curve.times.length, before(curve.times, to) + 1);
  const stride = Math.max(1, Math.floor((end - left) / (2 * width)));
  const line = new Path2D();
  let height = 0, isBegun = false;
  for (let i = left; i < end; i += i + stride < end || i === end - 1 ? stride : end - 1 - i) {
    if (curve.heights[i] === null) continue;
    if (!isBegun) { line.moveTo(x(curve.steps ? 0 : curve.times[i]), y(curve.steps && left === 0 ? 0 : curve.heights[i])); isBegun = true; }
    if (curve.steps && stride === 1) line.lineTo(x(curve.times[i]), y(height || (left ? curve.heights[i] : 0)));
    height = curve.heights[i];
    line.lineTo(x(curve.times[i]), y(height));
  }
  if (isBegun) {
    line.lineTo(Math.max(x(Math.min(run.end, to)), gutter), y(height));
    const area = new Path2D(line);
    area.lineTo(Math.max(x(Math.min(run.end, to)), gutter), y(0));
    area.lineTo(x(curve.steps ? 0 : curve.times[left]), y(0));
    pen.fillStyle = colors.area;
    pen.fill(area);
  }
  // Throughput: how much in each of many equal times.
  const bins = Math.max(16, Math.min(120, curve.amounts ? end - left : (end - left) / 3)), rates = [];
  const wide = Math.max(6, Math.round((right - gutter) / bins));
  let most = 0;
  for (let position = gutter; position < right; position += wide) {
    const [start, stop] = [timeAt(position), timeAt(position + wide)];
    const rate = Math.max(0, doneBy(stop) - doneBy(start)) / ((stop - start) / 1e6);
    rates.push(rate);
    most = Math.max(most, rate);
  }
  pen.fillStyle = colors.rate;
  pen.globalAlpha = 0.5;
  if (most > 0) rates.forEach((rate, index) => {
    const tall = rate / most * high * 0.6;
    pen.fillRect(gutter + index * wide, y(0) - tall, wide - 1, tall);
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = colors.edge;
  pen.lineWidth = 1.5;
  if (isBegun) pen.stroke(line);
  pen.restore();
  if (most > 0) {
    const rate = curve.unit === "bytes" ? `${bytes(most)}/s` : `${figure(most)} ${curve.unit}/s`.replace("  ", " ");
    const text = `peak ${most < 0.1 ? `${figure(most * 3600)} ${curve.unit}/h` : rate}`;
    pen.textAlign = "left";
    const far = pen.measureText(text).width;
    pen.globalAlpha = 0.85;
    pen.fillStyle = colors.panel;
    pen.fillRect(gutter + 4, 3, far + 18, 16);
    pen.globalAlpha = 1;
    pen.fillStyle = colors.rate;
    pen.fillRect(gutter + 7, 7, 8, 8);
    pen.fillStyle = colors.soft;
    pen.fillText(text, gutter + 19, 11);
  }
}

function drawLanes() {
  const box = $("lanes"), all = offsets[offsets.length - 1] + 4;
  const high = isPrinting ? Math.min(all, 1100) : Math.min(all, Math.max(120, Math.floor(window.innerHeight * 0.46)));
  const pen = context($("bars"), width, high);
  const top = isPrinting ? 0 : box.scrollTop, [times] = ticks(), right = width - RIGHT;
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.strokeStyle = colors["line-soft"];
  pen.beginPath();
  for (const time of times) {
    pen.moveTo(Math.round(x(time)) + 0.5, 0);
    pen.lineTo(Math.round(x(time)) + 0.5, high);
  }
  pen.stroke();
  let count = 0;
  const last = lanes.length;
  let first = 0;
  while (first < last - 1 && offsets[first + 1] < top) first += 1;
  for (let index = first; index < last && offsets[index] < top + high; index += 1) {
    const lane = lanes[index], y = offsets[index] - top, isPart = lane.part !== undefined;
    if (lane.task >= 0 && lane.task === selected) {
      pen.fillStyle = colors.select;
      pen.fillRect(0, y, width, lane.height);
    }
    pen.fillStyle = isPart || mode === "slots" ? colors.soft : colors.text;
    pen.textAlign = mode === "slots" ? "right" : "left";
    const indent = isPart ? 10 + 12 * lane.depth : 10;
    pen.fillText(mode === "slots" ? lane.label : fitted(pen, lane.label, gutter - indent - 8), mode === "slots" ? gutter - 8 : indent, y + lane.height / 2);
    pen.save();
    pen.beginPath();
    pen.rect(gutter, y, right - gutter + 4, lane.height);
    pen.clip();
    if (isPart) bar(pen, parts.began[lane.part], parts.stop[lane.part], y + 3, lane.height - 6, parts.state[lane.part], null, 1);
    else count += drawBars(pen, lane, y);
    pen.restore();
  }
  $("chart").dataset.bars = count;
}

// The bars of a lane: calm ones first, so that no failure is below another bar, and the selected one at last.
function drawBars(pen, lane, y) {
  let count = 0;
  const inset = lane.height > 14 ? 3 : 1, own = [];
  for (const passes of [true, false]) {
    for (const i of lane.bars) {
      const state = tries.kind[i];
      if (WELL(state) !== passes || tries.stop[i] < from || tries.began[i] > to) continue;
      count += 1;
      const task = tries.task[i];
      if (task === selected) own.push(i);
      const name = mode === "slots" ? tasks.name[task] : run.words[tries.how[i]] || span(tries.stop[i] - tries.began[i]);
      bar(pen, tries.began[i], tries.stop[i], y + inset, lane.height - 2 * inset, state, name, isShown[task] ? 1 : 0.22);
    }
  }
  if (mode === "tasks" && lane.bars.length === 0) {
    pen.fillStyle = colors.soft;
    pen.fillText(how(lane.task) || STATES[tasks.state[lane.task]][0], gutter + 4, y + lane.height / 2);
  }
  pen.strokeStyle = colors.text;
  pen.lineWidth = 2;
  for (const i of own) {
    if (mode === "slots") pen.strokeRect(x(tries.began[i]) - 1, y + inset - 1, Math.max(3, x(tries.stop[i]) - x(tries.began[i])) + 1, lane.height - 2 * inset + 2);
  }
  return count;
}

function bar(pen, began, stop, y, height, state, name, alpha) {
  const left = x(began), wide = Math.max(WELL(state) ? 1 : 2, x(stop) - left - (x(stop) - left > 4 ? GAP : 0));
  pen.globalAlpha = alpha;
  pen.fillStyle = colors.fills[state];
  if (wide > 8) {
    pen.beginPath();
    pen.roundRect(left, y, wide, height, 3);
    pen.fill();
  } else {
    pen.fillRect(left, y, wide, height);
  }
  if (height >= 11 && (wide > 34 || !WELL(state) && wide > 14)) {
    // What did not end well has a mark, too: not everyone tells the colors apart.
    const sign = WELL(state) ? "" : STATES[state][1] + " ";
    const begin = Math.max(left, gutter);
    pen.fillStyle = colors.inks[state];
    pen.textAlign = "left";
    pen.fillText(fitted(pen, sign + (name ?? ""), left + wide - begin - 9), begin + 5, y + height / 2 + 0.5);
  }
  pen.globalAlpha = 1;
}

// The beginning of a text that fits.
function fitted(pen, text, room) {
  if (room < 8) return "";
  const most = Math.ceil(room / 3);
  if (text.length > most) text = [...text.slice(0, most)].join("");
  if (pen.measureText(text).width <= room) return text;
  let length = Math.max(1, Math.floor(text.length * room / pen.measureText(text).width));
  while (length > 1 && pen.measureText(text.slice(0, length) + "…").width > room) length -= 1;
  return text.slice(0, length) + "…";
}

// ---- Moving and zooming ----

function view(start, stop) {
  const all = Math.max(run.end, 1), least = Math.min(all, Math.max(100, all / 1e6));
  const long = Math.min(all, Math.max(least, stop - start));
  from = Math.max(0, Math.min(all - long, start));
  to = from + long;
  redraw();
}
function zoom(factor, middle) {
  const center = middle ?? (at !== null && at >= from && at <= to ? at : (from + to) / 2);
  view(center - (center - from) * factor, center + (to - center) * factor);
}
function zoomTo(task) {
  if (tasks.first[task] < 0) return;
  const long = Math.max(tasks.took[task], 1);
  view(tasks.began[task] - long * 0.5, tasks.began[task] + long * 1.5);
}

// Scrolls the chart, and moves the view, so that the task is in sight.
function bring(task) {
  if (task < 0 || tasks.first[task] < 0) return;
  const began = tasks.began[task], stop = began + tasks.took[task];
  if (stop < from || began > to) view((began + stop - (to - from)) / 2, (began + stop + (to - from)) / 2);
  const index = laneOf(task), box = $("lanes");
  if (index < 0) return;
  const isAbove = offsets[index] < box.scrollTop, isBelow = offsets[index + 1] > box.scrollTop + box.clientHeight;
  if (isAbove || isBelow) box.scrollTop = offsets[index] - box.clientHeight / 2;
}
function laneOf(task) {
  if (mode === "tasks") return lanes.findIndex((lane) => lane.task === task);
  return lanes.findIndex((lane) => lane.bars.includes(tasks.last[task]));
}

// The task at this place of the chart.
function taskAt(position, down) {
  const y = down - (CURVE + AXIS + 1) + $("lanes").scrollTop;
  const index = offsets.findIndex((_, lane) => lane < lanes.length && y >= offsets[lane] && y < offsets[lane + 1]);
  if (index < 0) return -1;
  if (mode === "tasks") return lanes[index].task;
  // The nearest one: of many tasks, none is as wide as the pointer.
  let found = -1, nearest = 4;
  for (const i of lanes[index].bars) {
    const off = Math.max(x(tries.began[i]) - position, position - x(tries.stop[i]), 0);
    if (off < nearest) [found, nearest] = [i, off];
  }
  return found < 0 ? -1 : tries.task[found];
}

// From the selected task to the one beside it, or in the lane above or below.
function move(sideways, downwards) {
  const index = selected < 0 ? -1 : laneOf(selected);
  if (index < 0) {
    const first = lanes.find((lane) => lane.task >= 0 || lane.bars.length);
    if (first) select(first.task >= 0 ? first.task : tries.task[first.bars[0]]);
    return;
  }
  if (mode === "tasks") {
    const place = shown.indexOf(selected) + (downwards || sideways);
    if (place >= 0 && place < shown.length) select(shown[place]);
    return;
  }
  const bars = lanes[index].bars, place = bars.indexOf(tasks.last[selected]);
  if (sideways) {
    const next = bars[Math.max(0, Math.min(bars.length - 1, place + sideways))];
    select(tries.task[next]);
    return;
  }
  const lane = lanes[index + downwards];
  if (!lane) return;
  const middle = (tries.began[bars[place]] + tries.stop[bars[place]]) / 2;
  let best = lane.bars[0], nearest = Infinity;
  for (const i of lane.bars) {
    const off = Math.max(tries.began[i] - middle, middle - tries.stop[i], 0);
    if (off < nearest) [best, nearest] = [i, off];
  }
  select(tries.task[best]);
}

function nextUnwell(step) {
  const bad = shown.filter((task) => [1, 2, 3].includes(tasks.state[task]));
  if (!bad.length) { $("live").textContent = "All tasks completed"; return; }
  const place = bad.indexOf(selected);
  select(bad[(place < 0 ? (step > 0 ? 0 : bad.length - 1) : place + step + bad.length) % bad.length]);
}

function setMode(next) {
  mode = next;
  $("lanes").scrollTop = 0;
  lay();
  bring(selected);
}

// ---- Pointer and keyboard ----

let drag = null, isMoving = false;
$("chart").onpointermove = (event) => {
  const box = $("chart").getBoundingClientRect(), position = event.clientX - box.left;
  if (drag && Math.abs(position - drag) > 4) {
    $("range").hidden = false;
    $("range").style.left = `${Math.min(position, drag)}px`;
    $("range").style.width = `${Math.abs(position - drag)}px`;
  }
  at = Math.max(0, Math.min(run.end, timeAt(position)));
  if (isMoving) return;
  isMoving = true;
  requestAnimationFrame(() => { isMoving = false; draw(); now(); });
};
$("chart").onpointerdown = (event) => {
  if (event.button !== 0) return;
  drag = event.clientX - $("chart").getBoundingClientRect().left;
};
window.addEventListener("pointerup", (event) => {
  if (drag === null) return;
  const box = $("chart").getBoundingClientRect(), position = event.clientX - box.left, start = drag;
  drag = null;
  $("range").hidden = true;
  if (Math.abs(position - start) > 4) {
    if (event.pointerType === "mouse") view(timeAt(Math.min(position, start)), timeAt(Math.max(position, start)));
    return;
  }
  at = Math.max(0, Math.min(run.end, timeAt(position)));
  select(taskAt(position, event.clientY - box.top), "cursor");
});
$("chart").ondblclick = () => view(0, run.end);
$("chart").addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, timeAt(event.clientX - $("chart").getBoundingClientRect().left));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    const step = (event.deltaX || event.deltaY) / width * (to - from);
    view(from + step, to + step);
  }
}, { passive: false });
$("lanes").onscroll = redraw;

$("chart").onkeydown = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = (to - from) / 10;
  const actions = {
    ArrowLeft: () => event.shiftKey ? view(from - step, to - step) : move(-1, 0),
    ArrowRight: () => event.shiftKey ? view(from + step, to + step) : move(1, 0),
    ArrowUp: () => move(0, -1),
    ArrowDown: () => move(0, 1),
    Home: () => move(-Infinity, 0),
    End: () => move(Infinity, 0),
    Enter: () => selected >= 0 && zoomTo(selected),
  };
  if (mode === "tasks") {
    actions.Home = () => shown.length && select(shown[0]);
    actions.End = () => shown.length && select(shown[shown.length - 1]);
  }
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
};

$("table").onkeydown = (event) => {
  if (event.target !== $("table") || !shown.length) return;
  const page = Math.max(1, Math.floor($("scroll").clientHeight / ROW) - 2);
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
  if (event.key === "Enter" && selected >= 0) zoomTo(selected);
  if (!(event.key in steps)) return;
  event.preventDefault();
  const place = shown.indexOf(selected);
  const next = place < 0 && Math.abs(steps[event.key]) !== Infinity ? 0 : place + steps[event.key];
  const task = shown[Math.max(0, Math.min(shown.length - 1, next))];
  select(task, "table");
  reveal(task);
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input, select, dialog *");
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.key === "Escape") {
    if ($("search").value || states.size) {
      $("search").value = "";
      states.clear();
      for (const button of $("states").children) button.setAttribute("aria-pressed", "false");
      list();
    } else {
      at = null;
      select(-1);
    }
    return;
  }
  if (isTyping) return;
  const actions = {
    "/": () => $("search").focus(),
    f: () => nextUnwell(1),
    F: () => nextUnwell(-1),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => view(0, run.end),
    l: () => run.single || setMode(mode === "slots" ? "tasks" : "slots"),
    "?": () => $("help").showModal(),
  };
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
});

$("search").oninput = list;
$("search").onkeydown = (event) => {
  if (event.key !== "Enter" && event.key !== "ArrowDown" || !shown.length) return;
  event.preventDefault();
  select(shown[0], "table");
  $("table").focus();
};
let isScrolling = false;
$("scroll").onscroll = () => {
  if (isScrolling) return;
  isScrolling = true;
  requestAnimationFrame(() => { isScrolling = false; rows(); });
};
$("in").onclick = () => zoom(0.5);
$("out").onclick = () => zoom(2);
$("fit").onclick = () => view(0, run.end);
$("mode").onclick = () => setMode(mode === "slots" ? "tasks" : "slots");
$("keys").onclick = () => $("help").showModal();
$("more").onclick = () => { cardsShown += 100; failures(); };

// ---- The page as a whole ----

function print(isOn) {
  isPrinting = isOn;
  document.documentElement.classList.toggle("print", isOn);
  drawn.first = -1;
  theme();
  rows();
  lay();
  draw();
}
window.addEventListener("beforeprint", () => print(true));
window.addEventListener("afterprint", () => print(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme(); redraw(); });
window.addEventListener("resize", () => { drawn.first = -1; rows(); lay(); });

$("runs").hidden = data.runs.length < 2;
data.runs.forEach((other, index) => {
  run = other;
  const option = element("option", "", `Run ${data.earlier + index + 1} of ${data.earlier + data.runs.length} · ${clock(0, true)} · ${counted(other.tasks.number.length, "task", "tasks")}`);
  option.value = index;
  $("runs").append(option);
});
$("runs").value = data.runs.length - 1;
$("runs").onchange = () => load(Number($("runs").value));
theme();
load(data.runs.length - 1);
draw();
})();
