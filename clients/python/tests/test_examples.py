"""The examples: alone, under progrun, and cancelled."""

from __future__ import annotations

import subprocess
from typing import Callable

import pytest

from conftest import EXAMPLES, Starter

# The arguments, and what each prints.
CASES = {
    ("loop.py",): "done\ncleaned up\n",
    ("threads.py",): "done: north south west\n",
    ("futures.py",): "done: alpha beta delta gamma\n",
    ("processes.py", "fork"): "done: alpha beta delta gamma\n",
    ("processes.py", "spawn"): "done: alpha beta delta gamma\n",
    ("processes.py", "forkserver"): "done: alpha beta delta gamma\n",
    ("tasks.py",): "done\n",
}

each_case = pytest.mark.parametrize("case", CASES, ids=" ".join)


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {case[0] for case in CASES}


@each_case
def test_an_example_works_alone(
    case: tuple[str, ...], alone: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = alone(str(EXAMPLES / case[0]), *case[1:], "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(CASES[case])


@each_case
def test_an_example_reports(case: tuple[str, ...], start: Starter) -> None:
    run = start.example(case[0], *case[1:], "3")
    finished = run.end()
    assert (finished["exit_status"], finished["malformed"], run.output("stderr")) == (0, 0, "")
    assert run.output().endswith(CASES[case])
    begun = {info["id"] for info in run.reports() if "title" in info and "id" in info}
    ended = {info["id"] for info in run.reports() if info.get("status") == "ok"}
    assert len(begun) == (3 if case[0] in ("loop.py", "threads.py", "tasks.py") else 4)
    assert begun == ended


@each_case
def test_an_example_ends_at_a_report_after_an_interrupt(case: tuple[str, ...], start: Starter) -> None:
    run = start.example(case[0], *case[1:], "1000000")
    # Two parts at work, where there are two at once.
    count = 1 if case[0] == "loop.py" else 2
    at_work: set[str] = set()

    def are_at_work(event: dict[str, object]) -> bool:
        info = event.get("info")
        if isinstance(info, dict) and "id" in info and info.get("progress"):
            at_work.add(info["id"])
        return len(at_work) >= count

    run.wait_for(are_at_work)
    run.cancel()
    finished = run.end()
    assert (finished["state"], finished["exit_status"], run.output("stderr")) == ("cancelled", 130, "")
    assert run.signals() == []
    assert "done" not in run.output()
    if case[0] == "loop.py":
        assert run.output() == "cleaned up\n"
    if case[0] == "tasks.py":
        assert sorted(run.output().splitlines()) == ["left north", "left south", "left west"]
