"""Which programs `pytest snippets` finds, on which device, and which of them are stale; nothing runs."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Sandbox
from tests.handmade import project_of, record, run_of
from torchproof.marks import MARKS

MODULE = '''
"""T."""
import pytest


def first():
    """Show."""
    print(1)


@pytest.mark.cpu_only("why")
def second():
    """Show."""
    print(2)


@pytest.mark.gpus(1)
def third():
    """Show."""
    print(3)
'''


@pytest.fixture
def topic(sandbox: Sandbox) -> Sandbox:
    project = project_of(
        sandbox.root,
        {"snippets/topic.py": MODULE, "snippets/test_topic.py": "def test_one():\n    pass\n", "snippets/notes.txt": "x\n"},
    )
    record(project, "cpu", "topic", run_of(project, "topic.first", "1\n"))
    return sandbox


def collected(sandbox: Sandbox, *arguments: str) -> tuple[list[str], int]:
    ran = sandbox.pytest("--collect-only", "-q", *arguments)
    return sorted(re.findall(r"^snippets/.*::.*$", ran.stdout, re.MULTILINE)), ran.returncode


def test_programs_and_tests_beside_them_are_found(topic: Sandbox) -> None:
    tests, programs = (
        ["snippets/test_topic.py::test_one"],
        [f"snippets/topic.py::{name}" for name in ("first", "second", "third")],
    )
    assert collected(topic) == (sorted(tests + programs), 0)
    assert collected(topic, "snippets/topic.py", "--device", "cuda") == ([f"{name}[cuda]" for name in programs], 0)
    assert collected(topic, "-m", "gpus") == (programs[2:], 0)


def test_stale_programs_alone_are_found(topic: Sandbox) -> None:
    assert collected(topic, "--stale") == (["snippets/topic.py::second"], 0)
    assert collected(topic, "--stale", "--device", "cuda") == (
        ["snippets/topic.py::first[cuda]", "snippets/topic.py::third[cuda]"],
        0,
    )
    # A damaged record counts as none.
    (topic.root / "docs/records/cpu/topic.json").write_text("{")
    assert collected(topic, "--stale") == ([f"snippets/topic.py::{name}" for name in ("first", "second", "third")], 0)


def test_nothing_stale_is_good_news(topic: Sandbox) -> None:
    topic.write("snippets/topic.py", MODULE[: MODULE.index("@pytest.mark.cpu_only")])
    assert collected(topic, "--stale", "snippets/topic.py") == ([], 0)
    assert collected(topic, "-k", "nothing") == ([], 5)


def test_the_marks_explain_themselves(topic: Sandbox) -> None:
    told = topic.pytest("--markers").stdout
    for usage, meaning in MARKS.items():
        assert f"@pytest.mark.{usage}: {meaning}\n" in told
