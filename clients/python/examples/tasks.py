"""asyncio: each task reports about a part of its own.

    progrun -- python3 tasks.py [STEPS]
"""

import asyncio
import sys

from progrun import part, track

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20


async def work(name: str) -> None:
    try:
        with part(name, total=steps) as progress:
            for step in range(steps):
                progress.report(step + 1)
                await asyncio.sleep(0.01)
    finally:
        print("left", name)


async def main() -> None:
    names = ["north", "south", "west"]
    with track(total=len(names), desc="tasks") as finished:

        async def count(name: str) -> None:
            await work(name)
            finished.update()

        # After Ctrl-C, the first task to report stops the loop, and asyncio.run() cancels the others.
        await asyncio.gather(*map(count, names))
    print("done")


asyncio.run(main())
