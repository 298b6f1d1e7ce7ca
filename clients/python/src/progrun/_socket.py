"""The socket of the run, for processes that no longer have the channel."""

from __future__ import annotations

import os
import socket
import struct
import sys

from ._cancelled import cancelled
from ._ways import Asker, Gone

# How long a new connection waits for its first answer. A progrun that is stopped must not stop the script.
_PATIENCE = 5.0
# Longer than any answer.
_ANSWER_SIZE = 64


class _Connection:
    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.asker = Asker(stream.fileno())


class Socket:
    """Writes lines to a connection, which each process has for itself."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: _Connection | None = None
        # Lines of two processes on one connection could mix.
        os.register_at_fork(after_in_child=self._disconnect)

    def ask(self) -> None:
        """Raises `ProgressCancelled` if the command is cancelled, and `Gone` if no progrun serves us there."""
        connection = self._connect()
        if connection.asker.is_closed():
            self._judge_end(connection)

    def send(self, line: bytes) -> None:
        """Sends a line, waiting for room if progrun is slow: nothing is lost. Raises the same as `ask`."""
        connection = self._connect()
        try:
            connection.stream.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            self._judge_end(connection)
        except OSError:
            raise Gone from None

    def _connect(self) -> _Connection:
        connection = self._connection
        if connection is None:
            # progrun tells a connection of a cancellation only once something was written to it. So the first question
            # has a connection of its own, whose answer comes before anything is reported.
            self._judge(_answer_to_an_empty_line(self._path))
            stream = _open(self._path)
            stream.settimeout(None)
            connection = self._connection = _Connection(stream)
        return connection

    def _disconnect(self) -> None:
        self._connection = None

    def _judge_end(self, connection: _Connection) -> None:
        try:
            answer = connection.stream.recv(_ANSWER_SIZE, socket.MSG_DONTWAIT)
        except OSError:
            answer = b""
        self._judge(answer)

    @staticmethod
    def _judge(answer: bytes) -> None:
        if answer == b"ok\n":
            return
        if answer == b"refused\n":
            raise Gone
        # "cancelled", or no answer: progrun was killed during the run, which is a request to stop, too.
        raise cancelled()


def find() -> Socket | None:
    """The socket that the environment names, or None. The first question or line connects to it."""
    path = os.environ.get("PROGRUN_SOCK")
    return Socket(path) if path else None


def _open(path: str) -> socket.socket:
    """A connection to a listener that is trusted."""
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.settimeout(_PATIENCE)
        stream.connect(path)
        if not _is_trusted(stream):
            raise Gone
    except (OSError, ValueError):
        # progrun is gone, or does not serve this user.
        stream.close()
        raise Gone from None
    except Gone:
        stream.close()
        raise
    return stream


def _answer_to_an_empty_line(path: str) -> bytes:
    answer = b""
    with _open(path) as stream:
        try:
            stream.sendall(b"\n")
            stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # A cancelled client may find its answer there already, and the connection closed.
        try:
            while chunk := stream.recv(_ANSWER_SIZE):
                answer += chunk
        except socket.timeout:
            raise Gone from None
        except OSError:
            pass
    return answer


def _is_trusted(stream: socket.socket) -> bool:
    """Whether the listener is our user's, root's, or an ancestor of ours, from which we have the path.

    Another user's process would learn what is reported, and could end a script by saying that it is cancelled.
    """
    if sys.platform != "linux":
        # The permissions of the socket's folder have to be enough.
        return True
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, user, _ = struct.unpack("3i", credentials)
    return user in (os.geteuid(), 0) or pid in _ancestors()


def _ancestors() -> set[int]:
    found: set[int] = set()
    pid = os.getppid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # The name of the process stands before these fields, in parentheses, and may hold anything.
                pid = int(file.read().rpartition(b") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found
