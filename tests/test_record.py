"""Records: what is written, what is refused, what is compared, and what survives an accident."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Sandbox, make_sandbox
from torchproof.compare import same_figure, same_output

DEMO = '"""T."""\nimport random\n\nimport matplotlib.pyplot as plt\nimport pytest\n\n\n'


def demo(body: str, name: str = "demo", mark: str = "") -> str:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return f'{mark}\ndef {name}():\n    """Show."""\n{lines}\n\n\n'


@pytest.mark.parametrize(
    ("recorded", "printed", "same"),
    [
        ("shape (3, 4)", "shape (3, 4)", True),
        ("shape (3, 4)", "shape (3, 5)", False),
        ("count 1000000", "count 1000001", False),
        ("loss 0.123456", "loss 0.123460", True),
        ("loss 0.123", "loss 0.124", False),
        ("tensor([0.1235])", "tensor([0.1234])", True),
        ("tensor([0.1236])", "tensor([0.1234])", False),
        ("1.0000e-03", "1.00005e-03", True),
        ("1.0e-03", "2.0e-03", False),
        ("value 1", "value 1.0", False),
        ("value -0.5", "value 0.5", False),
        ("nan", "0.0", False),
        ("inf", "-inf", False),
        ("torch.float32", "torch.float64", False),
        ("Linear 0.5", "linear 0.5", False),
        ("0.5 0.5", "0.5  0.5", False),
        ("a\nb", "a\nb\n", False),
        ("dtype int8 2.0", "dtype int16 2.0", False),
    ],
)
def test_numbers_have_a_tolerance_and_text_has_none(recorded: str, printed: str, same: bool) -> None:
    assert same_output(recorded, printed) is same


def test_figures_compare_by_coordinates() -> None:
    drawn = '<path d="M 57.6 307.584 L 80 12"/><text>loss</text>'
    assert same_figure(drawn, drawn.replace("307.584", "308.2"))
    assert not same_figure(drawn, drawn.replace("307.584", "308.4"))
    assert not same_figure(drawn, drawn.replace("loss", "gain"))


def test_a_path_may_be_closed_or_not_where_it_ends_in_its_beginning() -> None:
    back = "M 1 2 \nL 30.5 4 \nL 1.0 2.0 \n"
    elsewhere = "M 5 6 \nL 7 8 \nL 9 9 \n"
    assert same_figure(f'<path d="{back}z\n{elsewhere}"/>', f'<path d="{back}{elsewhere}"/>')
    assert not same_figure(f'<path d="{back}{elsewhere}z\n"/>', f'<path d="{back}{elsewhere}"/>')


def test_recording_twice_writes_once(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo("plt.plot([1, 2])\nplt.show()\nprint(0.5)"))
    first = sandbox.pytest("snippets", "--record")
    assert "docs/records/cpu/topic.json" in first.stdout
    before = {p: p.stat().st_mtime_ns for p in sandbox.root.rglob("docs/records/cpu/**/*")}
    second = sandbox.pytest("snippets", "--record")
    assert "no record changed" in second.stdout
    assert {p: p.stat().st_mtime_ns for p in sandbox.root.rglob("docs/records/cpu/**/*")} == before
    record = json.loads((sandbox.root / "docs/records/cpu/topic.json").read_text())
    assert set(record) == {"environment", "snippets"}
    assert {"python", "torch", "platform", "device"} <= set(record["environment"])
    assert set(record["snippets"]["demo"]) == {"sha256", "stdout", "figures", "seconds"}
    text = (sandbox.root / "docs/records/cpu/topic.json").read_text()
    assert text == json.dumps(record, indent=1, sort_keys=True) + "\n"


def test_noise_keeps_the_recorded_value(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo("print(0.123456)"))
    sandbox.pytest("snippets", "--record")
    path = sandbox.root / "docs/records/cpu/topic.json"
    path.write_text(path.read_text().replace("0.123456", "0.123457"))
    before = sandbox.records()
    assert sandbox.pytest("snippets").returncode == 0
    assert "no record changed" in sandbox.pytest("snippets", "--record").stdout
    assert sandbox.records() == before


def test_a_mismatch_shows_a_diff_and_the_command_that_accepts_it(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo('print("first 1")\nprint("loss 0.25")'))
    sandbox.pytest("snippets", "--record")
    path = sandbox.root / "docs/records/cpu/topic.json"
    path.write_text(path.read_text().replace("loss 0.25", "loss 0.35"))
    before = sandbox.records()
    failed = sandbox.pytest("snippets")
    assert failed.returncode == 1
    assert "-loss 0.35\n+loss 0.25\n" in failed.stdout
    assert "to accept it: pytest snippets/topic.py::demo --record" in failed.stdout
    assert sandbox.records() == before
    assert sandbox.pytest("snippets/topic.py::demo", "--record").returncode == 0
    assert sandbox.pytest("snippets").returncode == 0


def test_another_exception_is_told(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo('raise ValueError("old")', mark="@pytest.mark.raises(ValueError)"))
    sandbox.pytest("snippets", "--record")
    sandbox.write("snippets/topic.py", DEMO + demo('raise ValueError("new")', mark="@pytest.mark.raises(ValueError)"))
    failed = sandbox.pytest("snippets")
    assert failed.returncode == 1
    assert "topic.demo raises something else" in failed.stdout
    assert "-ValueError: old\n+ValueError: new\n" in failed.stdout


def test_a_fault_of_one_module_is_not_told_of_another(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo("print(1)"))
    sandbox.write("snippets/broken.py", "def demo(:\n")
    assert sandbox.pytest("snippets/topic.py", "--record").returncode == 0
    failed = sandbox.pytest("snippets")
    assert failed.returncode != 0
    assert "snippets/broken.py:1: not valid Python" in failed.stdout
    assert "1 error" in failed.stdout


def test_another_figure_is_told(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo("plt.plot([1, 2])"))
    sandbox.pytest("snippets", "--record")
    sandbox.write("snippets/topic.py", DEMO + demo("plt.plot([2, 1])"))
    failed = sandbox.pytest("snippets")
    assert failed.returncode == 1
    assert "topic.demo draws something else" in failed.stdout
    assert "to accept it: pytest snippets/topic.py::demo --record" in failed.stdout


def test_a_changed_program_is_stale_even_if_it_prints_the_same(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + "SIZE = 2\n\n\n" + demo("print(SIZE > 1)"))
    sandbox.pytest("snippets", "--record")
    sandbox.write("snippets/topic.py", DEMO + "SIZE = 1 + 1\n\n\n" + demo("print(SIZE > 1)"))
    failed = sandbox.pytest("snippets")
    assert failed.returncode == 1
    assert "the program was changed after it was recorded" in failed.stdout


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print(random.random())", "prints differently each time"),
        ("print({'red', 'green', 'blue', 'cyan', 'pink', 'gray'})", "prints differently each time"),
        ("print(object())", "prints differently each time"),
        ("plt.plot([random.random(), 2])", "draws differently each time"),
    ],
)
def test_refuses_what_differs_each_time(body: str, says: str, sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo(body) + demo("print(1)", "steady"))
    refused = sandbox.pytest("snippets", "--record")
    assert refused.returncode == 1
    assert says in refused.stdout
    assert "seed what is random" in refused.stdout
    entries = json.loads((sandbox.root / "docs/records/cpu/topic.json").read_text())["snippets"]
    assert set(entries) == {"steady"}


def test_a_measurement_is_shown_and_not_compared(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", DEMO + demo("print(random.random())", mark="@pytest.mark.measurement"))
    assert sandbox.pytest("snippets", "--record").returncode == 0
    assert sandbox.pytest("snippets").returncode == 0
    before = sandbox.records()
    assert "no record changed" in sandbox.pytest("snippets", "--record").stdout
    assert sandbox.records() == before


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Two modules with records, one with a figure; recorded once."""
    sandbox = make_sandbox(tmp_path_factory.mktemp("recorded"))
    sandbox.write("snippets/topic.py", DEMO + demo("plt.plot([1, 2])\nprint(1)") + demo("print(2)", "second"))
    sandbox.write("snippets/other.py", DEMO + demo("print(3)") + demo("print(4)", "second"))
    assert sandbox.pytest("snippets", "--record").returncode == 0
    return sandbox


