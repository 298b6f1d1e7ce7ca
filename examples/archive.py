#!/usr/bin/env python3
"""Packs every file of DIR into DIR.zip: all of them, or nothing.

    progrun -- examples/archive.py DIR

Shows a part with a bar of its own for each file, and cancellation as an exception.
"""

import contextlib
import json
import os
import pathlib
import stat
import sys
import zipfile


# --- Copy from here -------------------------------------------------------------------------------
class ProgressCancelled(BaseException):
    """Like KeyboardInterrupt, not an Exception: `except Exception` must not swallow it."""


def _channel():
    """The descriptor that progrun opened for us, or None.

    A number in the environment is no proof: npm, `sudo -E`, Python's own subprocess and others
    close the descriptor but keep the variable, and the next file that is opened gets the
    number. So check what the descriptor is, once, before we open anything ourselves.
    """
    try:
        fd = int(os.environ["PROGRUN_FD"])
        info = os.fstat(fd)
    except (KeyError, ValueError, OSError):
        return None
    same = f"{info.st_dev}:{info.st_ino}" == os.environ.get("PROGRUN_FD_ID")
    return fd if same and stat.S_ISFIFO(info.st_mode) else None


_CHANNEL = _channel()


def report(**info):
    """Reports progress; raises ProgressCancelled if we are to stop. Silent without progrun."""
    if _CHANNEL is None:
        return
    try:
        # One write for a line, and no buffer: a buffered line would neither be seen nor fail in time.
        os.write(_CHANNEL, json.dumps(info).encode() + b"\n")
    except BlockingIOError:
        pass  # The pipe is full, and some other process made it non-blocking: drop this update.
    except BrokenPipeError:
        raise ProgressCancelled from None
# --- to here --------------------------------------------------------------------------------------


@contextlib.contextmanager
def all_or_nothing(path):
    """Gives a temporary path, which becomes `path` at the end of the block or is removed."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        print("cleaned up", file=sys.stderr)
        raise


def pack(source, archive, done, count):
    # A file name need not be UTF-8, a report has to be.
    name = os.fsencode(source.name).decode(errors="replace")
    part = {"id": name, "unit": "bytes"}
    if size := source.stat().st_size:
        part["total"] = size
    read = 0
    report(progress=done, total=count, message=name)
    with source.open("rb") as reader, archive.open(name, "w") as writer:
        while chunk := reader.read(1 << 20):
            writer.write(chunk)
            read += len(chunk)
            report(**part, progress=read)
    report(**part, progress=read, status="ok")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: archive.py DIR")
    folder = pathlib.Path(sys.argv[1]).resolve()
    files = sorted(path for path in folder.iterdir() if not path.is_dir())
    with all_or_nothing(folder.with_name(folder.name + ".zip")) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for done, path in enumerate(files):
                pack(path, archive, done, len(files))
        # The last chance to cancel comes before the result is in place, so that "cancelled"
        # always means that nothing has happened.
        report(progress=len(files), total=len(files))


try:
    main()
except ProgressCancelled:
    sys.exit(130)
