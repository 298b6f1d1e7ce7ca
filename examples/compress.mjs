#!/usr/bin/env node
// Compresses every file of DIR into DIR-gz/: all of them, or nothing.
//
//     progrun -- examples/compress.mjs DIR
//
// Shows cancellation as an exception, and cleaning up in `finally`.
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

// --- Copy from here -----------------------------------------------------------------------------
class ProgressCancelled extends Error {}

// A number in the environment is no proof: npm, npx and node's own spawn close the descriptor
// but keep the variable, and the next file that is opened (here: by node itself) gets the number.
// So check what the descriptor is. BigInt, because an inode may not fit in a double.
const channel = (() => {
  try {
    const info = fs.fstatSync(Number(process.env.PROGRUN_FD), { bigint: true });
    const same = `${info.dev}:${info.ino}` === process.env.PROGRUN_FD_ID;
    return same && info.isFIFO() ? Number(process.env.PROGRUN_FD) : null;
  } catch {
    return null;
  }
})();

// Reports progress; throws ProgressCancelled if we are to stop. Silent without progrun.
function report(info) {
  if (channel === null) return;
  try {
    // Not `fs.write`, whose callback could miss the error, and no stream: that would make the
    // channel non-blocking for every process that shares it.
    fs.writeSync(channel, JSON.stringify(info) + "\n");
  } catch (error) {
    if (error.code === "EPIPE") throw new ProgressCancelled();
    if (error.code !== "EAGAIN") throw error; // EAGAIN: the pipe is full, drop this update.
  }
}
// --- to here ------------------------------------------------------------------------------------

function compress(folder, part) {
  const files = fs
    .readdirSync(folder)
    .sort()
    .filter((name) => !fs.statSync(path.join(folder, name)).isDirectory());
  files.forEach((name, done) => {
    report({ progress: done, total: files.length, message: name });
    const content = fs.readFileSync(path.join(folder, name));
    fs.writeFileSync(path.join(part, `${name}.gz`), zlib.gzipSync(content));
  });
  // The last chance to cancel comes before the result is in place, so that "cancelled" always
  // means that nothing has happened.
  report({ progress: files.length, total: files.length });
}

if (process.argv.length !== 3) {
  console.error("usage: compress.mjs DIR");
  process.exit(2);
}
const folder = path.resolve(process.argv[2]);
const part = `${folder}-gz.part`;
if (fs.existsSync(`${folder}-gz`)) {
  console.error(`compress.mjs: ${folder}-gz is there already`);
  process.exit(1);
}
fs.rmSync(part, { recursive: true, force: true }); // A SIGKILL may have left it.
fs.mkdirSync(part);
try {
  compress(folder, part);
  fs.renameSync(part, `${folder}-gz`);
} catch (error) {
  if (!(error instanceof ProgressCancelled)) throw error;
  process.exitCode = 130; // Not process.exit(): `finally` would not run.
} finally {
  if (fs.existsSync(part)) {
    fs.rmSync(part, { recursive: true });
    console.error("cleaned up");
  }
}
