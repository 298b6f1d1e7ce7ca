"""What the two ways to progrun, the channel and the socket, have in common."""

from __future__ import annotations

import select
import threading


class Gone(Exception):
    """This way does not lead to progrun, or not any more."""


class Asker(threading.local):
    """Asks a descriptor, without writing, whether its other end is closed.

    A poll object must not be used by two threads at once. With one for each thread there is no lock, which a forked
    child could inherit locked.
    """

    def __init__(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, 0)
        self._poll = poll.poll

    def is_closed(self) -> bool:
        """Whether the other end is closed.

        Raises `Gone` if it is the descriptor itself that was closed, as programs do that become daemons.
        """
        found = self._poll(0)
        if not found:
            return False
        if found[0][1] & select.POLLNVAL:
            raise Gone
        return True
