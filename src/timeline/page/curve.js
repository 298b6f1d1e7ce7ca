// How much was done by each time: what the curves of progress and throughput are drawn from.

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
