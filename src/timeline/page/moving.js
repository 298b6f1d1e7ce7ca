// What is in sight of the chart: zooming, and going from task to task.

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
