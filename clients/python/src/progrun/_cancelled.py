"""The exception of a cancelled command."""

from __future__ import annotations

from ._quiet import silence


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
    silence(ProgressCancelled)
    return ProgressCancelled("cancelled by progrun")
