// The run that is shown, as columns with what follows from them, and what of it is looked at. src/timeline/page.rs says
// which columns there are.

// Every text of the recording becomes a text node, or is drawn on a canvas: none is ever taken for markup.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

const RETRIED = 6;
// By the numbers of the states; then that of an attempt that was followed by another one.
const STATES = [
  ["completed", "✓"], ["failed", "✕"], ["cancelled", "⊘"], ["unfinished", "…"], ["not started", "–"],
  ["done before", "✓"], ["retried", "↻"],
];
// Of so few tasks all parts are shown.
const FEW = 12;
const WELL = (state) => state === 0 || state === 5;

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
  drawn.rows.clear();
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
