"""The process that programs are forked from: it has torch loaded, runs nothing itself, and watches over what it starts.

It reads one request a line on its standard input and answers each with one line. Started by `torchproof.run`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from torchproof import hugepages
from torchproof.child import Job, run_job

OUTPUT_LIMIT = 1_000_000
PROCESS_LIMIT = 200
# Seconds between two counts of a program's processes; most programs are done before the first.
_COUNT_EVERY = 0.25
# macOS forbids much of its own machinery in a process forked without exec.
CAN_FORK = sys.platform == "linux"
_running: list[int] = []


@dataclass
class Process:
    """A process that has a program to run, or waits for one, and the pipes that hold what it prints."""

    pid: int
    pipes: dict[str, int]
    jobs: int = -1

    def give(self, job: Job) -> None:
        """Hand a waiting process its job."""
        os.write(self.jobs, json.dumps(asdict(job)).encode() + b"\n")
        os.close(self.jobs)


def main() -> None:
    """Answer requests until the input ends."""
    # The answers get a descriptor of their own: whatever prints to standard output by accident cannot garble them.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _stop)
    spare: Process | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "preload" in request:
            preload(request["preload"], request["many"])
            continue
        job = Job(**request)
        if job.fresh or not CAN_FORK:
            process = start_fresh(job)
            _running.append(process.pid)
        else:
            process = spare or fork_waiting()
            # Before it runs: whatever ends this process from now on takes the program along.
            _running.append(process.pid)
            process.give(job)
            # A fork takes as long as a small program: the next process is made while this one runs.
            spare = fork_waiting()
        answers.write(json.dumps(Watch(job, process, wake_read).run()) + "\n")
        answers.flush()
    os._exit(0)  # Nothing here needs the time that an interpreter with torch takes to shut down.


def _stop(*_: object) -> None:
    """Asked to end: take the running program along."""
    for pid in _running:
        # The process alone as well: a fork leads no group before it has got that far.
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)
    os._exit(1)


def preload(modules: list[str], many: bool) -> None:
    """Import what the programs import, once, and if they are many, make forks cheap.

    A module that is missing here is the program's to report.
    """
    if not CAN_FORK:
        return
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    if figures := sys.modules.get("torchproof.figures"):
        figures.warm_up()
    # What is loaded now stays: collecting garbage among it would only copy its pages into every child.
    gc.freeze()
    if many:
        hugepages.gather()


def start_fresh(job: Job) -> Process:
    """A new interpreter for one job."""
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "torchproof.child", json.dumps(asdict(job))],
        cwd=job.root,
        stdin=subprocess.DEVNULL,
        stdout=out_end,
        stderr=err_end,
        start_new_session=True,
    )
    os.close(out_end)
    os.close(err_end)
    return Process(process.pid, {"stdout": out, "stderr": err})


def fork_waiting() -> Process:
    """A copy of this process that waits for its job."""
    (out, out_end), (err, err_end), (job, job_end) = os.pipe(), os.pipe(), os.pipe()
    with warnings.catch_warnings():
        # Libraries keep idle threads, of which Python 3.12 warns at a fork; the child uses none of them.
        warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
        pid = os.fork()
    if pid:
        for end in (out_end, err_end, job):
            os.close(end)
        return Process(pid, {"stdout": out, "stderr": err}, job_end)
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for descriptor, target in ((job, 0), (out_end, 1), (err_end, 2)):
            os.dup2(descriptor, target)
        os.closerange(3, 256)
        line = b""
        while not line.endswith(b"\n"):
            chunk = os.read(0, 65536)
            if not chunk:
                os._exit(0)
            line += chunk
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        run_job(Job(**json.loads(line)))
    finally:
        os._exit(70)


class Watch:
    """Waits for the end of one job, or its limits, and collects what it prints.

    Args:
        job: What runs.
        process: Where it runs; the leader of a process group of its own.
        wake: A pipe that can be read whenever a child has ended.
    """

    def __init__(self, job: Job, process: Process, wake: int) -> None:
        self.job = job
        self.process = process
        self.wake = wake
        self.size = 0
        self.verdict = "ended"

    def run(self) -> dict[str, object]:
        """Wait, then sweep up what the program left running."""
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as files:
            selector.register(self.wake, selectors.EVENT_READ)
            sinks: dict[int, BinaryIO] = {}
            for name, pipe in self.process.pipes.items():
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ)
                sinks[pipe] = files.enter_context((Path(self.job.scratch) / name).open("wb"))
            status = self._wait(selector, sinks)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            _running.clear()
            for pipe, sink in sinks.items():
                while self.size <= OUTPUT_LIMIT and self._drain(pipe, sink):
                    pass
                os.close(pipe)
        if self.size > OUTPUT_LIMIT:
            self.verdict = "flooded"
        return {"verdict": self.verdict, "status": os.waitstatus_to_exitcode(status)}

    def _wait(self, selector: selectors.BaseSelector, sinks: dict[int, BinaryIO]) -> int:
        deadline = time.monotonic() + self.job.limit
        count_at = time.monotonic() + _COUNT_EVERY
        while True:
            for key, _ in selector.select(max(0.0, min(deadline, count_at) - time.monotonic())):
                if key.fd in sinks and not self._drain(key.fd, sinks[key.fd]):
                    selector.unregister(key.fd)
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 4096)
            done, status = os.waitpid(self.process.pid, os.WNOHANG)
            if done:
                return status
            if time.monotonic() >= count_at:
                count_at = time.monotonic() + _COUNT_EVERY
                if _group_size(self.process.pid) > PROCESS_LIMIT:
                    self.verdict = "multiplied"
            if self.size > OUTPUT_LIMIT or self.verdict == "multiplied" or time.monotonic() >= deadline:
                self.verdict = self.verdict if self.verdict == "multiplied" else "timed out"
                os.killpg(self.process.pid, signal.SIGKILL)
                return os.waitpid(self.process.pid, 0)[1]

    def _drain(self, pipe: int, sink: BinaryIO) -> bool:
        """Move what a pipe holds into its file; False when it holds nothing more."""
        try:
            chunk = os.read(pipe, 65536)
        except OSError:
            return False
        self.size += len(chunk)
        sink.write(chunk)
        return bool(chunk)


def _group_size(group: int) -> int:
    """How many processes a process group has; 0 where the system does not list them as files."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the command's name, which may hold anything but ends in the last parenthesis: state, parent, group.
            count += int(path.read_text(errors="replace").rpartition(")")[2].split()[2]) == group
    return count


if __name__ == "__main__":
    main()
