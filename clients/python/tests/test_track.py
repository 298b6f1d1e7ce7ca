"""Loops: `track()`."""

from __future__ import annotations

import subprocess
from typing import Any, Callable

import pytest

from conftest import Run, Starter
from progrun import track


def parts(run: Run) -> dict[str, dict[str, Any]]:
    """What is known of each part at the end, by its title."""
    merged: dict[str | None, dict[str, Any]] = {}
    for info in run.reports():
        merged.setdefault(info.get("id"), {}).update(info)
    titles = {id: info.get("title", "the command") for id, info in merged.items()}
    return {
        titles[id]: {**info, **({"parent": titles[info["parent"]]} if "parent" in info else {})}
        for id, info in merged.items()
    }


def test_the_first_loop_is_the_bar_of_the_command(start: Starter) -> None:
    run = start.script("from progrun import track\nprint(sum(track([1, 2, 3], 'adding', unit='numbers')))\n")
    run.end()
    assert run.output() == "6\n"
    assert run.reports() == [
        {"progress": 0, "total": 3, "unit": "numbers", "title": "adding", "message": ""},
        {"progress": 3, "total": 3},
    ]


def test_loops_in_a_loop_are_parts_of_it(start: Starter) -> None:
    run = start.script(
        "from progrun import track\n"
        "for a in track('xy', 'outer'):\n"
        "    for b in track('12', desc=a):\n"
        "        for c in track(range(3), desc=a + b): pass\n"
    )
    run.end()
    found = parts(run)
    assert list(found) == ["outer", "x", "x1", "x2", "y", "y1", "y2"]
    assert {title: info.get("parent") for title, info in found.items()} == {
        "outer": None,
        "x": None,
        "x1": "x",
        "x2": "x",
        "y": None,
        "y1": "y",
        "y2": "y",
    }
    assert all(info["status"] == "ok" for title, info in found.items() if title != "outer")
    assert (found["outer"]["progress"], found["x"]["progress"], found["x1"]["progress"]) == (2, 2, 3)


def test_parts_and_loops_contain_each_other(start: Starter) -> None:
    run = start.script(
        "from progrun import part, track\n"
        "with part('all', total=2) as p:\n"
        "    for n in track('ab', 'loop'):\n"
        "        with part(n): pass\n"
        "with part('next'): pass\n"
    )
    run.end()
    found = parts(run)
    assert {title: info.get("parent") for title, info in found.items()} == {
        "all": None,
        "loop": "all",
        "a": "loop",
        "b": "loop",
        "next": None,
    }


def test_a_second_loop_takes_over_the_bar_of_the_command(start: Starter) -> None:
    run = start.script(
        "from progrun import track\n"
        "for _ in track(range(3), 'one', unit='B', postfix={'a': 1}): pass\n"
        "for _ in track(iter('ab'), 'two'): pass\n"
    )
    run.end()
    assert run.reports() == [
        {"progress": 0, "total": 3, "unit": "bytes", "title": "one", "message": "a=1"},
        {"progress": 3, "total": 3},
        {"progress": 0, "total": 0, "unit": "", "title": "two", "message": ""},
        {"progress": 2, "total": 0},
    ]


def test_a_loop_that_is_left_makes_room_for_the_next(start: Starter) -> None:
    run = start.script(
        "from progrun import track\n"
        "for _ in track(range(3), 'one'):\n    break\n"
        "for _ in track(range(3), 'two'):\n"
        "    for _ in track(range(5), 'inner'):\n        break\n"
        "try:\n    for _ in track(range(3), 'three'): raise ValueError\n"
        "except ValueError: pass\n"
        "for _ in track(range(3), 'four'): pass\n"
    )
    assert run.end()["exit_status"] == 0
    found = [info["title"] for info in run.reports() if "title" in info and "id" not in info]
    assert found == ["one", "two", "three", "four"]
    assert {info["status"] for info in run.reports() if "status" in info} == {"ok"}


def test_an_iterable_that_fails_makes_the_part_fail(start: Starter) -> None:
    run = start.script(
        "from progrun import part, track\n"
        "def items():\n    yield 1\n    raise ValueError\n"
        "with part('p'):\n"
        "    try:\n        for _ in track(items(), 'loop'): pass\n"
        "    except ValueError: print('raised')\n"
    )
    run.end()
    assert (run.output(), parts(run)["loop"]["status"], parts(run)["p"]["status"]) == ("raised\n", "failed", "ok")


def test_a_loop_in_another_thread_is_a_part(start: Starter) -> None:
    run = start.script(
        "import threading\nfrom progrun import track\n"
        "thread = threading.Thread(target=lambda: list(track('ab', 'thread')))\n"
        "thread.start(); thread.join()\n"
    )
    run.end()
    assert [info.get("status") for info in run.reports() if "id" in info] == [None, "ok"]


