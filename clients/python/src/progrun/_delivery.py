"""Takes lines to progrun: by the channel, or else by the socket, or else nowhere. Does not know what a line means."""

from __future__ import annotations

import os
import sys
from typing import Union

from . import _channel, _socket
from ._ways import Gone

_Way = Union[_channel.Channel, _socket.Socket]


class _Delivery:
    def __init__(self) -> None:
        channel = _channel.find()
        self._way: _Way | None = channel or _socket.find()
        self._command = os.getpid() if channel else None

    def ask(self) -> bool:
        """Whether there is a progrun to report to. Raises `ProgressCancelled` if the command is cancelled."""
        while (way := self._way) is not None:
            try:
                way.ask()
                return True
            except Gone:
                self._leave(way)
        return False

    def send(self, line: bytes) -> None:
        """Sends a line. Raises `ProgressCancelled` if the command is cancelled."""
        while (way := self._way) is not None:
            try:
                return way.send(line)
            except Gone:
                self._leave(way)

    def is_of_the_command(self) -> bool:
        """Whether this process is the command itself, as far as it can tell, and not one that the command has started.

        A process that has to use the socket was started by another one, which did not pass the channel on.
        """
        multiprocessing = sys.modules.get("multiprocessing")
        return os.getpid() == self._command and (multiprocessing is None or multiprocessing.parent_process() is None)

    def _leave(self, way: _Way) -> None:
        # Another thread may have left it already.
        if self._way is way:
            self._way = _socket.find() if isinstance(way, _channel.Channel) else None


_delivery = _Delivery()
ask = _delivery.ask
send = _delivery.send
is_of_the_command = _delivery.is_of_the_command
