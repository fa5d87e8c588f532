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


@pytest.mark.parametrize("module", PROJECT.catalog.modules)
def test_demos_print_the_same_when_called(module: str) -> None:
    demos = [
        snippet.name
        for snippet in PROJECT.catalog.modules[module].snippets.values()
        if snippet.kind == "demo" and not DIFFERENT & set(snippet.marks) and not excuse(snippet)
    ]
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-X", "utf8", "tests/functions.py", module, *demos]
    called = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert called.returncode == 0, called.stderr
    printed = json.loads(called.stdout)
    assert set(printed) == set(demos)
    entries = PROJECT.record("cpu", module).entries
    different = {name: text for name, text in printed.items() if not same_output(entries[name].stdout, text)}
    assert not different