@pytest.mark.parametrize("how", ["os.fork", "multiprocessing"])
def test_a_loop_in_a_forked_process_is_a_part(start: Starter, how: str) -> None:
    fork = "pid = os.fork()\nif pid == 0:\n    work(); os._exit(0)\nos.waitpid(pid, 0)\n"
    process = "p = multiprocessing.get_context('fork').Process(target=work); p.start(); p.join()\n"
    run = start.script(
        "import multiprocessing, os\n"
        "def work():\n    from progrun import track\n    for _ in track('ab', 'child'): pass\n"
        + ("from progrun import track\n" + fork if how == "os.fork" else process)
    )
    run.end()
    assert [info.get("status") for info in run.reports() if "id" in info] == [None, "ok"]


def test_update_counts_as_in_tqdm(start: Starter) -> None:
    run = start.script(
        "from progrun import track\n"
        "with track(total=10, initial=2, unit='B', unit_scale=True, unit_divisor=1024) as bar:\n"
        "    bar.update(3)\n"
        "    bar.set_description('d')\n"
        "    bar.set_postfix(loss=0.123456, step='a')\n"
        "    bar.set_postfix_str('text')\n"
        "    bar.total = 12\n"
        "    bar.update()\n"
        "print(bar.n)\n"
        "bar = track(total=4, unit_scale=0.5)\nbar.update(2)\nbar.close()\nbar.close()\nbar.update()\n"
    )
    run.end()
    assert run.output() == "6\n"
    assert run.reports() == [
        {"progress": 2, "total": 10, "unit": "bytes", "message": ""},
        {"progress": 5, "total": 10, "title": "d", "message": ""},
        {"progress": 5, "total": 10, "title": "d", "message": "loss=0.123, step=a"},
        {"progress": 5, "total": 10, "title": "d", "message": "text"},
        {"progress": 6, "total": 12},
        {"progress": 0.0, "total": 2.0, "unit": "", "message": ""},
        {"progress": 1.0, "total": 2.0},
    ]


def test_a_block_that_fails_makes_the_part_fail(start: Starter) -> None:
    run = start.script(
        "from progrun import part, track\n"
        "with part('p'):\n    with track(total=3, desc='loop') as bar:\n        raise ValueError\n"
    )
    finished = run.end()
    assert (finished["exit_status"], parts(run)["loop"]["status"]) == (1, "failed")


def test_disable_reports_nothing(start: Starter) -> None:
    run = start.script("from progrun import track\nprint(list(track('ab', disable=True)))\n")
    assert run.end()["reports"] == 0
    assert run.output() == "['a', 'b']\n"


def test_the_options_of_tqdm_are_accepted(alone: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = alone(
        "-c",
        "from progrun import track\n"
        "for _ in track([1], desc='d', total=1, leave=False, file=None, ncols=80, mininterval=0.1, maxinterval=10,\n"
        "    miniters=None, ascii=None, disable=None, unit='it', unit_scale=False, dynamic_ncols=True, smoothing=0.3,\n"
        "    bar_format=None, initial=0, position=1, postfix=None, unit_divisor=1000, write_bytes=False,\n"
        "    lock_args=None, nrows=None, colour='green', delay=0): track.write('written')\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "written\n", "")


def test_a_misspelt_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'totl'"):
        track([1], totl=1)


def test_iterating_without_an_iterable_is_an_error() -> None:
    with pytest.raises(TypeError, match="without an iterable"):
        list(track(total=1))


def test_the_length_is_that_of_the_iterable_or_the_total() -> None:
    assert len(track([1, 2])) == 2
    assert len(track(iter([1]), total=5)) == 5
    assert bool(track([])) is True
    with pytest.raises(TypeError, match="not known"):
        len(track(iter([1])))
    assert track(iter([1]), total=float("inf")).total is None


def test_more_of_tqdm_works(start: Starter) -> None:
    run = start.script(
        "from progrun import trange\n"
        "bar = trange(2, 5, desc='steps', postfix='loss 1')\n"
        "for _ in bar: bar.set_description_str('again'); bar.display(); bar.clear(); bar.unpause()\n"
    )
    run.end()
    assert parts(run)["again"]["progress"] == 3
    assert run.reports()[0]["message"] == "loss 1"


def test_what_is_no_number_ends_no_script(start: Starter) -> None:
    run = start.script("from progrun import report\nreport([1])\nreport(2, 3)\nprint('went on')\n")
    run.end()
    assert run.output() == "went on\n"
