"""Threads: each reports about a part of its own.

    progrun -- python3 threads.py [STEPS]
"""

import sys
import threading
import time

from progrun import part, report

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20
done: list[str] = []


def work(name: str) -> None:
    # After Ctrl-C, each thread ends at its own next report.
    with part(name, total=steps) as progress:
        for step in range(steps):
            progress.report(step)
            time.sleep(0.01)
        progress.report(steps)
    done.append(name)


threads = [threading.Thread(target=work, args=[name]) for name in ("north", "south", "west")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
# An exception of a thread does not reach the main thread. This report ends it.
report(len(done), len(threads))
print("done:", *sorted(done))