@pytest.fixture
def recorded(original: Sandbox, tmp_path: Path) -> Sandbox:
    """A copy of it to break."""
    shutil.copytree(original.root, tmp_path / "copy")
    return Sandbox(tmp_path / "copy")


def test_damaged_records_are_named(recorded: Sandbox) -> None:
    path = recorded.root / "docs/records/cpu/topic.json"
    whole = path.read_text()
    damages = {
        "truncated": whole[: len(whole) // 2],
        "conflicted": "<<<<<<< ours\n" + whole,
        "edited": whole.replace('"sha256"', '"sha"'),
        "a list": "[]",
        "from nowhere": whole.replace('"threads"', '"thread"'),
    }
    for damage, text in damages.items():
        path.write_text(text)
        before = recorded.records()
        for command in (
            recorded.pytest("snippets/topic.py"),
            recorded.pytest("snippets/topic.py", "--record"),
            recorded.torchproof("check"),
        ):
            assert command.returncode == 1, damage
            told = command.stdout + command.stderr
            assert "topic.json:" in told, damage
            assert "the record" in told, damage
            assert "Traceback" not in told, damage
        assert recorded.records() == before


def test_a_lost_or_edited_figure_is_named_and_recording_brings_it_back(recorded: Sandbox) -> None:
    (figure,) = (recorded.root / "docs/records/cpu/topic").glob("*.svg")
    before = recorded.records()
    for damage, says in ((figure.unlink, "missing"), (lambda: figure.write_text("<svg/>"), "not the one")):
        damage()
        for command in (recorded.pytest("snippets/topic.py"), recorded.torchproof("check")):
            assert command.returncode == 1
            assert says in command.stdout
        assert recorded.pytest("snippets/topic.py", "--record").returncode == 0
        assert recorded.records() == before


def test_each_entry_says_where_it_ran(recorded: Sandbox) -> None:
    """A part of a module that is recorded elsewhere says so itself; recorded as a whole, the file says it for all."""
    path = recorded.root / "docs/records/cpu/topic.json"
    here = json.loads(path.read_text())["environment"]
    data = json.loads(path.read_text())
    data["environment"]["torch"] = "1.0.0"
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    before = recorded.records()
    # It prints what it printed elsewhere: there is nothing new to say.
    assert recorded.pytest("snippets/topic.py::second", "--record").returncode == 0
    assert recorded.records() == before

    source = (recorded.root / "snippets/topic.py").read_text()
    recorded.write("snippets/topic.py", source.replace("print(2)", "print(3)"))
    assert recorded.pytest("snippets/topic.py::second", "--record").returncode == 0
    data = json.loads(path.read_text())
    assert data["environment"] == {**here, "torch": "1.0.0"}
    assert data["snippets"]["second"]["environment"] == here
    assert "environment" not in data["snippets"]["demo"]
    recorded.write("docs/index.md", "::: snippets.topic.demo\n    alt: A line.\n\n::: snippets.topic.second\n")
    (recorded.root / "snippets/other.py").unlink()
    (recorded.root / "docs/records/cpu/other.json").unlink()
    assert recorded.mkdocs("--strict").returncode == 0
    page = (recorded.root / "site/index.html").read_text()
    assert page.index("CPU torch 1.0.0") < page.index(f"CPU torch {here['torch']}")

    assert recorded.pytest("snippets/topic.py", "--record").returncode == 0
    data = json.loads(path.read_text())
    assert data["environment"] == here
    assert all("environment" not in entry for entry in data["snippets"].values())


def test_two_recorders_at_once_lose_nothing(sandbox: Sandbox) -> None:
    names = [f"demo{i}" for i in range(8)]
    sandbox.write("snippets/topic.py", DEMO + "".join(demo(f"print({i})", name) for i, name in enumerate(names)))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    halves = [" or ".join(names[:4]), " or ".join(names[4:])]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "pytest", "snippets", "--device", "cpu", "--record", "-k", half],
            cwd=sandbox.root,
            env=environment,
            stdout=subprocess.PIPE,
        )
        for half in halves
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    entries = json.loads((sandbox.root / "docs/records/cpu/topic.json").read_text())["snippets"]
    assert sorted(entries) == names


