"""Runs scripts under the real progrun and reads its events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

CLIENT = Path(__file__).resolve().parent.parent
EXAMPLES = CLIENT / "examples"

Event = dict[str, Any]


def find_progrun() -> Path:
    if named := os.environ.get("PROGRUN"):
        candidates = [Path(named)]
    else:
        candidates = [CLIENT.parent.parent / "target" / profile / "progrun" for profile in ("release", "debug")]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate.resolve()
    tried = ", ".join(map(str, candidates))
    pytest.exit(f"there is no progrun to test with ({tried}): run `cargo build`, or set PROGRUN to its path", 2)


def environment() -> dict[str, str]:
    """The environment without what a progrun around the tests has put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROGRUN")}


class Run:
    """A script under progrun."""

    def __init__(self, progrun: Path, folder: Path, command: list[str]) -> None:
        self.events: list[Event] = []
        self._process = subprocess.Popen(
            [str(progrun), "--json", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**environment(), "XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
            preexec_fn=_take_interrupts,
        )

    def wait_for(self, is_it: Callable[[Event], bool]) -> Event:
        """Reads events until one is it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: Event = json.loads(line)
            self.events.append(event)
            if is_it(event):
                return event
        assert self._process.stderr is not None
        pytest.fail(f"the event did not come; {self.events[-20:]} {self._process.stderr.read()}")

    def cancel(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Event:
        """Waits for the last event."""
        finished = self.wait_for(lambda event: event["event"] == "finished")
        self._process.communicate()
        return finished

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def reports(self) -> list[dict[str, Any]]:
        return [event["info"] for event in self.events if event["event"] == "progress"]

    def signals(self) -> list[str]:
        return [event["signal"] for event in self.events if event["event"] == "signal"]

    def malformed(self) -> list[Event]:
        return [event for event in self.events if event["event"] == "malformed"]

    def output(self, stream: str = "stdout") -> str:
        return "".join(
            event["text"] for event in self.events if event["event"] == "output" and event["stream"] == stream
        )


def _take_interrupts() -> None:
    """Background jobs of a shell ignore SIGINT, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Starter:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progrun = find_progrun()
        self._runs: list[Run] = []

    def command(self, *command: str) -> Run:
        run = Run(self._progrun, self._folder, list(command))
        self._runs.append(run)
        return run

    def script(self, text: str) -> Run:
        path = self._folder / "script.py"
        path.write_text(text)
        return self.command(sys.executable, str(path))

    def example(self, name: str, *arguments: str) -> Run:
        return self.command(sys.executable, str(EXAMPLES / name), *arguments)

    def stop(self) -> None:
        for run in self._runs:
            run.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.stop()


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python without progrun."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environment(), **variables},
        )

    return run
