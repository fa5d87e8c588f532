"""The last step of `pytest snippets --record`: gather what every process ran, then write."""

from __future__ import annotations

from typing import Any

import pytest

from torchproof.judge import recordable
from torchproof.problems import Problem
from torchproof.record import Run, record_path, store
from torchproof.session import Session

# Under this name a run travels in the report of its test.
PROPERTY = "torchproof run"


class Recorder:
    """Gathers the runs of all processes and writes the records once, when everything has run."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.runs: dict[tuple[str, str], list[Run]] = {}
        self.environments: dict[str, dict[str, Any]] = {}
        self.written: list[str] = []
        self.problems: list[Problem] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the run out of the report of a test that passed."""
        if report.when != "call" or not report.passed:
            return
        for told in (value for name, value in report.user_properties if name == PROPERTY):
            assert isinstance(told, dict)
            fields = dict(told["run"])
            device, module = fields.pop("device"), fields.pop("module")
            fields["figures"], fields["variables"] = tuple(fields["figures"]), tuple(fields["variables"])
            self.environments[device] = told["environment"]
            self.runs.setdefault((device, module), []).append(Run(**fields))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was gathered; an interrupted run writes nothing."""
        if not self.session.recording or session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return
        for (device, module), runs in sorted(self.runs.items()):
            known = recordable(self.session.catalog.modules[module], device)
            try:
                if store(self.session.root, device, module, self.environments[device], runs, known):
                    self.written.append(str(record_path(self.session.root, device, module).relative_to(self.session.root)))
            except (Problem, OSError) as problem:
                self.problems.append(
                    problem if isinstance(problem, Problem) else Problem(f"the record of {module} cannot be written: {problem}")
                )
        if self.problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was written, and what could not be."""
        if self.session.recording:
            terminalreporter.section("records")
            terminalreporter.write_line("\n".join(self.written) or "no record changed")
            for problem in self.problems:
                terminalreporter.write_line(str(problem), red=True)
