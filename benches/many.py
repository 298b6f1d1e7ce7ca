"""What a run of many tasks costs, beside its peers. Each part prints its figures on one line.

    many.py PROGRUN RUST_PARALLEL PART

Processor time is that of the whole tree of processes, in microseconds for each task: the median of rounds in which all
commands take their turns. Figures that are compared come from the same rounds.
"""

import fcntl
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

progrun, rust_parallel, part = sys.argv[1:4]
folder = tempfile.mkdtemp()
TASKS = 2000
TRUE = "/bin/true"


def path(name):
    return os.path.join(folder, name)


def drain(descriptor):
    while True:
        try:
            if not os.read(descriptor, 1 << 16):
                return
        except OSError:
            return


def measure(command, given=b"", on_terminal=False):
    """Processor time and time of a command, in seconds."""
    before, begun = os.times(), time.monotonic()
    if on_terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=slave, stderr=slave)
        os.close(slave)
        threading.Thread(target=drain, args=[master], daemon=True).start()
        run.communicate(given)
    else:
        run = subprocess.run(command, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert run.returncode == 0, command
    after, ended = os.times(), time.monotonic()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, ended - begun


def rounds(count, runs):
    """The medians of both figures of each run, in turns."""
    figures = [[run() for run in runs] for _ in range(count)]
    return [[statistics.median(one) for one in zip(*column)] for column in zip(*figures)]


def each(*options):
    return [progrun, "each", *options, "--", TRUE]


def makefile(lines, flags=()):
    with open(path("makefile"), "w") as file:
        file.write(lines)
    return ["make", "-s", *flags, "-f", path("makefile")]


VALUES = b"x\n" * TASKS


def with_job_log(*options):
    def run():
        if os.path.exists(path("log")):
            os.remove(path("log"))
        return measure(each("--job-log", path("log"), *options), VALUES, on_terminal=True)

    return run


def tasks_of_make(jobs):
    names = " ".join(f"t{number}" for number in range(TASKS))
    return makefile(f"all: {names}\n{names}:\n\t@{TRUE} $@\n.PHONY: all {names}\n", [f"-j{jobs}"])


def short_tasks():
    """xargs, make, rust-parallel, parallel from moreutils, GNU parallel (a tenth of the tasks); then progrun with bars
    and job log, with bars alone, quietly; each with its processor time for a task and its tasks a second."""
    make = tasks_of_make(2)
    gnu = ["parallel", "-j2", TRUE]
    few = b"x\n" * (TASKS // 10)
    moreutils = ["parallel.moreutils", "-j", "2", TRUE, "--", *["x"] * TASKS]
    found = rounds(
        7,
        [
            lambda: measure(["xargs", "-P2", "-n1", TRUE], VALUES),
            lambda: measure(make),
            lambda: measure([rust_parallel, "-j2", TRUE], VALUES),
            lambda: measure(moreutils),
            with_job_log("-j2"),
            lambda: measure(each("-j2"), VALUES, on_terminal=True),
            lambda: measure(each("-q", "-j2"), VALUES),
        ],
    )
    [[used, took]] = rounds(1, [lambda: measure(gnu, few)])
    figures = [(used / TASKS, TASKS / took) for used, took in found]
    figures.insert(4, (used / len(few) * 2, len(few) / 2 / took))
    return [f"{used * 1e6:.0f} {rate:.0f}" for used, rate in figures]


def many_slots():
    """Processor time for a task with 2, 64 and 256 slots."""
    found = rounds(5, [lambda jobs=jobs: measure(each("-q", f"-j{jobs}"), VALUES) for jobs in (2, 64, 256)])
    return [f"{used / TASKS * 1e6:.0f}" for used, _ in found]


def turn_around():
    """From the end of a task to the first instruction of the next, with one slot, in microseconds: progrun, make."""
    make = makefile("all: " + " ".join(f"t{n}" for n in range(500)) + "\nt%:\n\t@" + TRUE + " $@\n", ["-j1"])
    values = b"x\n" * 500
    found = rounds(5, [lambda: measure(each("-q", "-j1"), values), lambda: measure(make)])
    return [f"{took / 500 * 1e6:.0f}" for _, took in found]


def peak(command):
    """The peak of resident memory of a command in KiB, without that of its children."""
    code = (
        "import os,sys\n"
        "pid=os.fork()\n"
        "if pid==0: os.execv(sys.argv[1],sys.argv[1:])\n"
        "high=0\n"
        "import time\n"
        "while True:\n"
        "    done,_=os.waitpid(pid,os.WNOHANG)\n"
        "    if done: break\n"
        "    try:\n"
        "        for line in open(f'/proc/{pid}/status'):\n"
        "            if line.startswith('VmHWM'): high=int(line.split()[1])\n"
        "    except OSError: pass\n"
        "    time.sleep(0.02)\n"
        "print(high,file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return int(run.stderr.split()[-1])


def million():
    """With a million values from a file: milliseconds to the first task, KiB while they run; KiB with 256 slots; KiB to
    resume a million that are done."""
    with open(path("million"), "w") as file:
        file.writelines(f"{number}\n" for number in range(1_000_000))
    script = f"date +%s%N >>{path('first')}; kill -INT $PPID"
    firsts = []
    for _ in range(5):
        begun = time.time_ns()
        subprocess.run([progrun, "each", "-q", "-j1", "-a", path("million"), "--", "sh", "-c", script], stderr=subprocess.DEVNULL)
        with open(path("first")) as file:
            firsts.append(int(file.readline()) - begun)
        os.remove(path("first"))
    # So many tasks that the whole list would take an hour: the run is stopped after some.
    limited = ["--deadline", "6", "-a", path("million"), "--", TRUE]
    running = peak([progrun, "each", "-q", "-j2", *limited])
    wide = peak([progrun, "each", "-q", "-j256", *limited])
    with open(path("log"), "w") as file:
        file.write(
            '{"event":"run","task":0,"elapsed":0.0,"time":"2026-01-01T00:00:00.000Z","version":1,"name":"true",'
            '"jobs":2,"total":1000000,"total_final":true,"command":["%s"],"boot_id":"%s","pid":1}\n'
            % (TRUE, open("/proc/sys/kernel/random/boot_id").read().strip())
        )
        for number in range(1_000_000):
            # A thousand tasks a second.
            stamp = time.strftime("2026-01-01T%H:%M:%S", time.gmtime(number // 1000)) + f".{number % 1000:03}Z"
            file.write(
                '{"event":"started","task":%d,"elapsed":0.1,"slot":1,"attempt":1,"input":["%d"],"time":"%s",'
                '"name":"%d","command":["%s","%d"],"pid":2}\n'
                '{"event":"finished","task":%d,"elapsed":0.1,"slot":1,"attempt":1,"state":"completed","exit_status":0,"signal":null,'
                '"user_time":0.0,"system_time":0.0,"max_rss":0,"reports":0,"malformed":0,"time":"%s"}\n'
                % (number + 1, number, stamp, number, TRUE, number, number + 1, stamp)
            )
    resumed = peak([progrun, "each", "-q", "--job-log", path("log"), "--resume", "-a", path("million"), "--", TRUE])
    return [f"{statistics.median(firsts) / 1e6:.1f}", str(running), str(wide), str(resumed)]


def output():
    """Megabytes a second of 4 tasks of 32 MiB of lines: grouped, by lines with tags, make -Otarget, sed, xargs mixed."""
    with open(path("text"), "w") as file:
        file.writelines(f"{number:7} the quick brown fox jumps over the lazy dog, 0123456789\n" for number in range(32 * 1024 * 1024 // 64))
    size = os.path.getsize(path("text"))
    values = b"1\n2\n3\n4\n"
    cat = ["--", "cat", path("text")]
    make = makefile("all: a b c d\na b c d:\n\t@cat " + path("text") + "\n", ["-j2", "-Otarget"])

    def run(command):
        def once():
            begun = time.monotonic()
            line = " ".join(command) + " | cat >/dev/null"
            subprocess.run(["sh", "-c", line], input=values, stderr=subprocess.DEVNULL, check=True)
            return 0, time.monotonic() - begun

        return once

    found = rounds(
        5,
        [
            run([progrun, "each", "-q", "-j2", "--stdin", "/dev/null", "-N1", *cat]),
            run([progrun, "each", "-q", "-j2", "--output", "lines", "--tag", "--stdin", "/dev/null", "-N1", *cat]),
            run(make),
            run(["cat", *[path("text")] * 4, "|", "sed", "'s/^/x\\t/'"]),
            run(["xargs", "-P2", "-n1", "sh", "-c", f"'cat {path('text')}'"]),
        ],
    )
    return [f"{4 * size / took / 1e6:.0f}" for _, took in found]


# Reports, tells that it is ready, and tells the time at which its channel is closed.
CHILD = r"""
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
    int to = atoi(words[1]);
    struct pollfd channel = {3, 0, 0};
    struct timespec now;
    write(3, "1%\n", 3);
    write(to, "r", 1);
    poll(&channel, 1, -1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    long stamp = now.tv_sec * 1000000000L + now.tv_nsec;
    write(to, &stamp, 8);
    sleep(1); // Tidies up: the ends of others take no processor from those that are not told yet.
    return 0;
}
"""


def ctrl_c():
    """Milliseconds from a SIGINT to the last of 256 channels closed, and the percentage of a processor that 256 silent
    tasks cost with bars."""
    child = path("child")
    with open(child + ".c", "w") as file:
        file.write(CHILD)
    subprocess.run(["cc", "-O1", "-o", child, child + ".c"], check=True)
    lates = []
    for _ in range(8):
        read, write = os.pipe()
        run = subprocess.Popen(
            [progrun, "each", "-q", "-j256", "--", child, str(write)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[write],
        )
        run.stdin.write(b"1\n" * 256)
        run.stdin.close()
        ready = b""
        while len(ready) < 256:
            ready += os.read(read, 256)
        os.close(write)
        time.sleep(0.2)
        sent = time.monotonic_ns()
        run.send_signal(signal.SIGINT)
        data = b""
        while len(data) < 256 * 8:
            data += os.read(read, 4096)
        stamps = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
        lates.append((max(stamps) - sent) / 1e6)
        run.wait()
        os.close(read)
    lates.sort()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    run = subprocess.Popen([progrun, "each", "-j256", "--", "sleep", "1000"], stdin=subprocess.PIPE, stdout=slave, stderr=slave)
    os.close(slave)
    threading.Thread(target=drain, args=[master], daemon=True).start()
    run.stdin.write(b"1\n" * 256)
    run.stdin.close()
    time.sleep(3)

    def used():
        with open(f"/proc/{run.pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(20)
    share = (used() - before) / 20 * 100
    run.send_signal(signal.SIGTERM)
    run.wait()
    return [f"{lates[len(lates) // 2]:.1f}", f"{lates[-1]:.1f}", f"{share:.2f}"]


parts = {
    "short": short_tasks,
    "slots": many_slots,
    "turn": turn_around,
    "million": million,
    "output": output,
    "stop": ctrl_c,
}
print(*parts[part]())
subprocess.run(["rm", "-rf", folder], check=True)
