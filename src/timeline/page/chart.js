// The chart: curves, time axis and lanes, each drawn anew on its canvas.

const GAP = 1, CURVE = 108, RIGHT = 18, AXIS = 20;

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
