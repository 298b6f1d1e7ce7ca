"""Processes that no longer have the channel."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Callable

from conftest import Starter

CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', {!r}]{})\n"


def test_a_process_without_the_channel_reports_by_the_socket(start: Starter) -> None:
    run = start.script(CHILD.format("from progrun import report\nfor n in range(3): report(n, 3)", ""))
    run.end()
    assert run.reports() == [{"progress": n, "total": 3} for n in range(3)]
    assert run.malformed() == []


def test_a_file_that_has_got_the_number_of_the_channel_is_not_written_to(start: Starter, tmp_path: Path) -> None:
    run = start.script(
        "import os\nos.close(3)\nfile = os.open('victim', os.O_CREAT | os.O_WRONLY)\nassert file == 3\n"
        "from progrun import report\nreport(1, 2)\n"
    )
    run.end()
    assert (tmp_path / "victim").read_text() == ""
    assert run.reports() == [{"progress": 1, "total": 2}]


def test_a_daemon_that_closes_everything_reports_by_the_socket(start: Starter, tmp_path: Path) -> None:
    run = start.script(
        "import os\nfrom progrun import report\nreport(1, 2)\n"
        "os.closerange(3, 1000)\nfile = open('victim', 'w')\nreport(2, 2)\n"
    )
    run.end()
    assert (tmp_path / "victim").read_text() == ""
    assert run.reports() == [{"progress": 1, "total": 2}, {"progress": 2, "total": 2}]


def test_a_loop_of_a_process_without_the_channel_is_a_part(start: Starter) -> None:
    run = start.script(CHILD.format("from progrun import track\nfor _ in track('ab'): pass", ""))
    run.end()
    assert all("id" in info for info in run.reports())
    assert run.reports()[-1]["status"] == "ok"


def test_forked_processes_have_connections_of_their_own(start: Starter) -> None:
    run = start.script(
        CHILD.format(
            "import os\nfrom progrun import _delivery, report\nreport('ready')\n"
            "for child in range(4):\n"
            "    if os.fork() == 0:\n"
            "        assert _delivery._delivery._way._connection is None\n"
            "        for n in range(500): report(n, 500, 'x' * (n * 5), id=child)\n"
            "        os._exit(0)\n"
            "for _ in range(4): os.wait()\n",
            "",
        )
    )
    assert run.end()["reports"] == 2001
    assert run.malformed() == []


def test_a_request_reaches_an_open_connection(start: Starter) -> None:
    run = start.script(
        "import subprocess, sys\nfrom progrun import report\nreport(1)\n"
        "sys.exit(subprocess.run([sys.executable, '-c', 'import time\\nfrom progrun import report\\n'\n"
        "    'report(\"ready\")\\nwhile True: report(2); time.sleep(0.005)']).returncode)\n"
    )
    run.wait_for(lambda event: event["event"] == "progress" and event["info"].get("message") == "ready")
    run.cancel()
    finished = run.end()
    assert (finished["state"], finished["exit_status"], run.output("stderr")) == ("cancelled", 130, "")
    assert run.signals() == []


def test_the_first_report_of_a_process_that_starts_after_the_request_raises(start: Starter) -> None:
    run = start.script(
        "import subprocess, sys, time\nfrom progrun import *\n"
        "try:\n    report('ready')\n    while True: report(2); time.sleep(0.005)\n"
        "except ProgressCancelled:\n"
        "    sys.exit(subprocess.run([sys.executable, '-c', 'from progrun import report\\nreport(\"late\")'])"
        ".returncode - 100)\n"
    )
    run.wait_for(lambda event: event["event"] == "progress" and event["info"].get("message") == "ready")
    run.cancel()
    assert run.end()["exit_status"] == 30
    assert {"message": "late"} not in run.reports()


def test_a_socket_on_which_nothing_listens_is_ignored(
    alone: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    text = "import progrun; progrun.report(1); print('went on')"
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    for path in (str(tmp_path / "missing"), str(dead), str(tmp_path), "x" * 300):
        done = alone("-c", text, PROGRUN_SOCK=path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def answers(path: Path, *each: bytes) -> threading.Thread:
    """A listener that closes each connection with an answer, as soon as it has read something."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    # So that a client that never comes fails the test.
    listener.settimeout(30)

    def serve() -> None:
        with listener:
            for answer in each:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    if answer:
                        connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def outcome(
    alone: Callable[..., subprocess.CompletedProcess[str]], path: Path, *each: bytes
) -> subprocess.CompletedProcess[str]:
    thread = answers(path, *each)
    done = alone("-c", "import progrun\nprogrun.report(1)\nprint('went on')", PROGRUN_SOCK=str(path))
    thread.join()
    os.unlink(path)
    return done


def test_each_answer_has_its_meaning(
    alone: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    refused = outcome(alone, path, b"refused\n")
    assert (refused.returncode, refused.stdout) == (0, "went on\n")
    cancelled = outcome(alone, path, b"cancelled\n")
    assert (cancelled.returncode, cancelled.stdout) == (130, "")
    # progrun was killed.
    killed = outcome(alone, path, b"")
    assert (killed.returncode, killed.stdout) == (130, "")
    # The client does not wait for the answer to its report.
    taken = outcome(alone, path, b"ok\n", b"")
    assert (taken.returncode, taken.stdout) == (0, "went on\n")
