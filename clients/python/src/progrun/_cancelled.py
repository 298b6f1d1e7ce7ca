"""The exception of a cancelled command."""

from __future__ import annotations

import threading


class ProgressCancelled(KeyboardInterrupt, SystemExit):
    """The command is to stop. Raised by every report after the request.

    It is not an `Exception`: ``except Exception`` around one step of a loop must not swallow the request. It is a
    `KeyboardInterrupt`, so that code which cleans up after Ctrl-C does the same here, and asyncio stops the whole loop
    instead of one task. It is a `SystemExit`, so that a script which does not catch it ends with status 130 and without
    a traceback.
    """

    code: int = 130


def cancelled() -> ProgressCancelled:
    """The exception, for the caller to raise."""
    if threading.current_thread() is not threading.main_thread():
        _end_threads_quietly()
    return ProgressCancelled("cancelled by progrun")


_is_quiet = False


def _end_threads_quietly() -> None:
    """Keeps `threading` from printing a traceback: it is silent about `SystemExit` itself, not about its subclasses."""
    global _is_quiet
    if _is_quiet:
        return
    _is_quiet = True
    print_traceback = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not issubclass(arguments.exc_type, ProgressCancelled):
            print_traceback(arguments)

    threading.excepthook = hook
