"""The library that progrun's is modelled on, doing what benches/library.rs does: traits-futures, on threads.

Prints two numbers: reports per second through executor and future, and seconds from a submit to its done.
"""

import asyncio
import statistics
import time

from traits.api import HasStrictTraits, Instance, Int
from traits_futures.api import (
    AsyncioEventLoop,
    MultithreadingContext,
    ProgressFuture,
    TraitsExecutor,
    submit_call,
    submit_progress,
)

REPORTS = 100_000
SUBMITS = 2_000


def count(reports, progress):
    for number in range(reports):
        progress(number)


class Watcher(HasStrictTraits):
    """Counts the progress of a future, as the observer in benches/library.rs does."""

    future = Instance(ProgressFuture)
    seen = Int()

    def attach(self, future):
        self.seen = 0
        self.future = future
        future.observe(self.notice, "progress")

    def notice(self, event):
        self.seen += 1


async def done(future):
    """Returns when the future is done, woken by its own notification."""
    over = asyncio.get_running_loop().create_future()
    future.observe(lambda event: over.set_result(None), "done")
    await over


async def main():
    context = MultithreadingContext()
    executor = TraitsExecutor(
        context=context, event_loop=AsyncioEventLoop(), max_workers=1
    )
    watcher = Watcher()
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        future = submit_progress(executor, count, REPORTS)
        watcher.attach(future)
        await done(future)
        rates.append(REPORTS / (time.perf_counter() - start))
        assert watcher.seen == REPORTS
    times = []
    for _ in range(SUBMITS):
        start = time.perf_counter()
        await done(submit_call(executor, int))
        times.append(time.perf_counter() - start)
    executor.shutdown(timeout=10)
    context.close()
    print(statistics.median(rates), statistics.median(times))


asyncio.run(main())
