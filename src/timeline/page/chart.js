// The chart as a whole: its colors, its lanes and their places, and the time axis.

// The heights of the curve and of the axis below it, and the room to the right.
const CURVE = 108, AXIS = 20, RIGHT = 18;

let colors, width = 0, gutter = 0, lanes = [], offsets = [], isWaiting = false;

function theme() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  colors = { fills: [], inks: [] };
  for (let state = 0; state <= RETRIED; state += 1) {
    colors.fills.push(color(`s${state}`));
    colors.inks.push(color(`t${state}`));
  }
  for (const name of ["panel", "text", "soft", "line-soft", "select", "area", "edge", "rate"]) colors[name] = color(name);
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
      if (own && (tasks.count <= FEW || task === selected)) {
        for (const part of own) {
          lanes.push({ label: parts.title[part], part, bars: [], height: 17, task, depth: depth(part) });
        }
      }
    }
  }
  const pen = $("bars").getContext("2d");
  pen.font = "11px system-ui, sans-serif";
  const wide = (lane) => pen.measureText(lane.label.slice(0, 60)).width + 12 * (lane.depth ?? 0);
  const widest = lanes.slice(0, 500).reduce((most, lane) => Math.max(most, wide(lane)), 40);
  gutter = mode === "slots" ? 34 : Math.round(Math.min(widest + 20, 260, width * 0.3));
  let top = 4;
  offsets = lanes.map((lane) => (top += lane.height) - lane.height);
  offsets.push(top);
  $("room").style.height = `${top + 4}px`;
  $("mode").textContent = mode === "slots" ? "Lanes: slots" : "Lanes: tasks";
  $("mode").hidden = run.single;
  const isHidden = parts.count > 0 && tasks.count > FEW && !(mode === "tasks" && parts.of.has(selected));
  $("hint").textContent = !isHidden ? "" : mode === "tasks" ? "Select a task to see its parts" : "Lanes of tasks show parts, too";
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

// From a millisecond to a day.
const STEPS = [
  1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 15e6, 3e7,
  6e7, 12e7, 3e8, 6e8, 9e8, 18e8, 36e8, 72e8, 216e8, 432e8, 864e8,
];
function ticks() {
  const room = Math.max(1, Math.floor((width - gutter) / 66));
  const step = STEPS.find((step) => (to - from) / step <= room) ?? Math.ceil((to - from) / room / 864e8) * 864e8;
  const times = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) times.push(time);
  return [times, step];
}

// Vertical lines at the times of the axis.
function grid(pen, times, top, bottom) {
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.strokeStyle = colors["line-soft"];
  pen.lineWidth = 1;
  pen.beginPath();
  for (const time of times) {
    pen.moveTo(Math.round(x(time)) + 0.5, top);
    pen.lineTo(Math.round(x(time)) + 0.5, bottom);
  }
  pen.stroke();
}

// All that follows is drawn only in this rectangle, until the pen is restored.
function within(pen, left, top, wide, high) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, high);
  pen.clip();
}
