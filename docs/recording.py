#!/usr/bin/env python3
"""Makes docs/recording.svg: real runs of progrun in a terminal, as an animation for the README.

    cargo build --release && docs/recording.py          # or: PROGRUN=/path/to/progrun docs/recording.py

Needs tmux, rsync, make and a C compiler. The script makes files to work on in a temporary folder, types commands into a
shell, and keeps each change of the screen with its time. Time is cut between the scenes and prolonged at their ends;
inside a scene nothing is faster or slower than it was. rsync is slowed by its own option, because a local copy takes
no time. What the terminal did not show is the frame: the title, the key, and the shape of the cursor.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
from xml.sax.saxutils import escape

COLUMNS, ROWS = 92, 15
CELL, LINE, MARGIN, TITLE = 8.43, 20, 16, 38
WIDTH, HEIGHT = round(COLUMNS * CELL + 2 * MARGIN), TITLE + ROWS * LINE + 2 * MARGIN
BACKGROUND, PLAIN, FAINT, EDGE = "#161b22", "#e6edf3", "#9198a1", "#444c56"
COLORS = {31: "#ff7b72", 32: "#3fb950", 33: "#e3b341", 34: "#58a6ff", 35: "#bc8cff", 36: "#39c5cf"}
INTERVAL = 0.1
PROMPT = r".*\n+\$$"

here = pathlib.Path(__file__).resolve().parent

MAKEFILE = """\
objects = lexer.o parser.o types.o inline.o layout.o codegen.o linker.o main.o
tool: $(objects)
	cc -o $@ $(objects)
%.o: %.c
	cc -O2 -c $<
clean:
	rm -f tool $(objects)
"""

SCRIPT = """\
#!/bin/sh -e
mkdir packed
trap '[ $? = 0 ] || { rm -r packed; echo "removed packed/"; }' EXIT
set -- "$1"/*; n=0
for f; do
    progrun report "$n/$#" "${f##*/}"
    gzip <"$f" >"packed/${f##*/}.gz"
    n=$((n + 1))
