"""`track()`: the progress of a loop, with the interface of tqdm."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from types import TracebackType
from typing import Any, Generic, Iterable, Iterator, Mapping, NoReturn, Sized, TypeVar, cast, overload

from . import _delivery
from ._cancelled import ProgressCancelled
from ._line import Number
from ._parts import current, new_id, status_after
from ._reporter import ProgressReporter, Status

T = TypeVar("T")

# How long a loop goes on until it reports again, in seconds: progrun draws no more often.
_INTERVAL = 0.05

# What else tqdm takes. It concerns the look of a bar on a terminal, which is progrun's affair.
_OPTIONS_OF_TQDM = frozenset(
    "ascii bar_format colour delay dynamic_ncols file gui leave lock_args maxinterval mininterval miniters ncols nrows "
    "position smoothing unit_divisor write_bytes".split()
)

# Words of tqdm, in those of progrun. "it" is what tqdm says if there is no unit.
_UNITS = {"it": "", "B": "bytes", "byte": "bytes"}

# The bar of the command itself belongs to one loop at a time.
_command_bar = threading.Lock()


class track(Generic[T]):  # In lower case, as in tqdm: it is used like a function.
    """Goes through an iterable and reports how far it is. Works in place of `tqdm.tqdm`.

        for name in track(names, "photos"):
            convert(name)

        with track(total=size, unit="bytes") as bar:
            while chunk := source.read(65536):
                target.write(chunk)
                bar.update(len(chunk))

    The first loop of the main thread is shown by the bar of the command. Loops that begin while it runs, also in other
    threads and processes, have bars of their own below it. A loop inside a `part()`, or inside a loop of that part,
    belongs to it.

    A loop reports at its beginning, at its end, and at most 20 times a second between. Each of these reports raises
    `ProgressCancelled` if the command is cancelled. Without progrun, nothing is shown.

    - `iterable`: what to go through. Without it, call `update()`.
    - `desc`: the label of the bar.
    - `total`: how many items there are; by default the length of the iterable, if it has one.
    - `unit`: what is counted. ``"B"`` and ``"bytes"`` are shown as KiB, MiB and so on.
    - `unit_scale`: a number by which the count and the total are multiplied. True and False mean nothing.
    - `initial`: how much is done already.
    - `postfix`: as for `set_postfix()`.
    - `disable`: reports nothing, and does not cancel.

    All other options of tqdm are accepted and mean nothing.
    """

    @overload
    def __init__(
        self,
        iterable: Iterable[T],
        desc: str | None = None,
        total: Number | None = None,
        *,
        unit: str = "it",
        unit_scale: bool | Number = False,
        initial: Number = 0,
        postfix: Mapping[str, object] | str | None = None,
        disable: bool | None = False,
        **options_of_tqdm: object,
    ) -> None: ...

    @overload
    def __init__(
        self: track[NoReturn],
        iterable: None = None,
        desc: str | None = None,
        total: Number | None = None,
        *,
        unit: str = "it",
        unit_scale: bool | Number = False,
        initial: Number = 0,
        postfix: Mapping[str, object] | str | None = None,
        disable: bool | None = False,
        **options_of_tqdm: object,
    ) -> None: ...

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        desc: str | None = None,
        total: Number | None = None,
        *,
        unit: str = "it",
        unit_scale: bool | Number = False,
        initial: Number = 0,
        postfix: Mapping[str, object] | str | None = None,
        disable: bool | None = False,
        **options_of_tqdm: object,
    ) -> None:
        for option in options_of_tqdm:
            if option not in _OPTIONS_OF_TQDM:
                raise TypeError(f"track() got an unexpected keyword argument {option!r}")
        if total is None:
            total = _length(iterable)
        self.iterable = iterable
        self.desc = desc
        self.total = None if total is None or math.isinf(total) else total
        self.n: Number = initial
        self.unit = _UNITS.get(unit, unit)
        self.disable = bool(disable)
        self._scale: Number = 1 if isinstance(unit_scale, bool) else unit_scale
        self._message = _postfix(postfix or {})
        self._lock = threading.Lock()
        self._has_begun = False
        self._reporter: ProgressReporter | None = None
        self._due = 0.0
        if iterable is None:
            self._begin()

    def __iter__(self) -> Iterator[T]:
        if self.iterable is None:
            raise TypeError("track() without an iterable cannot be iterated over; call update()")
        self._begin()
        clock = time.monotonic
        try:
            for item in self.iterable:
                yield item
                self.n += 1
                if clock() >= self._due:
                    self.refresh()
        except GeneratorExit:
            # The loop was left by `break`, or by an exception, which a generator is not told.
            with contextlib.suppress(ProgressCancelled):
                self._end("ok")
            raise
        except BaseException as error:
            self._fail(error)
            raise
        self._end("ok")

    def __enter__(self) -> track[T]:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end("ok")
        else:
            self._fail(error)

    def __len__(self) -> int:
        length = _length(self.iterable) if self.total is None else self.total
        if length is None:
            raise TypeError("the length of what track() goes through is not known")
        return int(length)

    def __bool__(self) -> bool:
        return True

    def update(self, n: Number = 1) -> None:
        """Counts `n` more. Any thread may call it."""
        with self._lock:
            self.n += n
        if time.monotonic() >= self._due:
            self.refresh()

    def refresh(self) -> None:
        """Reports now."""
        self._due = time.monotonic() + _INTERVAL
        self._report()

    def reset(self, total: Number | None = None) -> None:
        """Starts again at 0, with another total if one is given."""
        self.n = 0
        if total is not None:
            self.total = total
        self.refresh()

    def set_description(self, desc: str | None = None, refresh: bool = True) -> None:
        """Changes the label of the bar."""
        self.desc = desc or ""
        self._report_texts(refresh)

    # A report brings both texts, whatever they are set by.
    set_description_str = set_description

    def display(self, *_: object, **__: object) -> None:
        """Reports now."""
        self.refresh()

    def clear(self, *_: object, **__: object) -> None:
        """Does nothing: progrun clears its bars by itself."""

    def unpause(self) -> None:
        """Does nothing: progrun sees when a loop stands still."""

    def set_postfix(
        self, ordered_dict: Mapping[str, object] | None = None, refresh: bool = True, **values: object
    ) -> None:
        """Shows values beside the bar, such as ``loss=0.8``."""
        self._message = _postfix({**(ordered_dict or {}), **values})
        self._report_texts(refresh)

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Shows a text beside the bar."""
        self._message = s
        self._report_texts(refresh)

    def close(self) -> None:
        """Ends the bar. A loop over an iterable does so by itself."""
        self._end("ok")

    @staticmethod
    def write(s: str, file: Any = None, end: str = "\n", nolock: bool = False) -> None:
        """Prints a text. With progrun, a plain `print` does not disturb the bars either."""
        print(s, file=file, end=end, flush=True)

    def _begin(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        # Without progrun, the loop only counts: nothing is ever due.
        self._due = math.inf
        if self.disable or not _delivery.ask():
            return
        self._outer = current.get()
        self._is_the_command = self._outer is None and _is_free_for_a_loop()
        if self._is_the_command:
            self._reporter = ProgressReporter()
        else:
            self._reporter = ProgressReporter(new_id(), parent=self._outer)
            current.set(self._reporter.id)
        try:
            self._due = time.monotonic() + _INTERVAL
            # Empty texts, too: the bar of the command may still show those of an earlier loop. A part without a title
            # would be called by its ID; the command has a name.
            title = self.desc or (None if self._is_the_command else "loop")
            self._reporter.report(
                self.n * self._scale, self._scaled_total(), self._message, unit=self.unit, title=title
            )
        except BaseException:
            self._leave()
            raise

    def _report(self, **fields: Any) -> None:
        if self._reporter is not None:
            self._reporter.report(self.n * self._scale, self._scaled_total(), **fields)

    def _report_texts(self, refresh: bool) -> None:
        if refresh:
            self._report(message=self._message, title=self.desc)

    def _scaled_total(self) -> Number:
        # 0: not known.
        return 0 if self.total is None else self.total * self._scale

    def _end(self, status: Status) -> None:
        """Reports the end, once."""
        reporter = self._leave()
        if reporter is None:
            return
        reporter.report(
            self.n * self._scale,
            self._scaled_total(),
            status=None if self._is_the_command else status,
        )

    def _fail(self, error: BaseException) -> None:
        # The exception is the one that counts.
        with contextlib.suppress(ProgressCancelled):
            self._end(status_after(error))

    def _leave(self) -> ProgressReporter | None:
        """Makes the place free for other loops. Gives the reporter, unless the loop was left already."""
        with self._lock:
            reporter, self._reporter = self._reporter, None
        self._due = math.inf
        if reporter is None:
            return None
        if self._is_the_command:
            _command_bar.release()
        elif current.get() == reporter.id:
            current.set(self._outer)
        return reporter


def trange(*bounds: int, **options: Any) -> track[int]:
    """`track(range(...))`, as in tqdm."""
    return track(range(*bounds), **options)


def _is_free_for_a_loop() -> bool:
    """Takes the bar of the command, if it is free and this is the place for it."""
    return (
        _delivery.is_of_the_command()
        and threading.current_thread() is threading.main_thread()
        and _command_bar.acquire(blocking=False)
    )


def _length(iterable: Iterable[Any] | None) -> int | None:
    try:
        return len(cast(Sized, iterable))
    except (TypeError, AttributeError):
        # Some iterables, such as a DataLoader of PyTorch, have a length only sometimes.
        return None


def _postfix(values: Mapping[str, object] | str) -> str:
    if isinstance(values, str):
        return values

    def shown(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value).strip()

    return ", ".join(f"{name}={shown(value)}" for name, value in values.items())
