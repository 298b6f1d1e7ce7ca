"""The channel, with a pipe of the test in the place of progrun."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from typing import Iterator

import pytest

from progrun import ProgressCancelled, ProgressReporter, _channel, _delivery, _line, report
from progrun._ways import Gone


class Pipe:
    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def read_lines(self, count: int, at_once: int) -> bytes:
        text = b""
        poll = select.poll()
        poll.register(self.reading, select.POLLIN)
        while text.count(b"\n") < count:
            assert poll.poll(10_000), f"nothing comes after {len(text)} bytes"
            text += os.read(self.reading, at_once)
        return text

    def close_reader(self) -> None:
        os.close(self.reading)
        self.reading = -1


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    pipe = Pipe()
    info = os.fstat(pipe.writing)
    monkeypatch.setenv("PROGRUN_FD", str(pipe.writing))
    monkeypatch.setenv("PROGRUN_FD_ID", f"{info.st_dev}:{info.st_ino}")
    monkeypatch.delenv("PROGRUN_SOCK", raising=False)
    channel = _channel.find()
    assert channel is not None
    monkeypatch.setattr(_delivery._delivery, "_way", channel)
    yield pipe
    for descriptor in (pipe.reading, pipe.writing, channel._descriptor):
        try:
            os.close(descriptor)
        except OSError:
            pass


def test_a_report_after_the_request_raises_before_it_writes(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    report("before")
    pipe.close_reader()
    written: list[bytes] = []

    def write(descriptor: int, line: bytes) -> int:
        written.append(line)
        return len(line)

    monkeypatch.setattr(os, "write", write)
    for _ in range(2):
        with pytest.raises(ProgressCancelled):
            report("after")
    with pytest.raises(ProgressCancelled):
        ProgressReporter("a").report(1)
    assert written == []


def test_a_write_that_fails_because_of_the_request_raises_too(pipe: Pipe) -> None:
    # The request comes between the question and the write.
    pipe.close_reader()
    with pytest.raises(ProgressCancelled):
        _delivery.send(b"1\n")


def test_a_write_that_waits_for_room_is_ended_by_the_request(pipe: Pipe) -> None:
    fill(pipe.writing)
    ended = threading.Event()

    def work() -> None:
        with pytest.raises(ProgressCancelled):
            report(1)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    pipe.close_reader()
    thread.join()
    assert ended.is_set()


@pytest.mark.parametrize("is_blocking", [True, False])
def test_nothing_is_lost_if_the_reader_is_slow(pipe: Pipe, is_blocking: bool) -> None:
    os.set_blocking(pipe.writing, is_blocking)
    # Four times of what a pipe holds.
    thread = threading.Thread(target=lambda: [report(n, 4000, "x" * 50) for n in range(4000)])
    thread.start()
    text = pipe.read_lines(4000, 512)
    thread.join()
    expected = "".join(f'{{"progress": {n}, "total": 4000, "message": "{"x" * 50}"}}\n' for n in range(4000))
    assert text.decode() == expected


def test_a_signal_while_the_pipe_is_full_loses_nothing(pipe: Pipe) -> None:
    filled = fill(pipe.writing)
    seen: list[int] = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        drain(pipe.reading, filled)

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        # The handler makes the room for which the report waits.
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        report("after the signal")
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert seen == [signal.SIGALRM]
    assert os.read(pipe.reading, 100) == b'{"message": "after the signal"}\n'


def test_threads_share_the_channel(pipe: Pipe) -> None:
    def work(name: int) -> None:
        for n in range(200):
            report(n, id=name)

    threads = [threading.Thread(target=work, args=[name]) for name in range(5)]
    for thread in threads:
        thread.start()
    text = pipe.read_lines(1000, 65536)
    for thread in threads:
        thread.join()
    lines = text.splitlines()
    assert sorted(lines) == sorted(b'{"id": "%d", "progress": %d}' % (i, n) for i in range(5) for n in range(200))


def test_a_channel_that_the_program_closes_is_left(pipe: Pipe) -> None:
    channel = _delivery._delivery._way
    assert isinstance(channel, _channel.Channel)
    os.close(channel._descriptor)
    with pytest.raises(Gone):
        channel.ask()
    with pytest.raises(Gone):
        channel.send(b"1\n")
    report(1)
    assert _delivery.ask() is False


def test_the_channel_is_not_inherited_twice_and_has_a_high_number(pipe: Pipe) -> None:
    channel = _delivery._delivery._way
    assert isinstance(channel, _channel.Channel)
    assert channel._descriptor >= 200
    assert not os.get_inheritable(channel._descriptor)


def test_another_pipe_with_the_number_of_the_channel_is_not_written_to(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRUN_FD_ID", "1:2")
    assert _channel.find() is None


@pytest.mark.parametrize("text", ["x", "ä", "\x00", "\U0001f600", '"'])
def test_no_line_is_longer_than_what_a_pipe_takes_in_one_piece(text: str) -> None:
    for length in (1, 300, 341, 600, 1000, 2040, 4000, 4096, 10_000):
        line = _line.line(1, 2, text * length, None, None, None, "id", None, text * length, None)
        assert len(line) <= select.PIPE_BUF
        if "…".encode() in line:
            # What is cut fills the room, but for one character of each text.
            assert len(line) > select.PIPE_BUF - 20


def test_a_report_costs_little_without_progrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_delivery._delivery, "_way", None)
    begun = time.process_time()
    for n in range(10_000):
        report(n, 10_000)
    # A hundred times of what it takes.
    assert time.process_time() - begun < 0.3


def fill(descriptor: int) -> int:
    """Writes until the pipe is full, and gives the number of bytes."""
    os.set_blocking(descriptor, False)
    count = 0
    try:
        while True:
            count += os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)
        return count


def drain(descriptor: int, count: int) -> None:
    while count > 0:
        count -= len(os.read(descriptor, min(count, 65536)))