done
"""


def make_files(room, progrun):
    """What the commands work on: photos, a project in C, a script, and logs. One of the logs is a folder."""
    for folder in ("bin", "photos", "project", "logs"):
        (room / folder).mkdir()
    (room / "bin/progrun").symlink_to(progrun)
    for number in range(8):
        (room / f"photos/img_{2041 + number}.raw").write_bytes(os.urandom(30_000_000))
    (room / "pack.sh").write_text(SCRIPT)
    (room / "pack.sh").chmod(0o755)
    (room / "project/Makefile").write_text(MAKEFILE)
    dice = random.Random(7)
    for name in re.findall(r"(\w+)\.o", MAKEFILE.split("\n")[0]):
        code = "".join(
            f"int {name}_{n}(int a, int b) {{ for (int k = 0; k < b; k++) {{ a ^= k * {n} + b; if (a & {n % 7 + 1})"
            f" b -= k + (a << 3); }} return a; }}\n" for n in range(dice.randrange(150, 300)))
        (room / f"project/{name}.c").write_text(code + ("int main(void) { return 0; }\n" if name == "main" else ""))

    for name in "access auth db mail queue search web".split():
        line = "2026-11-28T{:02}:{:02}:{:02}Z GET /photos/{} 200 {} ms\n"
        (room / f"logs/{name}.log").write_text("".join(
            line.format(hour, dice.randrange(60), dice.randrange(60), dice.randrange(99999), dice.randrange(9999))
            for hour in range(24) for _ in range(dice.randrange(7000, 13000))))
    (room / "logs/old.log").mkdir()


class Terminal:
    """A shell in tmux, and what its screen showed: `frames` are pairs of a time and a picture."""

    def __init__(self, room):
        self.room, self.frames, self.title, self.key, self.skew = room, [], "", "", time.monotonic()
        self.tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "cat")

    @staticmethod
    def tmux(*words):
        command = ["tmux", "-L", f"recording-{os.getpid()}", "-f", "/dev/null", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def look(self):
        """The screen without colors. Keeps it as a frame if it has changed."""
        *lines, cursor = self.tmux(
            "capture-pane", "-e", "-p", ";", "display-message", "-p", "#{cursor_flag} #{cursor_x} #{cursor_y}"
        ).rstrip("\n").split("\n")
        visible, x, y = map(int, cursor.split())
        rows = tuple((line, x if visible and y == row else None) for row, line in enumerate(lines))
        picture = (self.title, self.key, rows)
        if not self.frames or self.frames[-1][1] != picture:
            self.frames.append((time.monotonic() - self.skew, picture))
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(lines)).rstrip()

    def watch(self, pattern="", seconds=30.0):
        """Looks until `pattern` is on the screen; without a pattern, for `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.look()
            if pattern and (found := re.search(pattern, screen)):
                return found.group()
            time.sleep(INTERVAL)
        if pattern:
            raise SystemExit(f"recording.py: in “{self.title}”, {pattern!r} did not come. The screen:\n{screen}")

    def scene(self, title, folder="."):
        """A new shell in `folder`, on a clean screen. The time that it takes to start is cut."""
        begin, self.title = time.monotonic(), title
        self.tmux("respawn-pane", "-k", f"cd {self.room / folder} && exec env -i PATH={self.room}/bin:/usr/bin:/bin"
                  f" HOME={self.room} TERM=xterm-256color LANG=C.UTF-8 HISTFILE= PS1='$ ' bash --norc --noprofile")
        while self.tmux("capture-pane", "-p").strip() != "$":
            time.sleep(INTERVAL)
            if time.monotonic() - begin > 20:
                raise SystemExit(f"recording.py: no shell for “{title}”")
        self.skew += time.monotonic() - begin
        self.watch(seconds=0.4)

    def type(self, command):
        for start in range(0, len(command), 3):
            self.tmux("send-keys", "-l", "--", command[start:start + 3])
            time.sleep(0.06)
            self.look()
        self.watch(seconds=0.4)
        self.tmux("send-keys", "Enter")

    def run(self, command, end, pause):
        """A command that comes to its end, followed by the prompt and a pause to read."""
        self.type(command)
        self.watch(end + PROMPT)
        self.hold(pause)

    def hold(self, seconds):
        """The screen stays as it is: no need to wait for that."""
        self.look()
        self.skew -= seconds


def worth(picture):
    """How much there is to see: a failure, and bars."""
    lines = [line for line, _ in picture[2]]
    return any("FAILED" in line for line in lines), sum("━" in line for line in lines)


def record(room):
    """All scenes. Returns the frames, the time of the end, and the frame for readers without animation."""
    terminal = Terminal(room)
    try:
        terminal.scene("any command: its own percentage becomes a bar")
        terminal.run("progrun -- rsync -a --info=progress2 --bwlimit=70m photos/ backup", "rsync: completed", 1.2)

        # The takes before the first one with an estimate are the earlier runs, and are cut.
        for _ in range(8):
            begin, skew, kept = time.monotonic(), terminal.skew, len(terminal.frames)
            terminal.scene("no percentage? the bar goes by earlier runs", "project")
            terminal.type("progrun -- make -j2")
            seen = terminal.watch(r"usually|make: completed")
            terminal.watch("make: completed" + PROMPT)
            if seen == "usually":
                break
            del terminal.frames[kept:]
            subprocess.run(["make", "clean"], cwd=room / "project", check=True, stdout=subprocess.DEVNULL)
            terminal.skew = skew + time.monotonic() - begin
        else:
            raise SystemExit("recording.py: make takes another time in each run; the machine is too busy")
        terminal.hold(1.2)

        terminal.scene("a script of your own, and a Ctrl-C that lets it clean up")
        terminal.run("cat pack.sh", "done", 2.0)
        terminal.type("progrun -- ./pack.sh photos")
        terminal.watch(r"img_2043")
        terminal.tmux("send-keys", "C-c")
        terminal.key = "Ctrl-C"
        terminal.watch("stopping at the next progress report")
        terminal.watch(r"removed packed/\n.*cancelled after" + PROMPT)
        terminal.hold(0.7)
        terminal.key = ""
        terminal.hold(1.2)

        kept = len(terminal.frames)
        terminal.scene("many commands at once", "logs")
        terminal.run("progrun each -j3 -- gzip -9 {} ::: *.log", r"gzip: .*1 failed.*(\n.+)*", 3.0)
        still = max((picture for _, picture in terminal.frames[kept:]), key=worth)
        return terminal.frames, time.monotonic() - terminal.skew, still
    finally:
        terminal.tmux("kill-server")


def box(style, column, y, cells, height):
    return f'<path class="{style}" d="M{column * CELL:.1f} {y}h{cells * CELL:.1f}v{height}h-{cells * CELL:.1f}z"/>'


def draw_line(row, y):
    """One line of the terminal: each word at its column, so that another font cannot shift it; bars as shapes."""
    line, cursor = row
    out, words, color, column = [], [], "", 0
    if cursor is not None:
        out.append(box("d", cursor, y + 17, 1, 2))
    for codes, text in re.findall(r"((?:\x1b\[[\d;]*m)*)([^\x1b]*)", line):
        for code in [int(code or 0) for codes in re.findall(r"\[([\d;]*)m", codes) for code in codes.split(";")]:
            color = f"c{code}" if code in COLORS else "d" if code == 2 else "" if code in (0, 22, 39) else color
        style = color and f' class="{color}"'
        for piece in re.finditer(r"━+╸?|╸|─+|[^\s━╸─]+", text):
            at, piece = column + piece.start(), piece.group()
            if piece[0] in "━╸":
                out.append(box(color, at, y + 9, len(piece) - piece.count("╸") / 2, 4))
            elif piece[0] == "─":
                out.append(box("d", at, y + 10.5, len(piece), 1))
            else:
                words.append(f'<tspan x="{at * CELL:.1f}"{style}>{escape(piece)}</tspan>')
        column += len(text)
    return "".join(out) + (f'<text y="{y + 15}">{"".join(words)}</text>' if words else "")


def strip(name, place, states, still, end, draw):
    """A window at `place` with a strip behind it: each distinct state is drawn once, and the strip moves to it.

    The attribute `transform` is where the strip stays in a program that does not animate it."""
    x, y, width, height = place
    offsets, steps, last = {}, [], None
    for at, state in states:
        offset = offsets.setdefault(state, len(offsets) * height)
        if offset != last:
            steps.append(f"{100 * at / end:.2f}%{{transform:translateY({-offset}px)}}")
        last = offset
    css = f"@keyframes {name}{{{''.join(steps)}}}#{name}{{animation:{name} {end:.2f}s step-end infinite}}"
    drawn = "".join(draw(state, offset) for state, offset in offsets.items())
    return css, (f'<svg x="{x}" y="{y}" width="{width}" height="{height}"><g id="{name}" '
                 f'transform="translate(0 {-offsets[still]})">{drawn}</g></svg>')


def draw_title(title, y):
    return f'<text x="{WIDTH / 2:g}" y="{y + 24}" text-anchor="middle" class="d">{escape(title)}</text>'


def draw_key(key, y):
    return key and (f'<rect x="1" y="{y + 1}" width="98" height="34" rx="7" fill="#373e47" stroke="{FAINT}"/>'
                    f'<text x="50" y="{y + 23}" text-anchor="middle" font-weight="bold">{key}</text>')


def draw(frames, end, still):
    # The loop begins with the last second of the pause, so that a program that shows only the beginning shows results.
    lead = 1.0
    end += lead
    frames = [(0.0, frames[-1][1])] + [(at + lead, picture) for at, picture in frames]
    layers = [("t", (0, 0, WIDTH, TITLE), draw_title, lambda picture: picture[0]),
              ("k", (WIDTH - MARGIN - 100, HEIGHT - MARGIN - 36, 100, 36), draw_key, lambda picture: picture[1])]
    for row in range(ROWS):
        place = (MARGIN, TITLE + MARGIN + row * LINE, WIDTH - MARGIN, LINE)
        layers.append((f"r{row}", place, draw_line, lambda picture, row=row: picture[2][row]))
    css, shapes = zip(*(strip(name, place, [(at, part(picture)) for at, picture in frames], part(still), end, draw)
                        for name, place, draw, part in layers))
    colors = "".join(f".c{code}{{fill:{color}}}" for code, color in COLORS.items())
    dots = "".join(f'<circle cx="{22 + 20 * n}" cy="{TITLE / 2:g}" r="6" fill="{EDGE}"/>' for n in range(3))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' fill="{PLAIN}" font-size="14"'
        ' font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,Liberation Mono,monospace">',
        "<title>progrun in a terminal: bars for rsync and make, Ctrl-C with clean-up, and a list of commands</title>",
        f"<style>{colors}.d{{fill:{FAINT}}}",
        f"@media (prefers-reduced-motion:no-preference){{{''.join(css)}}}</style>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10" fill="{BACKGROUND}" stroke="{EDGE}"/>',
        f'<path d="M1 {TITLE}.5H{WIDTH - 1}" stroke="{EDGE}"/>{dots}',
        *shapes, "</svg>", ""])


def main():
    progrun = pathlib.Path(os.environ.get("PROGRUN", here.parent / "target/release/progrun")).resolve()
    for tool in ("tmux", "rsync", "make", "cc", progrun):
        if not shutil.which(tool):
            raise SystemExit(f"recording.py: {tool} is missing; the script needs tmux, rsync, make, cc and a release build")
    with tempfile.TemporaryDirectory() as room:
        room = pathlib.Path(room)
        make_files(room, progrun)
        frames, end, still = record(room)
    svg = draw(frames, end, still)
    (here / "recording.svg").write_text(svg)
    print(f"docs/recording.svg: {end:.0f} s, {len(frames)} frames, {len(svg.encode()) // 1000} kB")


if __name__ == "__main__":
    main()
