"""concurrent.futures: the exception of a cancelled task comes out of its future.

    progrun -- python3 futures.py [STEPS]
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from progrun import part, track

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def work(name: str) -> str:
    with part(name, total=steps) as progress:
        for step in range(steps):
            progress.report(step + 1)
            time.sleep(0.01)
    return name


names = ["alpha", "beta", "gamma", "delta"]
with ThreadPoolExecutor(max_workers=2) as pool:
    futures = [pool.submit(work, name) for name in names]
    # The block ends when every task has met its next report.
    finished = [future.result() for future in track(as_completed(futures), "tasks", len(futures))]
print("done:", *sorted(finished))
