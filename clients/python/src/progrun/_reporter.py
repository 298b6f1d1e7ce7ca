"""Reports: of the command as a whole, or of one part of it."""

from __future__ import annotations

from typing import Literal, overload

from . import _delivery
from ._line import Id, Number, line

Status = Literal["ok", "failed", "skipped", "cancelled"]
"""How a part has ended."""


@overload
def report(
    message: str,
    /,
    *,
    unit: str | None = None,
    percentage: Number | None = None,
    eta: Number | None = None,
    id: Id | None = None,
    parent: Id | None = None,
    title: str | None = None,
    status: Status | None = None,
) -> None: ...


@overload
def report(
    progress: Number | None = None,
    total: Number | None = None,
    message: str | None = None,
    *,
    unit: str | None = None,
    percentage: Number | None = None,
    eta: Number | None = None,
    id: Id | None = None,
    parent: Id | None = None,
    title: str | None = None,
    status: Status | None = None,
) -> None: ...


def report(
    progress: Number | str | None = None,
    total: Number | None = None,
    message: str | None = None,
    *,
    unit: str | None = None,
    percentage: Number | None = None,
    eta: Number | None = None,
    id: Id | None = None,
    parent: Id | None = None,
    title: str | None = None,
    status: Status | None = None,
) -> None:
    """Reports, and raises `ProgressCancelled` before it sends anything if the command is cancelled.

    ``report(3, 10, "a.jpg")`` is 3 of 10; ``report("reading the list")`` only says what happens. What a report leaves
    out keeps its value, and an empty message removes the last one. `report()` alone asks whether to go on.

    - `total`: how much there is to do; 0 if that is not known (any more).
    - `unit`: ``"bytes"`` is shown as KiB, MiB and so on; any other word as it is.
    - `percentage`: 0 to 100, instead of `progress`.
    - `eta`: the script's own estimate of the time left, in seconds.
    - `id`: the part that this is about, with a bar of its own. A new one begins a part. `part()` is easier.
    - `parent`: the part that contains this part.
    - `title`: the label of the bar.
    - `status`: the part has ended, in this way.

    Any thread may report. Without progrun, this does nothing.
    """
    _report(progress, total, message, unit, percentage, eta, id, parent, title, status)


class ProgressReporter:
    """Reports about the command as a whole or, with an `id`, about a part of it.

    It has no state that changes: any number of threads may use it, and it can be sent to other processes.
    """

    def __init__(self, id: Id | None = None, *, parent: Id | None = None) -> None:
        self.id = id
        self.parent = parent

    @overload
    def report(
        self,
        message: str,
        /,
        *,
        unit: str | None = None,
        percentage: Number | None = None,
        eta: Number | None = None,
        title: str | None = None,
        status: Status | None = None,
    ) -> None: ...

    @overload
    def report(
        self,
        progress: Number | None = None,
        total: Number | None = None,
        message: str | None = None,
        *,
        unit: str | None = None,
        percentage: Number | None = None,
        eta: Number | None = None,
        title: str | None = None,
        status: Status | None = None,
    ) -> None: ...

    def report(
        self,
        progress: Number | str | None = None,
        total: Number | None = None,
        message: str | None = None,
        *,
        unit: str | None = None,
        percentage: Number | None = None,
        eta: Number | None = None,
        title: str | None = None,
        status: Status | None = None,
    ) -> None:
        """Reports, and raises `ProgressCancelled` before it sends anything if the command is cancelled.

        The arguments are those of `progrun.report`.
        """
        _report(progress, total, message, unit, percentage, eta, self.id, self.parent, title, status)

    def __repr__(self) -> str:
        return f"ProgressReporter({self.id!r}, parent={self.parent!r})"


def _report(
    progress: Number | str | None,
    total: Number | None,
    message: str | None,
    unit: str | None,
    percentage: Number | None,
    eta: Number | None,
    id: Id | None,
    parent: Id | None,
    title: str | None,
    status: Status | None,
) -> None:
    # All arguments by position, here and below: with names, each call takes a third of a microsecond more.
    if not _delivery.ask():
        return
    if isinstance(progress, str):
        progress, message = None, progress
    _delivery.send(line(progress, total, message, unit, percentage, eta, id, parent, title, status))
