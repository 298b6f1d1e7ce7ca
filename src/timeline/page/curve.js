// The curves above the lanes: how much was done by each time, and how fast.

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

function drawCurve() {
  const pen = context($("curve"), width, CURVE + AXIS), right = width - RIGHT;
  const high = CURVE - 16, y = (share) => 12 + (1 - share) * high, [times, step] = ticks();
  grid(pen, times, 8, CURVE);
  pen.fillStyle = colors.soft;
  pen.textAlign = "center";
  for (const time of times) {
    const text = place(time, step), half = pen.measureText(text).width / 2;
    pen.fillText(text, Math.min(Math.max(x(time), half + 4), width - half - 4), CURVE + AXIS / 2);
  }
  pen.textAlign = "right";
  if (gutter > 60) pen.fillText("progress", gutter - 8, y(1) + 14);
  pen.fillText(gutter > 60 ? "100 %" : "100", gutter - 8, y(1));
  pen.fillText("0", gutter - 8, y(0));
  within(pen, gutter, 0, right - gutter, CURVE);
  const points = progressPoints(), line = new Path2D();
  for (const [time, share] of points) line.lineTo(x(time), y(share));
  if (points.length) {
    const area = new Path2D(line);
    area.lineTo(x(points[points.length - 1][0]), y(0));
    area.lineTo(x(points[0][0]), y(0));
    pen.fillStyle = colors.area;
    pen.fill(area);
  }
  const [most, rates, long] = throughput();
  pen.fillStyle = colors.rate;
  pen.globalAlpha = 0.5;
  for (const [start, rate] of rates) {
    const tall = most > 0 ? rate / most * high * 0.6 : 0;
    pen.fillRect(x(start), y(0) - tall, Math.max(1, x(start + long) - x(start) - 1), tall);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = colors.edge;
  pen.lineWidth = 1.5;
  pen.stroke(line);
  pen.restore();
  if (most > 0) legend(pen, most, long);
}

// The times and shares of the line of progress in sight: of tasks a staircase, of reports a line from each to the next.
function progressPoints() {
  const { times, heights, steps } = curve, points = [];
  const first = Math.max(0, before(times, from) - 1), last = Math.min(times.length, before(times, to) + 1) - 1;
  // Not many more points than pixels.
  const stride = Math.max(1, Math.floor((last - first) / (2 * width)));
  let height = null;
  if (steps && first === 0) points.push([0, height = 0]);
  const add = (index) => {
    if (heights[index] === null) return;
    if (steps && height !== null) points.push([times[index], height]);
    points.push([times[index], height = heights[index]]);
  };
  for (let index = first; index < last; index += stride) add(index);
  if (last >= first) add(last);
  if (points.length) points.push([Math.max(points[points.length - 1][0], Math.min(run.end, to)), height]);
  return points;
}

// How much was done in each second, in equal times: the most, that of each with its begin, and how long each is. The
// window has no say in it: in a narrow one the peak would be another.
function throughput() {
  const seen = before(curve.times, to) - before(curve.times, from), rates = [];
  const count = Math.max(16, Math.min(60, curve.amounts ? seen : seen / 3));
  const long = STEPS.find((step) => (to - from) / step <= count) ?? Math.ceil((to - from) / count / 864e8) * 864e8;
  for (let start = Math.floor(from / long) * long; start < to; start += long) {
    rates.push([start, Math.max(0, doneBy(start + long) - doneBy(start)) / (long / 1e6)]);
  }
  return [Math.max(0, ...rates.map(([, rate]) => rate)), rates, long];
}

function legend(pen, most, long) {
  const [scale, each] = most >= 0.5 ? [1, "s"] : most >= 0.5 / 60 ? [60, "min"] : [3600, "h"];
  const amount = curve.unit === "bytes" ? bytes(most * scale) : `${figure(most * scale)} ${curve.unit}`.trim();
  const text = `peak ${amount}/${each} over ${place(long, long)}`;
  pen.textAlign = "left";
  pen.globalAlpha = 0.85;
  pen.fillStyle = colors.panel;
  pen.fillRect(gutter + 4, 3, pen.measureText(text).width + 18, 16);
  pen.globalAlpha = 1;
  pen.fillStyle = colors.rate;
  pen.fillRect(gutter + 7, 7, 8, 8);
  pen.fillStyle = colors.soft;
  pen.fillText(text, gutter + 19, 11);
}
