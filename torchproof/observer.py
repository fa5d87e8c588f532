"""A pytest plugin for `make compat`: writes to a file what each program did, and why that is not as recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from torchproof.judge import Failed
from torchproof.plugin import SnippetItem, Unlike
from torchproof.session import SESSION
from torchproof.versions import Gap

# A diff on the page says where to look; the program shows the rest.
_LINES = 6
_WIDTH = 240
_PATIENCE = 10
_OWN_FOLDERS = re.compile(r"[^\s\"']*/(?:site-packages|torchproof-\w+)/")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
# How C++ code of torch begins its warnings: date, time and number of the process.
_LOG = re.compile(r"\[([WEF])\d{3,4} [\d:.]+ (?:\d+ )?")
_MARKER = re.compile(r"^[\s^~]*$")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--observe`."""
    parser.getgroup("torchproof").addoption("--observe", type=Path, metavar="FILE", required=True, help="where to write it")


def pytest_configure(config: pytest.Config) -> None:
    """Look on."""
    config.pluginmanager.register(_Observer(config.getoption("--observe")), "torchproof observer")


class _Observer:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.programs: dict[str, dict[str, str]] = {}
        self.gaps: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how an item ended while its exception is still one."""
        if isinstance(item, SnippetItem):
            snippet = item.snippet
            self.programs.setdefault(snippet.module, {})[snippet.name] = item.program.sha256
            if call.excinfo:
                gap = gap_of(call.excinfo.value)
                self.gaps.setdefault(snippet.module, {})[snippet.name] = gap.to_json()
        return (yield)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is compared is what programs do: none fails because versions share a busy machine."""
        session.config.stash[SESSION].runner("cpu").patience = _PATIENCE

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was seen; an interrupted run has seen too little."""
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            environment = session.config.stash[SESSION].environment("cpu")
            told = {"environment": environment, "programs": self.programs, "gaps": self.gaps}
            self.path.write_text(json.dumps(told), encoding="utf-8")


def gap_of(ended: BaseException) -> Gap:
    """What the exception that ended an item says of its program."""
    if isinstance(ended, pytest.skip.Exception):
        return Gap("skipped", _plain(ended.msg or ""))
    if isinstance(ended, Unlike):
        changed = [_plain(line) for line in ended.diff.split("\n")[2:] if line.startswith(("-", "+"))]
        more = [f"… and {len(changed) - _LINES} more lines"] if len(changed) > _LINES else []
        return Gap("differs", ended.what.strip(), (*changed[:_LINES], *more))
    if isinstance(ended, Failed):
        return Gap("fails", _plain(_why(ended.outcome.failure, ended.outcome.stderr)))
    return Gap("fails", _plain(str(ended)))


def _why(failure: str, stderr: str) -> str:
    """How a run failed, with the line of the program where that alone says little."""
    lines = [line.strip() for line in stderr.split("\n") if not _MARKER.match(line)]
    if failure == "it wrote to standard error" and lines:
        return f"{failure}: {lines[0]}"
    if failure.endswith("AssertionError: ") and len(lines) > 1:
        return f"its assertion fails: {lines[-2]}"
    return failure


def _plain(text: str) -> str:
    """One line that reads the same on every machine."""
    line = text.strip().partition("\n")[0]
    line = _LOG.sub(r"[\1 ", _ADDRESS.sub("0x…", _OWN_FOLDERS.sub("", line)))
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
