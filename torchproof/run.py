"""Run programs, each in its own process, and say how each ended."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from torchproof.child import BACKEND, Job
from torchproof.imports import PACKAGE
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.worker import OUTPUT_LIMIT, PROCESS_LIMIT

TIME_LIMIT = 30
# To gather memory (0.7 s) takes as long as this many programs save (30 ms each, half of it while another program runs).
_MANY = 50
_ONCE = {"PYTHONHASHSEED": "1"}
# Kernels that every processor has instead of the fastest, and no zeros in memory that nothing was written to.
_AGAIN = {"PYTHONHASHSEED": "2", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "MALLOC_PERTURB_": "165"}
# What these modules import only when they are first used: up to 0.8 s in every forked process, or once in its parent.
_LOADED_LAZILY = {
    "torch.optim": ["torch._dynamo"],
    "torch.testing": ["torch.distributed.tensor"],
    "matplotlib.pyplot": ["torchproof.figures", "matplotlib.backends.backend_svg"],
}

# A program that tells where it runs. On the CPU the versions say it all: torch, which takes a second to import, is asked about
# other devices only.
ENVIRONMENT = """\
import json, os, platform
from importlib.metadata import PackageNotFoundError, version


def installed(package):
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""


kind, name, count = {kind!r}, platform.machine(), 1
if kind != "cpu":
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None or found.type != kind:
        raise SystemExit(f"torch finds {{found or 'no accelerator'}}")
    name = torch.cuda.get_device_name() if kind == "cuda" else name
    count = torch.accelerator.device_count()
elif os.path.exists("/proc/cpuinfo"):
    models = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    name = models[0] if models else name
print(json.dumps({{
    "python": platform.python_version(),
    "torch": installed("torch"),
    "matplotlib": installed("matplotlib"),
    "platform": f"{{platform.system()}} {{platform.machine()}}",
    "device": name,
    "count": count,
    "threads": int(os.environ["OMP_NUM_THREADS"]),
}}))
"""


@dataclass
class Outcome:
    """How one run of a program ended.

    Attributes:
        failure: "" if the program ended as it should, else what happened, in a sentence.
        stdout: What it printed.
        stderr: What it wrote to standard error, its traceback included.
        figures: SVG texts, in the order shown.
        exception: Type and message of the exception that ended it, if one did.
        seconds: Time spent in the program itself.
        variables: What its variables held then, a line each.
    """

    failure: str = ""
    stdout: str = ""
    stderr: str = ""
    figures: list[str] = field(default_factory=list)
    exception: dict[str, str] | None = None
    seconds: float = 0.0
    variables: list[str] = field(default_factory=list)


class Runner:
    """Runs programs on one kind of device through a worker process that has torch loaded.

    Args:
        root: The project.
        device: "cpu", "cuda" or "mps".
        again: Whether this is for the second run of a recording, which takes place under other circumstances: what is the
            same in both runs does not hang on the order of a set, on how a processor rounds, or on what was in memory.
    """

    def __init__(self, root: Path, device: str = "cpu", again: bool = False) -> None:
        self.root = root
        self.device = device
        self._scratch = Path(tempfile.mkdtemp(prefix="torchproof-"))
        self._count = 0
        # Times the limit of every program: more than 1 where slow is not wrong.
        self.patience = 1
        environment = {**os.environ, "MPLBACKEND": BACKEND, "PYTHONUNBUFFERED": "1", **(_AGAIN if again else _ONCE)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
        if device == "cpu":
            # A program that chooses its device must not find one that this record is not about.
            environment["CUDA_VISIBLE_DEVICES"] = ""
        environment["TMPDIR"] = str(self._scratch / "tmp")
        (self._scratch / "tmp").mkdir()
        # One thread: sums come out the same on every machine, and programs run side by side without standing in each
        # other's way (two threads on a busy core make a small training loop twenty times slower).
        environment.setdefault("OMP_NUM_THREADS", "1")
        command = [sys.executable, "-X", "utf8", "-m", "torchproof.worker"]
        self._worker = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            # Ctrl-C is for pytest, which then ends the worker.
            start_new_session=True,
        )
        # Importing torch takes longer than reading the catalog, which is read meanwhile.
        if any(b"torch" in path.read_bytes() for path in (root / PACKAGE).glob("*.py")):
            self._send({"preload": ["torch"], "many": False})

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and remove everything the programs wrote."""
        # One that has died takes no more of what was sent to it.
        with contextlib.suppress(BrokenPipeError):
            if self._worker.stdin:
                self._worker.stdin.close()
        self._worker.terminate()
        self._worker.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def preload(self, programs: Iterable[Program]) -> None:
        """Have the worker import, before it forks, what these programs import."""
        programs = list(programs)
        self._send({"preload": modules_of(programs), "many": len(programs) >= _MANY})

    def environment(self) -> dict[str, Any]:
        """Versions of Python, torch and matplotlib, the platform, and the device's name and count."""
        outcome = self._run_source("environment", ENVIRONMENT.format(kind=self.device))
        if outcome.failure:
            told = outcome.stderr.strip().rpartition("\n")[2]
            fix = "run this on a machine that has one, or leave out --device"
            raise Problem(f"torch can use no {self.device} device here ({told})", fix=fix)
        environment: dict[str, Any] = json.loads(outcome.stdout)
        return environment

    def run(self, program: Program) -> Outcome:
        """Run a program and judge how it ended against the marks of its snippet."""
        marks = program.snippet.marks
        limit = marks["time_limit"].args[0] if "time_limit" in marks else TIME_LIMIT
        prefix = f"{program.snippet.module}-{program.snippet.name}"
        outcome = self._run_source(prefix, program.on_device(self.device), limit * self.patience, "fresh" in marks)
        if "raises" in marks:
            outcome.failure = _judge_exception(outcome, marks["raises"].args[0], marks["raises"].kwargs.get("match"))
        elif not outcome.failure and outcome.stderr:
            outcome.failure = "it wrote to standard error"
        return outcome

    def _run_source(self, name: str, source: str, limit: float = TIME_LIMIT, fresh: bool = False) -> Outcome:
        self._count += 1
        scratch = self._scratch / str(self._count)
        (scratch / "cwd").mkdir(parents=True)
        program = scratch / f"{name.partition('-')[2] or name}.py"
        program.write_text(source, encoding="utf-8")
        try:
            job = Job(str(program), str(scratch), limit, name, str(self.root), fresh)
            self._send(asdict(job))
            answer = self._worker.stdout.readline() if self._worker.stdout else ""
            if not answer:
                raise Problem("the process that starts the programs has died", fix="see what it wrote above")
            return _outcome(scratch, json.loads(answer), limit)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._worker.stdin
        try:
            self._worker.stdin.write(json.dumps(message) + "\n")
            self._worker.stdin.flush()
        except BrokenPipeError:
            raise Problem("the process that starts the programs has died", fix="see what it wrote above") from None


