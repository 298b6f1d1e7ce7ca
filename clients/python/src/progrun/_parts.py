"""Parts of the work that have bars of their own, and which part contains which."""

from __future__ import annotations

import contextlib
import itertools
import os
from contextvars import ContextVar
from typing import Iterator

from ._cancelled import ProgressCancelled
from ._line import Id, Number
from ._reporter import ProgressReporter, Status

current: ContextVar[Id | None] = ContextVar("progrun.part", default=None)
"""The part in which the caller works, if it is in one. A part that begins here belongs to it."""

_numbers = itertools.count(1)


def new_id() -> str:
    """An ID that no other process of the run gives away."""
    return f"{os.getpid()}.{next(_numbers)}"


@contextlib.contextmanager
def part(
    title: str,
    total: Number | None = None,
    *,
    unit: str | None = None,
    id: Id | None = None,
    parent: Id | None = None,
) -> Iterator[ProgressReporter]:
    """A part of the work, with a bar of its own, from the beginning of the block to its end.

        with part("photos", total=2) as step:
            step.report(1, message="scaling")

    A part or a `track()` loop inside the block belongs to this part. A new thread or process does not know in which
    part it was started: give it `step.id` as the `parent`.

    At the end of the block the part is *ok*; *failed* if an `Exception` leaves the block; *cancelled* if any other
    exception does, such as `ProgressCancelled`, `KeyboardInterrupt` or `asyncio.CancelledError`.
    """
    if id is None:
        id = new_id()
    if parent is None:
        parent = current.get()
    reporter = ProgressReporter(id, parent=parent)
    reporter.report(total=total, title=title, unit=unit)
    outer = current.get()
    current.set(id)
    try:
        yield reporter
    except BaseException as error:
        # The exception of the block is the one that counts.
        with contextlib.suppress(ProgressCancelled):
            reporter.report(status=status_after(error))
        raise
    else:
        reporter.report(status="ok")
    finally:
        current.set(outer)


def status_after(error: BaseException) -> Status:
    """How a part has ended that this exception has left."""
    return "failed" if isinstance(error, Exception) else "cancelled"
