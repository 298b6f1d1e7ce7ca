"""What Ctrl-C does to a script that reports."""

from __future__ import annotations

import pickle
import sys

import pytest

from conftest import Event, Run, Starter
from progrun import ProgressCancelled



def reports_until_cancelled(start: Starter, script: str) -> tuple[Run, Event]:
    """Runs a script that reports "ready" and then reports on; presses Ctrl-C after "ready"."""
    run = start.script(script)
    run.wait_for(lambda event: event["event"] == "progress" and event["info"].get("message") == "ready")
    run.cancel()
    return run, run.end()


LOOP = "report('ready')\nwhile True:\n    report('working')\n    time.sleep(0.005)\n"


def indented(text: str) -> str:
    return "".join("    " + line + "\n" for line in text.splitlines())


def test_a_script_that_does_not_catch_it_ends_with_130_and_without_a_traceback(start: Starter) -> None:
    run, finished = reports_until_cancelled(start, "import time\nfrom progrun import report\n" + LOOP)
    assert (finished["state"], finished["exit_status"], finished["signal"]) == ("cancelled", 130, None)
    assert run.output("stderr") == ""
    # It was the report that ended it.
    assert run.signals() == []


def test_finally_and_with_clean_up(start: Starter) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import contextlib, time\nfrom progrun import report\n"
        "with contextlib.ExitStack() as stack:\n"
        "  stack.callback(print, 'left the block')\n"
        "  try:\n" + indented(LOOP) + "  finally:\n    print('finally')\n",
    )
    assert (finished["state"], finished["exit_status"]) == ("cancelled", 130)
    assert run.output() == "finally\nleft the block\n"


def test_except_exception_does_not_swallow_it(start: Starter) -> None:
    _, finished = reports_until_cancelled(
        start,
        "import time\nfrom progrun import report\nreport('ready')\nwhile True:\n"
        "    try:\n        report('working'); time.sleep(0.005)\n    except Exception:\n        pass\n",
    )
    assert finished["exit_status"] == 130


def test_code_that_cleans_up_after_an_interrupt_does_so(start: Starter) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import time\nfrom progrun import report\ntry:\n"
        + indented(LOOP)
        + "except KeyboardInterrupt as error:\n    print('saved', type(error).__name__)\n",
    )
    assert run.output() == "saved ProgressCancelled\n"
    assert (finished["state"], finished["exit_status"]) == ("cancelled", 0)


def test_each_later_report_raises_again(start: Starter) -> None:
    run, _ = reports_until_cancelled(
        start,
        "import time\nfrom progrun import *\ntry:\n" + indented(LOOP) + "except ProgressCancelled:\n"
        "    for _ in range(3):\n"
        "        try: report('again')\n"
        "        except ProgressCancelled: print('again')\n",
    )
    assert run.output() == "again\nagain\nagain\n"


def test_a_thread_that_is_cancelled_prints_no_traceback(start: Starter) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import threading, time\nfrom progrun import report\n"
        "def work():\n" + indented(LOOP) + "thread = threading.Thread(target=work)\n"
        "thread.start(); thread.join(); print('joined'); report(1)\n",
    )
    assert (finished["exit_status"], run.output(), run.output("stderr")) == (130, "joined\n", "")


def test_another_exception_of_a_thread_is_still_shown(start: Starter) -> None:
    run, _ = reports_until_cancelled(
        start,
        "import threading, time\nfrom progrun import *\n"
        "def work():\n  try:\n" + indented(LOOP) + "  except ProgressCancelled:\n    raise ValueError('mine')\n"
        "thread = threading.Thread(target=work)\nthread.start(); thread.join()\n",
    )
    assert "ValueError: mine" in run.output("stderr")


@pytest.mark.parametrize(
    "waiting",
    [
        "await asyncio.gather(*map(work, 'abc'))",
        "await asyncio.wait([asyncio.create_task(work(name)) for name in 'abc'])",
        "tasks = [asyncio.create_task(work(name)) for name in 'abc']; await asyncio.sleep(3600)",
        "await asyncio.gather(asyncio.to_thread(in_thread), *map(work, 'abc'))",
    ],
    ids=["gather", "wait", "in the background", "beside a thread"],
)
def test_a_task_that_is_cancelled_ends_asyncio_quietly(start: Starter, waiting: str) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import asyncio, time\nfrom progrun import report\n"
        "def in_thread():\n    while True:\n        report('working')\n        time.sleep(0.005)\n"
        "async def work(name):\n"
        "    try:\n"
        "        if name == 'c': report('ready')\n"
        "        while True:\n            report('working')\n            await asyncio.sleep(0.005)\n"
        "    finally:\n        print('left', name)\n"
        f"async def main():\n    try:\n        {waiting}\n    finally:\n        print('left main')\n"
        "asyncio.run(main())\n",
    )
    assert (finished["exit_status"], run.output("stderr"), run.signals()) == (130, "", [])
    assert sorted(run.output().splitlines()) == ["left a", "left b", "left c", "left main"]