def test_two_processes_record_what_one_does(recorded: Sandbox) -> None:
    before = recorded.records()
    for path in recorded.root.glob("docs/records/cpu/*.json"):
        path.unlink()
    assert recorded.pytest("snippets", "--record", "-n", "2").returncode == 0
    stripped = [{name: data.split(b'"seconds"')[0] for name, data in files.items()} for files in (before, recorded.records())]
    assert stripped[0] == stripped[1]
    assert set(before) == set(recorded.records())


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_recording_changes_nothing(blow: signal.Signals, recorded: Sandbox) -> None:
    started = recorded.root / "started"
    begun = f"Path('pid').write_text(str(os.getpid()))\nos.replace('pid', {str(started)!r})"
    slow = f"import os, time\nfrom pathlib import Path\nprint(2)\n{begun}\ntime.sleep(25)"
    recorded.write("snippets/topic.py", DEMO + demo("plt.plot([2, 1])\nprint(10)") + demo(slow, "second"))
    before = recorded.records()
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "snippets/topic.py", "--device", "cpu", "--record"],
        cwd=recorded.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(blow)
    running.wait(60)
    assert recorded.records() == before
    if blow == signal.SIGINT:  # Killed, pytest can take nothing along.
        # An ended process that nobody has asked about has no command any more.
        program = Path(f"/proc/{started.read_text()}/cmdline")
        deadline = time.monotonic() + 10
        while (running_still := program.exists() and program.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not running_still


def test_runs_as_pytest_users_expect(recorded: Sandbox) -> None:
    chosen = recorded.pytest("snippets", "-k", "second", "-v")
    assert chosen.stdout.count("::second PASSED") == 2
    assert "2 deselected" in chosen.stdout
    recorded.write("snippets/other.py", DEMO + demo("print(5)") + demo("print(6)", "second"))
    assert "2 failed, 2 passed" in recorded.pytest("snippets").stdout
    assert "1 failed" in recorded.pytest("snippets", "-x").stdout
    again = recorded.pytest("snippets", "--lf")
    assert "2 failed" in again.stdout
    assert "passed" not in again.stdout.splitlines()[-1]
    assert "2 failed, 2 passed" in recorded.pytest("snippets", "-n", "2").stdout
    listed = recorded.pytest("snippets", "--collect-only", "-q")
    assert "snippets/topic.py::demo" in listed.stdout


def test_a_broken_snippet_is_a_collection_error_without_our_traceback(recorded: Sandbox) -> None:
    recorded.write("snippets/other.py", '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(missing)\n')
    failed = recorded.pytest("snippets")
    assert failed.returncode == 2
    assert "other.py:4: the name missing is found nowhere" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_a_test_gets_the_final_namespace(recorded: Sandbox) -> None:
    recorded.write(
        "snippets/topic.py",
        '"""T."""\nimport torch\n\n\ndef demo():\n    """Show."""\n    column = torch.ones(3, 1)\n    print(column.shape)\n',
    )
    recorded.write(
        "snippets/test_topic.py",
        """
        def test_shape(run):
            namespace = run("snippets.topic.demo")
            assert namespace["column"].shape == (3, 1)

        def test_unknown(run):
            run("snippets.topic.demi")
        """,
    )
    result = recorded.pytest("snippets/test_topic.py")
    assert "1 failed, 1 passed" in result.stdout
    assert "did you mean snippets.topic.demo" in result.stdout


def test_the_file_is_readable_by_others(recorded: Sandbox) -> None:
    assert all(Path(p).stat().st_mode & 0o044 for p in recorded.root.rglob("docs/records/cpu/**/*.*"))
