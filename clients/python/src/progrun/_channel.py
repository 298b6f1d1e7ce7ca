"""The channel: the pipe that progrun has opened for the command."""

from __future__ import annotations

import fcntl
import os
import select
import stat

from ._cancelled import cancelled
from ._ways import Asker, Gone

# The copy of the channel gets a number from here on. If the program closes all that it has inherited, the files that it
# opens next do not get that number, and no report ends up in them.
_FIRST_NUMBER = 200


class Channel:
    """Writes lines to the channel."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._asker = Asker(descriptor)

    def ask(self) -> None:
        """Raises `ProgressCancelled` if the command is cancelled, and `Gone` if the channel was closed."""
        if self._asker.is_closed():
            raise cancelled()

    def send(self, line: bytes) -> None:
        """Writes a line, waiting for room if progrun is slow: nothing is lost. Raises the same as `ask`."""
        while True:
            try:
                written = os.write(self._descriptor, line)
                if written == len(line):
                    return
                # Only of a line that is longer than what a pipe takes in one piece.
                line = line[written:]
            except BlockingIOError:
                # Another process that shares the channel, such as node, has made it non-blocking.
                self._wait_for_room()
            except BrokenPipeError:
                raise cancelled() from None
            except OSError:
                raise Gone from None

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()


def find() -> Channel | None:
    """The channel of this process, or None.

    A number in the environment is no proof: subprocess, npm, ``sudo -E`` and others close the descriptor but keep the
    variable, and the next file that is opened gets the number. So it has to be a pipe, and the very pipe that the
    environment names.
    """
    try:
        descriptor = int(os.environ["PROGRUN_FD"])
        info = os.fstat(descriptor)
        identity = f"{info.st_dev}:{info.st_ino}"
        if not stat.S_ISFIFO(info.st_mode) or identity != os.environ["PROGRUN_FD_ID"]:
            return None
        return Channel(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_NUMBER))
    except (KeyError, ValueError, OverflowError, OSError):
        return None