def test_another_exception_of_a_task_is_still_shown(start: Starter) -> None:
    run, _ = reports_until_cancelled(
        start,
        "import asyncio, gc\nfrom progrun import *\n"
        "async def wrong():\n    raise ValueError('mine')\n"
        "async def main():\n"
        "    report('ready')\n"
        "    try:\n        while True:\n            report(1)\n            await asyncio.sleep(0.005)\n"
        "    except ProgressCancelled:\n"
        "        task = asyncio.create_task(wrong())\n        await asyncio.sleep(0)\n        del task\n"
        "        gc.collect()\n"
        "asyncio.run(main())\n",
    )
    assert "ValueError: mine" in run.output("stderr")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup came with Python 3.11")
def test_a_task_group_is_ended_quietly(start: Starter) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import asyncio\nfrom progrun import report\n"
        "async def work(name):\n"
        "    try:\n"
        "        if name == 'c': report('ready')\n"
        "        while True:\n            report('working')\n            await asyncio.sleep(0.005)\n"
        "    finally:\n        print('left', name)\n"
        "async def main():\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        for name in 'abc': group.create_task(work(name))\n"
        "asyncio.run(main())\n",
    )
    assert (finished["exit_status"], run.output("stderr")) == (130, "")
    assert sorted(run.output().splitlines()) == ["left a", "left b", "left c"]


def test_a_million_quick_steps_are_cancelled_at_once(start: Starter) -> None:
    run, finished = reports_until_cancelled(
        start,
        "import itertools\nfrom progrun import *\nreport('ready')\nfor n in track(itertools.count()): pass\n",
    )
    assert (finished["state"], finished["exit_status"]) == ("cancelled", 130)
    assert run.signals() == []
    # At most 20 a second, however many steps there are.
    assert finished["reports"] <= 20 * finished["elapsed"] + 3


def test_slow_steps_after_quick_ones_are_cancelled_before_the_next(start: Starter) -> None:
    run = start.script(
        "import sys, time\nfrom progrun import track\n"
        "for n in track(range(200_005)):\n"
        "    if n >= 200_000:\n"
        "        print(n, flush=True); sys.stdin.read(); time.sleep(0.1)\n"
    )
    run.wait_for(lambda event: event["event"] == "output" and "200000" in event["text"])
    run.cancel()
    finished = run.end()
    assert finished["exit_status"] == 130
    assert run.output() in ("200000\n", "200000\n200001\n")


def test_a_part_that_is_left_by_an_exception_says_how(start: Starter) -> None:
    run = start.script(
        "import asyncio\nfrom progrun import *\n"
        "with part('a', id='a'): pass\n"
        "for id, error in ('b', ValueError()), ('c', KeyboardInterrupt()), ('d', asyncio.CancelledError()):\n"
        "    try:\n        with part(id, id=id): raise error\n"
        "    except BaseException as raised: assert raised is error\n"
    )
    assert run.end()["exit_status"] == 0
    assert {info["id"]: info["status"] for info in run.reports() if "status" in info} == {
        "a": "ok",
        "b": "failed",
        "c": "cancelled",
        "d": "cancelled",
    }


def test_without_a_catch_a_signal_ends_a_script_that_does_not_report(start: Starter) -> None:
    run = start.script("import sys, time, progrun\nprint('ready', flush=True)\nwhile True: time.sleep(1)\n")
    run.wait_for(lambda event: event["event"] == "output")
    run.cancel()
    assert run.end()["signal"] == "SIGINT"


def test_the_exception_is_an_interrupt_and_an_exit_but_no_error() -> None:
    assert issubclass(ProgressCancelled, KeyboardInterrupt)
    assert issubclass(ProgressCancelled, SystemExit)
    assert not issubclass(ProgressCancelled, Exception)
    # It comes out of worker processes.
    copy = pickle.loads(pickle.dumps(ProgressCancelled("text")))
    assert (type(copy), str(copy), copy.code) == (ProgressCancelled, "text", 130)
