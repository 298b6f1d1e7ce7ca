"""Keeps Python from printing a traceback of a cancellation.

`threading` and `asyncio` are silent about `SystemExit` itself, but not about its subclasses. Nothing of theirs is
changed before the command is cancelled.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import LogRecord


def silence(kind: type[BaseException]) -> None:
    """Keeps an exception of this kind, which is about to be raised, from being printed by threads and by asyncio."""
    if threading.current_thread() is not threading.main_thread() and not isinstance(threading.excepthook, _Hook):
        threading.excepthook = _Hook(kind)
    if "asyncio" in sys.modules:
        import logging

        logger = logging.getLogger("asyncio")
        if not any(isinstance(filter, _Filter) for filter in logger.filters):
            logger.addFilter(_Filter(kind))


class _Hook:
    """For a thread that ends with the exception."""

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind
        self._otherwise = threading.excepthook

    def __call__(self, arguments: threading.ExceptHookArgs) -> None:
        if not issubclass(arguments.exc_type, self._kind):
            self._otherwise(arguments)


class _Filter:
    """For a task that ends with the exception after another one has stopped the loop.

    asyncio then logs that the exception "was never retrieved".
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind

    def filter(self, record: LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], self._kind))
