"""A snippet also works as what it is, a function: imported and called, it prints what its program prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.standalone import excuse
from torchproof.compare import same_output
from torchproof.project import Project

PROJECT = Project(REPOSITORY)
# Marks of programs that print something else each time, end in an exception, or say why they differ.
DIFFERENT = {"measurement", "raises", "not_importable", "spawns"}


@pytest.fixture(scope="module")
def printed_when_called() -> dict[str, str]:
    """What every demo prints when it is called."""
    demos = [s for s in PROJECT.catalog.snippets() if s.kind == "demo" and not DIFFERENT & set(s.marks) and not excuse(s)]
    # One thread, as where the programs are recorded: two that share a busy core wait for each other.
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-X", "utf8", "tests/functions.py", *(f"{demo.module}.{demo.name}" for demo in demos)]
    called = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=900)
    assert called.returncode == 0, called.stderr
    told: dict[str, str] = json.loads(called.stdout)
    assert len(told) == len(demos) > 300
    return told


@pytest.mark.parametrize("module", PROJECT.catalog.modules)
def test_demos_print_the_same_when_called(module: str, printed_when_called: dict[str, str]) -> None:
    entries = PROJECT.record("cpu", module).entries
    mine = {name.partition(".")[2]: text for name, text in printed_when_called.items() if name.startswith(f"{module}.")}
    different = {name: text for name, text in mine.items() if not same_output(entries[name].stdout, text)}
    assert not different
