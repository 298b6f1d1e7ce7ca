"""Processes, with each start method: fork, spawn and forkserver.

    progrun -- python3 processes.py fork|spawn|forkserver [STEPS]

The processes of spawn and forkserver do not inherit the channel. Their reports go to the socket of the run.
With multiprocessing.Pool, let only the main process report, as in `for result in track(pool.imap(work, names))`: a Pool
waits forever for a task that ends with an exception which is not an `Exception`.
"""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from progrun import part, track


def work(name: str, steps: int) -> str:
    with part(name, total=steps) as progress:
        for step in range(steps):
            progress.report(step + 1)
            time.sleep(0.01)
    return name


def main() -> None:
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    names = ["alpha", "beta", "gamma", "delta"]
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        futures = [pool.submit(work, name, steps) for name in names]
        finished = [future.result() for future in track(as_completed(futures), "tasks", len(futures))]
    print("done:", *sorted(finished))


if __name__ == "__main__":
    main()