def modules_of(programs: Iterable[Program]) -> list[str]:
    """Modules that these programs import, at their first line or with the first use of something."""
    modules = {name for program in programs for name in _imported(program.source)}
    modules |= {lazy for name, lazies in _LOADED_LAZILY.items() if name in modules for lazy in lazies}
    return sorted(modules)


def _imported(source: str) -> set[str]:
    """Modules that a program imports, and what it reaches by attribute: `torch.testing` is imported at its first use."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)) if module != "__future__":
                found.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
            case ast.Attribute(value=ast.Name(id="torch")):
                found.add(f"torch.{node.attr}")
    return found


def _outcome(scratch: Path, answer: dict[str, Any], limit: float) -> Outcome:
    outcome = Outcome(stderr=(scratch / "stderr").read_bytes().decode("utf-8", "replace"))
    outcome.stderr = _readers_traceback(outcome.stderr, scratch)
    try:
        outcome.stdout = (scratch / "stdout").read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        outcome.failure = f"it printed bytes that are not UTF-8 text (at byte {error.start})"
    status = answer["status"]
    result = scratch / "result.json"
    if answer["verdict"] == "timed out":
        outcome.failure = f"it did not end within {limit:g} s and was killed"
    elif answer["verdict"] == "flooded":
        outcome.failure = f"it printed more than {OUTPUT_LIMIT:,} bytes and was killed"
    elif answer["verdict"] == "multiplied":
        outcome.failure = f"it started more than {PROCESS_LIMIT} processes and was killed"
    elif status < 0:
        outcome.failure = f"it was killed by signal {-status} ({_signal_name(-status)})"
    elif not result.exists():
        outcome.failure = f"its process ended with exit code {status} before the program's end"
    else:
        told = json.loads(result.read_text(encoding="utf-8"))
        outcome.seconds, outcome.figures, outcome.exception = told["seconds"], told["figures"], told["exception"]
        outcome.variables = told["variables"]
        if outcome.exception:
            outcome.failure = "it raised {type}: {message}".format(**outcome.exception)
        elif status:
            outcome.failure = f"it ended with exit code {status}"
    return outcome


def _readers_traceback(text: str, scratch: Path) -> str:
    """A traceback as the reader of the program would see it: no scratch directory, no frames of ours."""
    ours = (f'File "{Path(__file__).parent}{os.sep}', 'File "<frozen runpy>"')
    lines = [line for line in text.split("\n") if not line.strip().startswith(ours)]
    return "\n".join(lines).replace(f"{scratch}{os.sep}", "")


def _signal_name(number: int) -> str:
    import signal

    return signal.Signals(number).name


def _judge_exception(outcome: Outcome, expected: str, match: str | None) -> str:
    """Whether a program that should raise did: an expected exception that does not come is a failure."""
    import re

    if outcome.exception is None:
        return outcome.failure or f"it should have raised {expected}, and raised nothing"
    if outcome.exception["type"] != expected.rpartition(".")[2]:
        return f"it should have raised {expected}; {outcome.failure}"
    if match and not re.search(match, outcome.exception["message"]):
        return f"the message of its {expected} does not match {match!r}; {outcome.failure}"
    return ""
