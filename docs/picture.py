#!/usr/bin/env python3
"""Makes docs/picture.svg: what a terminal shows of a real run, before and after Ctrl-C.

    cargo build --release && docs/picture.py

Needs tmux. Runs examples/archive.py on files made up for it; nothing of the machine is in the picture.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import time
from xml.sax.saxutils import escape

COLUMNS, ROWS = 96, 12
CELL, LINE, MARGIN = 8.4, 20, 18
BACKGROUND, PLAIN, FAINT = "#161b22", "#e6edf3", "#7d8590"
COLORS = dict(zip(range(30, 38), [
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"]))

here = pathlib.Path(__file__).resolve().parent


def tmux(*words):
    command = ["tmux", "-L", f"picture-{os.getpid()}", "-f", "/dev/null", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def screen():
    """The lines of the terminal, with their escape sequences."""
    return tmux("capture-pane", "-e", "-p").rstrip("\n").split("\n")


def wait_for(pattern):
    """The screen as soon as `pattern` is on it."""
    for _ in range(600):
        lines = screen()
        if re.search(pattern, "\n".join(lines)):
            return lines
        time.sleep(0.05)
    raise SystemExit(f"{pattern} did not come")


def run():
    """Two screens: in the middle of a run, and after Ctrl-C."""
    with tempfile.TemporaryDirectory() as room:
        photos = pathlib.Path(room, "photos")
        photos.mkdir()
        for number in range(12):
            (photos / f"img_{2001 + number}.raw").write_bytes(os.urandom(40_000_000))
        path = f"{here.parent}/target/release:{here.parent}/examples:/usr/bin:/bin"
        shell = f"cd {room} && exec env -i PATH={path} HOME={room} TERM=xterm-256color LANG=C.UTF-8 HISTFILE=/dev/null "
        shell += "PS1='$ ' bash --norc --noprofile"
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), shell)
        try:
            wait_for(r"\$")
            tmux("send-keys", "progrun -- archive.py photos", "Enter")
            wait_for(r"img_2006.raw .*\d MiB/")
            time.sleep(0.3)
            running = screen()
            tmux("send-keys", "C-c")
            return running, wait_for(r"cancelled after(.*\n)+.*\$")
        finally:
            tmux("kill-server")


def runs(line):
    """The pieces of a line: column, color and text."""
    color, column = PLAIN, 0
    for escape_codes, text in re.findall(r"((?:\x1b\[[\d;]*m)*)([^\x1b]*)", line):
        for code in map(int, re.findall(r"\d+", escape_codes.replace("[m", "[0m"))):
            color = COLORS.get(code, FAINT if code == 2 else PLAIN if code in (0, 22, 39) else color)
        # One piece for each word, so that a font with other ideas of width cannot shift the next.
        for word in re.finditer(r"\S+(?: \S+)*", text):
            yield column + word.start(), color, word.group()
        column += len(text)


def draw(pictures):
    rows, out = 0.0, []
    for number, lines in enumerate(pictures):
        if number:
            y = MARGIN + LINE * (rows + 0.5)
            out.append(f'<path d="M0 {y:g}H{COLUMNS * CELL + 2 * MARGIN:g}" stroke="#30363d"/>')
            rows += 1
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        for line in lines:
            y = MARGIN + LINE * (rows + 0.75)
            for column, color, text in runs(line):
                x, length = MARGIN + column * CELL, len(text) * CELL
                out.append(f'<text x="{x:.1f}" y="{y:g}" fill="{color}" textLength="{length:.1f}">{escape(text)}</text>')
            rows += 1
    width, height = COLUMNS * CELL + 2 * MARGIN, LINE * rows + 2 * MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14" xml:space="preserve">',
        "<title>progrun in a terminal: two bars in the middle of a run, and what is left after Ctrl-C</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        *out, "</svg>", ""])


if __name__ == "__main__":
    (here / "picture.svg").write_text(draw(run()))
