"""The process that programs are forked from: it has torch loaded, runs nothing itself, and watches over what it starts.

It reads one request a line on its standard input and answers each with one line. Started by `torchproof.run`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from torchproof.child import Job, run_job

OUTPUT_LIMIT = 1_000_000
# macOS forbids much of its own machinery in a process forked without exec.
CAN_FORK = sys.platform == "linux"


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
    for line in sys.stdin:
        request = json.loads(line)
        if "preload" in request:
            preload(request["preload"])
            continue
        answer = Watch(Job(**request), wake_read).run(answers.fileno())
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def preload(modules: list[str]) -> None:
    """Import what the programs import, once; a module that is missing here is the program's to report."""
    if not CAN_FORK:
        return
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


class Watch:
    """Runs one job in a process group of its own and collects what it prints."""

    def __init__(self, job: Job, wake: int) -> None:
        self.job = job
        self.wake = wake
        self.size = 0
        self.verdict = "ended"

    def run(self, answers: int) -> dict[str, object]:
        """Start the job, wait for its end or its limits, and sweep up what it left running."""
        pipes = {name: os.pipe() for name in ("stdout", "stderr")}
        pid = self._start(pipes, answers)
        for _, write in pipes.values():
            os.close(write)
        status = self._collect(pid, {name: read for name, (read, _) in pipes.items()})
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return {"verdict": self.verdict, "status": os.waitstatus_to_exitcode(status)}

    def _start(self, pipes: dict[str, tuple[int, int]], answers: int) -> int:
        if self.job.fresh or not CAN_FORK:
            command = [sys.executable, "-X", "utf8", "-m", "torchproof.child", json.dumps(asdict(self.job))]
            return subprocess.Popen(
                command,
                cwd=self.job.root,
                stdin=subprocess.DEVNULL,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                start_new_session=True,
            ).pid
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(pipes["stdout"][1], 1)
            os.dup2(pipes["stderr"][1], 2)
            inherited = [answers, *(end for ends in pipes.values() for end in ends), self.wake]
            run_job(self.job, lambda: [os.close(fd) for fd in inherited] and None)
        finally:
            os._exit(70)

    def _collect(self, pid: int, pipes: dict[str, int]) -> int:
        scratch = Path(self.job.scratch)
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as files:
            selector.register(self.wake, selectors.EVENT_READ)
            sinks = {}
            for name, read in pipes.items():
                os.set_blocking(read, False)
                selector.register(read, selectors.EVENT_READ)
                sinks[read] = files.enter_context((scratch / name).open("wb"))
            deadline = time.monotonic() + self.job.limit
            status: int | None = None
            while status is None:
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    if key.fd != self.wake:
                        self._drain(key.fd, sinks[key.fd], selector)
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                done, value = os.waitpid(pid, os.WNOHANG)
                if done:
                    status = value
                elif self.size > OUTPUT_LIMIT or time.monotonic() >= deadline:
                    self.verdict = "flooded" if self.size > OUTPUT_LIMIT else "timed out"
                    os.killpg(pid, signal.SIGKILL)
                    status = os.waitpid(pid, 0)[1]
            for read, sink in sinks.items():
                while self.size <= OUTPUT_LIMIT and self._drain(read, sink, None):
                    pass
                os.close(read)
            if self.size > OUTPUT_LIMIT:
                self.verdict = "flooded"
        return status

    def _drain(self, read: int, sink: object, selector: selectors.DefaultSelector | None) -> bool:
        """Move what a pipe holds into its file; False when it holds nothing more."""
        try:
            chunk = os.read(read, 65536)
        except (BlockingIOError, OSError):
            return False
        if not chunk:
            if selector is not None:
                selector.unregister(read)
            return False
        self.size += len(chunk)
        sink.write(chunk)  # type: ignore[attr-defined]
        return True


if __name__ == "__main__":
    main()
