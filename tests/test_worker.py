"""The process that programs are forked from, ended while it is busy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.handmade import project_of, snippet_of
from torchproof.child import Job
from torchproof.problems import Problem
from torchproof.run import Runner

# A fork of half a gigabyte takes a while; here the second one, which is made while the first program runs, takes longest.
SLOW_FORKS = """
import time
from torchproof import worker

fork, forks = worker.fork_waiting, []


def slow():
    forks.append(1)
    if len(forks) == 2:
        time.sleep(20)
    return fork()


worker.fork_waiting = slow
worker.main()
"""
PROGRAM = """
import os, time

with open({told!r} + ".part", "w") as file:
    file.write(str(os.getpid()))
os.replace({told!r} + ".part", {told!r})
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Whether it runs; an ended process that nobody has asked about has no command any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_who_ends_the_worker_while_it_forks_ends_the_program(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "cwd").mkdir()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(told=str(told)))
    job = Job(str(program), str(tmp_path), 100, "figure", str(REPOSITORY))
    worker = subprocess.Popen([sys.executable, "-c", SLOW_FORKS], cwd=REPOSITORY, stdin=subprocess.PIPE, text=True)
    assert worker.stdin
    worker.stdin.write(json.dumps(asdict(job)) + "\n")
    worker.stdin.flush()
    deadline = time.monotonic() + 60
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(told.read_text())
    assert is_running(pid)
    worker.terminate()
    assert worker.wait(10) == 1
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        assert not is_running(pid)
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_program_that_kills_the_worker_is_one_clear_message_each_time(tmp_path: Path) -> None:
    body = "import os\n    import signal\n\n    os.kill(os.getppid(), signal.SIGKILL)"
    project = project_of(tmp_path, {"snippets/topic.py": f'def demo():\n    """Kill."""\n    {body}\n'})
    program = project.program(snippet_of(project, "topic.demo"))
    told = "the process that starts the programs has died\n +to fix: see what it wrote above"
    with Runner(tmp_path) as runner:
        # The first request is not answered, the next finds nobody.
        for _ in range(2):
            with pytest.raises(Problem, match=told):
                runner.run(program)
