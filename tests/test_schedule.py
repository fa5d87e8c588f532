"""With pytest-xdist, what takes longest begins first; without it, and with other distributions, all keeps its order."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import Sandbox

SECONDS = {"demo_a": 0.1, "demo_b": 3.0, "demo_c": 0.2, "demo_d": 30.0}
IN_ORDER = ["demo_a", "demo_b", "demo_c", "demo_d", "test_e"]
LONGEST_FIRST = ["demo_d", "demo_b", "test_e", "demo_c", "demo_a"]


@pytest.fixture
def timed(sandbox: Sandbox) -> Sandbox:
    """Four programs with a record that tells how long they took, and a test."""
    demos = [f'\n\ndef {name}() -> None:\n    """Print its name."""\n    print("{name}")\n' for name in SECONDS]
    sandbox.write("snippets/timed.py", '"""Programs."""' + "".join(demos))
    sandbox.write("snippets/test_timed.py", "def test_e() -> None:\n    assert True\n")
    assert sandbox.pytest("snippets", "--record").returncode == 0
    record = sandbox.root / "docs" / "records" / "cpu" / "timed.json"
    data = json.loads(record.read_text())
    for name, seconds in SECONDS.items():
        data["snippets"][name]["seconds"] = seconds
    record.write_text(json.dumps(data))
    return sandbox


def order(sandbox: Sandbox, *arguments: str) -> list[str]:
    run = sandbox.pytest("snippets/timed.py", "snippets/test_timed.py", "-v", "-p", "no:randomly", *arguments)
    assert run.returncode == 0, run.stdout
    lines = [line for line in run.stdout.splitlines() if "PASSED" in line]
    return [found[0] for line in lines if (found := re.findall(r"(?:demo|test)_[a-e]\b", line))]


def test_one_process_of_xdist_takes_the_longest_first(timed: Sandbox) -> None:
    assert order(timed, "-n", "1") == LONGEST_FIRST


def test_without_xdist_the_order_is_that_of_the_files(timed: Sandbox) -> None:
    assert order(timed) == IN_ORDER


def test_another_distribution_keeps_its_order(timed: Sandbox) -> None:
    assert order(timed, "-n", "1", "--dist", "loadscope") == IN_ORDER


def test_nothing_waits_behind_what_takes_long(sandbox: Sandbox) -> None:
    short = [f'\n\ndef demo_{i}() -> None:\n    """Print a number."""\n    print({i})\n' for i in range(40)]
    long = '\n\ndef demo_long() -> None:\n    """Take its time."""\n    import time\n\n    time.sleep(4)\n'
    sandbox.write("snippets/waiting.py", '"""Programs."""' + long + "".join(short))
    assert sandbox.pytest("snippets", "--record").returncode == 0

    def behind_it(*arguments: str) -> int:
        run = sandbox.pytest("snippets", "-n", "2", "-v", *arguments)
        ran = re.findall(r"\[(gw\d)\].*PASSED.*::(\w+)", run.stdout)
        assert len(ran) == 41
        (busy,) = (process for process, name in ran if name == "demo_long")
        return sum(process == busy for process, _ in ran)

    # It, and what a process has ready at any time; by default xdist gives each process five of these at the start.
    assert behind_it() < 5
    assert behind_it("--maxschedchunk", "20") >= 5


def test_parts_are_cut_before_the_order_changes(timed: Sandbox) -> None:
    parts = [order(timed, "-n", "1", "--splits", "2", "--group", group) for group in ("1", "2")]
    assert parts[0] == [name for name in LONGEST_FIRST if name in IN_ORDER[: len(parts[0])]]
    assert sorted(parts[0] + parts[1]) == IN_ORDER


def test_a_damaged_record_does_not_stop_the_order(timed: Sandbox) -> None:
    (timed.root / "docs" / "records" / "cpu" / "timed.json").write_text("{")
    run = timed.pytest("snippets", "-n", "1")
    assert "the record is not valid JSON" in run.stdout
    assert "1 passed" in run.stdout
