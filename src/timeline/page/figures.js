"use strict";
// Lengths of time, amounts and times of day, in words. Knows nothing of a run but when it began.

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

// The time zone of the times of day, which is that of the reader.
function zone() {
  if (run.began === null) return "";
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(new Date(run.began));
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

// The time of day, and with a date the day.
function clock(micros, dated) {
  if (run.began === null) return "";
  const time = new Date(run.began + micros / 1e3);
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} `;
  return (dated ? day : "") + [time.getHours(), time.getMinutes(), time.getSeconds()].map(pad).join(":");
}
