"""What a report costs beyond the write itself, and what a loop costs.

    python3 benches/cost.py

The process reads its own channel between the measurements. With another process as the reader, most of the time of a
write would be the time that the kernel takes to wake that process.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Callable, Iterable

CALLS = 400
ROUNDS = 500
LOOP = 1_000_000

reading, writing = os.pipe()
info = os.fstat(writing)
os.environ["PROGRUN_FD"] = str(writing)
os.environ["PROGRUN_FD_ID"] = f"{info.st_dev}:{info.st_ino}"
os.set_blocking(reading, False)

import progrun  # noqa: E402  (it looks for the channel when it is imported)


def drain() -> None:
    try:
        while os.read(reading, 65536):
            pass
    except BlockingIOError:
        pass


def microseconds(call: Callable[[], object]) -> float:
    """The best of many rounds, for one call."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, time.perf_counter() - begun)
        drain()
    return best / CALLS * 1e6


def nanoseconds(make: Callable[[range], Iterable[int]]) -> float:
    """The best of five loops, for one iteration."""
    best = float("inf")
    for _ in range(5):
        iterable = make(range(LOOP))
        begun = time.perf_counter()
        deque(iterable, maxlen=0)
        best = min(best, time.perf_counter() - begun)
        drain()
    return best / LOOP * 1e9


line = b'{"progress": 123, "total": 200000, "message": "photos/a.jpg"}\n'
write = microseconds(lambda: os.write(writing, line))
print(f"{'write':<30} {write:5.2f} us")
reports: list[tuple[str, Callable[[], object]]] = [
    ("a report", lambda: progrun.report(123, 200000, "photos/a.jpg")),
    ("a report of a part", lambda: progrun.ProgressReporter("a").report(123, 200000, "photos/a.jpg")),
]
for name, call in reports:
    print(f"{name + ', beyond it':<30} {microseconds(call) - write:5.2f} us")
bare = nanoseconds(lambda items: items)
print(f"{'track(), an iteration':<30} {nanoseconds(progrun.track) - bare:5.0f} ns")
