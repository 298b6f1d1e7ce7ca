"""CPU time of a task in a run of many, of the whole tree of processes, in microseconds: with 2 at once, with 256 at once,
and with 2 at once by xargs. The smallest of five, in turns.

    many.py PROGRAM TASKS     PROGRAM is the example many-tasks
"""

import os
import subprocess
import sys
import tempfile

program, tasks = sys.argv[1], int(sys.argv[2])


def cpu(command, given=b""):
    """The CPU time of a command and of all that it waited for, for each task."""
    before = os.times()
    run = subprocess.run(command, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert run.returncode == 0, command
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used / tasks * 1e6


with tempfile.TemporaryDirectory() as folder:
    events = os.path.join(folder, "events")
    lines = b"x\n" * tasks
    commands = [
        ([program, "2", str(tasks), events, "true"], b""),
        ([program, "256", str(tasks), events, "true"], b""),
        (["xargs", "-P2", "-n1", "true"], lines),
    ]
    rounds = [[cpu(*command) for command in commands] for _ in range(5)]
print(*(round(min(column)) for column in zip(*rounds)))
