"""Reports, under the real progrun."""

from __future__ import annotations

import subprocess
from typing import Callable

import pytest

from conftest import Starter


def test_a_report_arrives_as_it_was_made(start: Starter) -> None:
    run = start.script(
        "from progrun import report\n"
        "report(3, 10, 'a.jpg', unit='bytes')\n"
        "report('only a message')\n"
        "report(percentage=12.5, eta=60)\n"
        "report(1, 2, id='a', parent=7, title='A', status='ok')\n"
    )
    assert run.end()["reports"] == 4
    assert run.reports() == [
        {"progress": 3, "total": 10, "unit": "bytes", "message": "a.jpg"},
        {"message": "only a message"},
        {"percentage": 12.5, "eta": 60},
        {"id": "a", "parent": "7", "progress": 1, "total": 2, "status": "ok", "title": "A"},
    ]


def test_a_report_of_nothing_only_asks(start: Starter) -> None:
    run = start.script("from progrun import report\nreport()\n")
    run.end()
    assert run.reports() == []
    assert run.malformed() == []


def test_any_text_can_be_reported(start: Starter) -> None:
    run = start.script(
        "from progrun import report\n"
        r"report(1, 2, 'a\n\"b\" \\ \x00 ü 日本 \U0001f600')" "\n"
        r"report('not UTF-8: \udcff')" "\n"
    )
    run.end()
    assert run.reports() == [
        {"progress": 1, "total": 2, "message": 'a\n"b" \\ \x00 ü 日本 \U0001f600'},
        {"message": "not UTF-8: ?"},
    ]


def test_numbers_that_are_no_plain_numbers_are_reported(start: Starter) -> None:
    run = start.script(
        "from decimal import Decimal\nfrom fractions import Fraction\nfrom progrun import report\n"
        "class Index:\n    def __index__(self): return 7\n"
        "report(True, Fraction(5, 2))\nreport(Decimal('0.5'), Index())\n"
    )
    run.end()
    assert run.reports() == [{"progress": 1, "total": 2.5}, {"progress": 0.5, "total": 7}]


def test_a_wrong_number_gives_a_warning_and_the_script_goes_on(start: Starter) -> None:
    run = start.script("from progrun import report\nreport(float('nan'), 5)\nreport(-1)\nreport(2)\n")
    assert run.end()["exit_status"] == 0
    assert len(run.malformed()) == 2
    assert run.reports() == [{"progress": 2}]


def test_a_long_message_is_cut_so_that_the_pipe_takes_the_line_in_one_piece(start: Starter) -> None:
    run = start.script("from progrun import report\nreport(1, 2, 'ä' * 100_000, title='t' * 9000, id='x')\n")
    run.end()
    assert run.malformed() == []
    (info,) = run.reports()
    assert (info["progress"], info["total"], info["id"]) == (1, 2, "x")
    assert info["message"].startswith("ää") and info["message"].endswith("ä…")
    assert info["title"].endswith("t…")


def test_no_report_of_many_processes_is_torn_or_lost(start: Starter) -> None:
    run = start.script(
        "import os\nfrom progrun import report\n"
        "for child in range(4):\n"
        "    if os.fork() == 0:\n"
        "        for n in range(1000):\n"
        "            report(n, 1000, 'x' * (n % 3500), id=child)\n"
        "        os._exit(0)\n"
        "for _ in range(4): os.wait()\n"
    )
    assert run.end()["reports"] == 4000
    assert run.malformed() == []


def test_a_script_without_progrun_does_the_same_and_reports_nothing(
    alone: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = alone(
        "-c",
        "from progrun import *\n"
        "report(1, 2, 'a')\n"
        "ProgressReporter('a').report(1)\n"
        "with part('p', total=3) as p: p.report(1)\n"
        "with track(total=3) as t: t.update(2); t.set_postfix(a=1)\n"
        "loop = track([1, 2])\n"
        "print(list(loop), loop.n, t.n)\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1, 2] 2 2\n", "")


@pytest.mark.parametrize("name", ["nonsense", "-1", "99999999999999999999", "4"])
def test_a_variable_that_names_no_channel_is_ignored(
    name: str, alone: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = alone("-c", "import progrun; progrun.report(1); print('went on')", PROGRUN_FD=name, PROGRUN_FD_ID="1:1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")
