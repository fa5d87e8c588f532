"""The pytest plugin: `pytest snippets` runs every program, compares it with its record, and with `--record` writes it."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from torchproof.catalog import Snippet
from torchproof.compare import difference, variables_difference
from torchproof.imports import PACKAGE
from torchproof.judge import as_run, settled
from torchproof.marks import MARKS
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.record import DEVICES, Run, mismatch
from torchproof.recorder import PROPERTY, Recorder
from torchproof.schedule import Schedule
from torchproof.session import SESSION, Session


class SnippetFile(pytest.File):
    """A snippet module; collected by reading, never imported."""

    def collect(self) -> Iterable[SnippetItem]:
        """One item for each snippet and device; a snippet that cannot become a program is a collection error."""
        session = self.config.stash[SESSION]
        faults = [p for p in session.catalog.problems if p.place and p.place.path == self.path]
        module = session.catalog.modules.get(self.path.stem)
        programs = []
        for snippet in module.snippets.values() if module else ():
            try:
                programs.append(session.programs.build(snippet))
            except Problem as problem:
                faults.append(problem)
        if faults:
            raise self.CollectError("\n".join(map(str, faults)))
        for program in programs:
            for device in session.devices:
                name = program.snippet.name if device == "cpu" else f"{program.snippet.name}[{device}]"
                yield SnippetItem.from_parent(self, name=name, program=program, device=device)


class Unlike(Exception):
    """A program did something else than its record says; the message is for the author.

    Args:
        where: The program and its place.
        what: What differs.
        fix: What to do about it.
        diff: From the record to this run.
    """

    def __init__(self, where: str, what: str, fix: str, diff: str = "") -> None:
        super().__init__("\n".join(filter(None, [f"{where}{what}", diff, f"    to {fix}"])))
        self.what = what
        self.diff = diff


class SnippetItem(pytest.Item):
    """One program on one device."""

    def __init__(self, *, program: Program, device: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.device = device
        for mark in program.snippet.marks.values():
            self.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))

    @property
    def snippet(self) -> Snippet:
        """The snippet that the program was made from."""
        return self.program.snippet

    @property
    def seconds(self) -> float:
        """How long it took when it was recorded; 0 if there is no record, or none that can be read."""
        try:
            entry = self._session.record(self.device, self.snippet.module).entries.get(self.snippet.name)
        except Problem:
            return 0.0
        return entry.seconds if entry else 0.0

    def setup(self) -> None:
        """Skip, with the reason, what this machine cannot run."""
        marks = self.snippet.marks
        if "cpu_only" in marks and self.device != "cpu":
            pytest.skip(f"runs on the CPU only: {marks['cpu_only'].args[0]}")
        if "needs" in marks and shutil.which(marks["needs"].args[0]) is None:
            pytest.skip(f"needs the command {marks['needs'].args[0]}, which is not installed here")
        if "gpus" in marks:
            needed = marks["gpus"].args[0]
            count = self._session.environment(self.device)["count"] if self.device == "cuda" else 0
            if count < needed:
                pytest.skip(f"needs {needed} GPU{'s' if needed > 1 else ''}, this run has {count}")

    def runtest(self) -> None:
        """Run the program, then compare it with its record, or hand it over to be recorded."""
        if not self._session.recording:
            self._compare(self._run())
            return
        run = settled(self.program, self._run)
        # Sent along with the report: under xdist the process that started the run is the one that writes.
        told = {**asdict(run), "device": self.device, "module": self.snippet.module}
        self.user_properties.append((PROPERTY, {"run": told, "environment": self._session.environment(self.device)}))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own failures speak for themselves; a traceback of the machinery helps nobody."""
        if isinstance(excinfo.value, Unlike | Problem):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line and title for pytest's reports."""
        return self.path, self.snippet.place.line - 1, f"{self.snippet.full_name} on {self.device}"

    @property
    def _session(self) -> Session:
        return self.config.stash[SESSION]

    @property
    def _accept(self) -> str:
        device = "" if self.device == "cpu" else f" --device {self.device}"
        return f"pytest {self.snippet.node_id}{device} --record"

    def _run(self, again: bool = False) -> Run:
        return as_run(self.program, self._session.runner(self.device, again).run(self.program))

    def _compare(self, run: Run) -> None:
        record = self._session.record(self.device, self.snippet.module)
        entry = record.entries.get(self.snippet.name)
        where = f"{self.snippet.place}: {self.snippet.full_name}"
        if entry is None:
            if self.device == "cpu":
                raise Unlike(where, " has no record", f"record it: {self._accept}")
            # A machine with an accelerator of its own kind shows that the programs run there; records are made on one.
            return
        accept = f"accept it: {self._accept}"
        what = "" if run.measurement else mismatch(record, entry, run, self._session.environment(self.device))
        if what == "output":
            raise Unlike(where, " prints something else", accept, difference(entry.stdout, run.stdout))
        if what == "exception":
            told = ["{type}: {message}".format(**raised) if raised else "" for raised in (entry.exception, run.exception)]
            raise Unlike(where, " raises something else", accept, difference(*told))
        if what == "variables":
            diff = variables_difference(entry.variables, run.variables)
            raise Unlike(where, " leaves something else in its variables", accept, diff)
        if what:
            raise Unlike(where, " draws something else", accept)
        if entry.sha256 != run.sha256:
            raise Unlike(where, ": the program was changed after it was recorded", accept)


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Load nbval only for a run that asks for it: its imports take as long as thirty snippets."""
    if any(argument.startswith("--nbval") for argument in args):
        try:
            early_config.pluginmanager.import_plugin("nbval.plugin")
            early_config.pluginmanager.import_plugin("torchproof.validate")
        except ImportError:
            raise pytest.UsageError("--nbval needs nbval, which is not installed: pip install nbval") from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--device` and `--record`."""
    group = parser.getgroup("torchproof", "snippets")
    group.addoption(
        "--device", choices=DEVICES, help="run the programs there (default: the CPU, and an accelerator if there is one)"
    )
    group.addoption("--record", action="store_true", help="write docs/records/<device>/ from what the programs do")
    group.addoption("--stale", action="store_true", help="run only the programs whose record is missing or of another program")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known, and read the catalog if there is one."""
    for usage, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{usage}: {meaning}")
    if (config.rootpath / PACKAGE).is_dir():
        config.stash[SESSION] = Session(config)
        config.pluginmanager.register(Schedule(), "torchproof schedule")
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Recorder(config.stash[SESSION]), "torchproof recorder")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the workers."""
    if SESSION in config.stash:
        config.stash[SESSION].close()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
    """A snippet module is ours alone: pytest's own collector would import it."""
    collected = yield
    config = parent.config
    if SESSION not in config.stash or file_path.parent != config.rootpath / PACKAGE:
        return collected
    if file_path.suffix != ".py" or file_path.name.startswith(("test_", "conftest", "__init__")):
        return collected
    return [SnippetFile.from_parent(parent, path=file_path)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--stale`, leave out what has a fresh record, and tests that are no programs."""
    if not config.option.stale or SESSION not in config.stash:
        return
    session = config.stash[SESSION]
    kept = [item for item in items if isinstance(item, SnippetItem) and not session.is_fresh(item.program, item.device)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With `--stale`, to find nothing to run is good news."""
    if session.config.option.stale and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not session.testsfailed:
        session.exitstatus = pytest.ExitCode.OK


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the workers import torch as soon as it is known what will run."""
    items = [item for item in session.items if isinstance(item, SnippetItem)]
    is_xdist_controller = session.config.pluginmanager.hasplugin("dsession")
    if not items or session.config.option.collectonly or is_xdist_controller:
        return
    ours = session.config.stash[SESSION]
    ours.prepare((item.device, item.program) for item in items)
    if not hasattr(session.config, "workerinput"):
        # Said once, rather than by each program.
        try:
            for device in {item.device for item in items} - {"cpu"}:
                ours.environment(device)
        except Problem as problem:
            raise pytest.UsageError(str(problem)) from None


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Run a program inside the test and hand over its final namespace: `run("snippets.tensors.outer_sum")`."""
    session = request.config.stash[SESSION]

    def run_program(full_name: str) -> dict[str, Any]:
        snippet = session.catalog.find(full_name)
        path = tmp_path / f"{snippet.name}.py"
        path.write_text(session.programs.build(snippet).source, encoding="utf-8")
        (tmp_path / "cwd").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "cwd")
        monkeypatch.setattr(sys, "argv", [str(path)])
        return runpy.run_path(str(path), run_name="__main__")

    return run_program
