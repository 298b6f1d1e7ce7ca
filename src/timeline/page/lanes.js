// The lanes of the chart: the bars of slots, tasks and parts.

const GAP = 1;

function drawLanes() {
  const box = $("lanes"), all = offsets[offsets.length - 1] + 4;
  const high = isPrinting ? Math.min(all, 1100) : Math.min(all, Math.max(120, Math.floor(window.innerHeight * 0.46)));
  const pen = context($("bars"), width, high);
  const top = isPrinting ? 0 : box.scrollTop, [times] = ticks(), right = width - RIGHT;
  grid(pen, times, 0, high);
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
    const middle = y + lane.height / 2, indent = isPart ? 10 + 12 * lane.depth : 10;
    if (mode === "slots") {
      pen.textAlign = "right";
      pen.fillText(lane.label, gutter - 8, middle);
    } else {
      pen.textAlign = "left";
      pen.fillText(fitted(pen, lane.label, gutter - indent - 8), indent, middle);
    }
    within(pen, gutter, y, right - gutter + 4, lane.height);
    if (isPart) {
      const part = lane.part;
      bar(pen, parts.began[part], parts.stop[part], y + 3, lane.height - 6, parts.state[part], null, 1);
    } else {
      count += drawBars(pen, lane, y);
    }
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
  for (const i of mode === "slots" ? own : []) {
    const left = x(tries.began[i]), wide = Math.max(3, x(tries.stop[i]) - left);
    pen.strokeRect(left - 1, y + inset - 1, wide + 1, lane.height - 2 * inset + 2);
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
