"""A pytest plugin for mutation testing: leaves out what takes too long, kills what does not end, records what runs where."""

from __future__ import annotations

import importlib
import json
import os
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# The whole site is built for these, or a browser started: half a minute before the first of them begins.
_SLOW_FIXTURES = {"site", "site_url", "browser"}
os.environ.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
_recording = os.environ.get("TORCHPROOF_RECORDING")
_recorded: dict[str, dict[str, Any]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs the built site or a browser."""
    items[:] = [item for item in items if not _SLOW_FIXTURES & set(getattr(item, "fixturenames", ()))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End this process if a test takes longer than `TORCHPROOF_LIMITS`, a file of seconds for each test, allows."""
    if path := os.environ.get("TORCHPROOF_LIMITS"):
        # Not a handler in Python, which would wait for the end of what C code is doing.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, json.loads(Path(path).read_text())[item.nodeid])
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _phase(item: pytest.Item, phase: str) -> Generator[None, None, None]:
    if not _recording:
        yield
        return
    told = _recorded.setdefault(item.nodeid, {"number": len(_recorded), "passed": False})
    lines = Path(_recording) / (f"{told['number']}" if phase == "call" else "shared")
    importlib.import_module("warm").trace_to(str(lines))
    start = time.perf_counter()
    yield
    told[phase] = time.perf_counter() - start
    if phase == "call":
        told["passed"] = True
    Path(_recording, "recorded.json").write_text(json.dumps(_recorded))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """What a fixture runs, all tests of the file can notice."""
    yield from _phase(item, "setup")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What the test itself runs."""
    yield from _phase(item, "call")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """What ends a fixture."""
    yield from _phase(item, "teardown")
