"""What the variables of a program hold at its end: how it is told, recorded, compared and shown."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.blocks import parts_of
from tests.conftest import Sandbox
from tests.handmade import CPU, project_of, record, run_of
from torchproof.changes import as_markdown, changes
from torchproof.compare import alike_variables, same_variables
from torchproof.record import mismatch
from torchproof.render import Renderer
from torchproof.variables import variables

Point = namedtuple("Point", "x y")


class Hostile:
    """Answers no question."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Broken(torch.Tensor):
    """A tensor without a shape."""

    @property
    def shape(self) -> Any:
        """Refuse."""
        raise RuntimeError


def constant_layer() -> nn.Module:
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 0.5)
    nn.init.constant_(layer.bias, -1.0)
    return layer


def learned() -> torch.Tensor:
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    (3 * weights).sum().backward()
    return weights


def learned_layer() -> nn.Module:
    layer = constant_layer()
    layer(torch.ones(1, 2)).backward()
    return layer


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, "int: 3"),
        (True, "bool: True"),
        (0.5, "float: 0.5"),
        (2.0, "float: 2.0"),
        (1 / 3, "float: 0.3333"),
        (1e-9, "float: 1e-09"),
        (float("inf"), "float: inf"),
        (float("nan"), "float: nan"),
        (1 + 2j, "complex: (1+2j)"),
        (None, "NoneType: None"),
        ("word", "str: 'word'"),
        ("x" * 500, f"str: '{'x' * 159}…"),
        (range(3), "range: range(0, 3)"),
        (torch.float16, "dtype: torch.float16"),
        (torch.Size([2, 3]), "Size: torch.Size([2, 3])"),
        (object(), "object"),
        (torch.tensor(3), "int64 tensor (): 3"),
        (torch.tensor([[1.0, 2.5]]), "float32 tensor (1, 2): [[1.0, 2.5]]"),
        (torch.arange(9), "int64 tensor (9,): from 0 to 8, mean 4.0"),
        (torch.arange(8), "int64 tensor (8,): [0, 1, 2, 3, 4, 5, 6, 7]"),
        (torch.arange(10).half(), "float16 tensor (10,): from 0.0 to 9.0, mean 4.5"),
        (torch.arange(10, dtype=torch.uint8), "uint8 tensor (10,): from 0 to 9, mean 4.5"),
        (torch.tensor([-3.0, 3.0] * 5) + 1e-9, "float32 tensor (10,): from -3.0 to 3.0, mean 0.0"),
        (torch.ones(20).to(torch.float8_e4m3fn), "float8_e4m3fn tensor (20,): all 1.0"),
        (torch.tensor([True] * 9 + [False]), "bool tensor (10,): 9 of 10 true"),
        (torch.full((10,), 3 + 4j), "complex64 tensor (10,): all 5.0"),
        (torch.tensor([2.0], requires_grad=True), "float32 tensor (1,), requires grad: [2.0]"),
        (nn.Parameter(torch.zeros(2)), "float32 parameter (2,), requires grad: [0.0, 0.0]"),
        (torch.empty(3, device="meta"), "float32 tensor (3,) on meta"),
        (torch.empty(0), "float32 tensor (0,)"),
        (torch.eye(3).to_sparse(), "float32 tensor (3, 3)"),
        (np.arange(3.0), "float64 array (3,): [0.0, 1.0, 2.0]"),
        (constant_layer(), "Linear with 3 parameters: [0.5, 0.5, -1.0]"),
        (nn.ReLU(), "ReLU"),
        ([], "list of 0: []"),
        ([1, [2.0, "three"]], "list of 2: [1, [2.0, 'three']]"),
        ([torch.half, torch.Size([2])], "list of 2: [torch.float16, (2,)]"),
        (list(range(100)), "list of 100: from 0 to 99, mean 49.5"),
        ([[[[1]]]], "list of 1: [[[…]]]"),
        ((1,), "tuple of 1: (1,)"),
        ({2, 1}, "set of 2: {1, 2}"),
        (set(), "set of 0: set()"),
        ({"a": torch.zeros(2)}, "dict of 1: {'a': float32 tensor (2,) ([0.0, 0.0])}"),
        (OrderedDict(a=1), "OrderedDict of 1: {'a': 1}"),
        (Point(1, 2), "Point of 2: (1, 2)"),
        (["x" * 90] * 9, f"list of 9: [{'x' * 90!r}, {'x' * 90!r}, {'x' * 90!r}, {'x' * 90!r}, {'x' * 90!r}, …]"),
        (constant_layer().eval(), "Linear with 3 parameters, in eval mode: [0.5, 0.5, -1.0]"),
        (learned(), "float32 tensor (2,), requires grad: [1.0, 2.0]; grad [3.0, 3.0]"),
        (learned() * 1, "float32 tensor (2,), requires grad: [1.0, 2.0]"),
        (learned_layer(), "Linear with 3 parameters: [0.5, 0.5, -1.0]; grad [1.0, 1.0, 1.0]"),
        (torch.optim.SGD([learned()], lr=0.1, momentum=0.9), "SGD: lr=0.1, momentum=0.9"),
        (torch.optim.SGD([{"params": [learned()]}, {"params": [learned()], "lr": 1.0}], lr=0.1), "SGD: lr=0.1; lr=1.0"),
        (torch.Generator().manual_seed(3), "Generator: seed 3"),
        (Broken([1.0]), "Broken"),
    ],
)
def test_a_value_is_told_by_what_it_is_and_what_is_in_it(value: Any, told: str) -> None:
    assert variables({"name": value}) == [f"name: {told}"]


def test_what_is_no_data_is_left_out() -> None:
    import matplotlib.figure

    figure = matplotlib.figure.Figure()
    axes = figure.subplots(1, 2)
    namespace = {"first": 1, "nn": nn, "relu": torch.relu, "Point": Point, "constant_layer": constant_layer}
    namespace |= {"figure": figure, "axes": axes, "ax": axes[0], "_private": 1, "__name__": "__main__", "len": len, "last": 2}
    assert variables(namespace) == ["first: int: 1", "last: int: 2"]


def test_what_is_of_one_machine_or_one_time_is_told_by_its_kind() -> None:
    namespace = {"path": "/some/where/x.py", "lines": ["a", "in /some/where"], "other": "/else/where"}
    told = ["path: str", "lines: list of 2", "other: str: '/else/where'"]
    assert variables(namespace, places=["/some/where"]) == told
    assert variables({"n": 1}, by_chance=True) == ["n: int"]


def test_a_value_that_answers_no_question_ends_nothing() -> None:
    assert variables({"hostile": Hostile(), "after": 1}) == ["hostile: Hostile", "after: int: 1"]


@pytest.mark.parametrize(
    ("recorded", "held", "same"),
    [
        (["n: int: 1000"], ["n: int: 1000"], True),
        (["n: int: 1000"], ["n: int: 1001"], False),
        (["x: float: 0.1234"], ["x: float: 0.1235"], True),
        (["x: float: 0.1234"], ["x: float: 0.1334"], False),
        (["x: float32 tensor (3,): all 1.0"], ["x: float32 tensor (4,): all 1.0"], False),
        (["x: float32 tensor (3,)"], ["x: float32 tensor (3,): all 1.0"], True),
        (["x: float32 tensor (3,): all 1.0"], ["x: float32 tensor (3,)"], False),
        (["x: float32 tensor (3,)"], ["x: float64 tensor (3,): all 1.0"], False),
        (["x: int: 1"], [], False),
        (["x: int: 1"], ["y: int: 1"], False),
        (["x: int: 1"], ["y: int: 2", "x: int: 1"], True),
        ([], ["x: int: 1"], True),
        (["x: str: 'a: 1'"], ["x: str: 'a: 2'"], False),
    ],
)
def test_variables_compare_by_name_and_floats_in_four_digits(recorded: list[str], held: list[str], same: bool) -> None:
    assert same_variables(recorded, held) is same


def test_of_two_runs_stays_what_both_hold() -> None:
    first = ["n: int: 3", "took: float: 0.25", "x: float32 tensor (3,): all 1.0", "shape: tuple of 2: (1, 2)", "gone: int: 1"]
    second = ["x: float32 tensor (3,): all 2.0", "n: int: 3", "took: float: 0.31", "shape: tuple of 3: (1, 2, 3)"]
    first += ["made: list of 2: [1.0, 2.0]", "word: str: 'a'", "long: str: 'aa…"]
    second += ["made: list of 2: [1.0, 2.5]", "word: str: 'b'", "long: str: 'aa…"]
    alike = alike_variables(first, second)
    told = ("n: int: 3", "took: float", "x: float32 tensor (3,)", "made: list of 2", "word: str", "long: str: 'aa…")
    assert alike == told
    assert same_variables(alike, first)
    assert same_variables(alike, second)
    assert not same_variables(first, alike)


MODULE = '''
"""Topic."""
import random

import pytest
import torch


def demo():
    """Show."""
    count = 3
    seen = [random.random()]
    unwritten = torch.empty(1000)
    print("done")


@pytest.mark.raises(ValueError)
def raises():
    """Show."""
    before = 1
    raise ValueError("no")


def unseeded():
    """Show."""
    count = 3
    heads = bool(torch.rand(()) < 0.5)


def seeded():
    """Show."""
    torch.manual_seed(0)
    heads = bool(torch.rand(()) < 0.5)


@pytest.mark.fresh("it is asked for")
def alone():
    """Show."""
    made = torch.zeros(2)


@pytest.mark.fresh("it is asked for")
def without_torch():
    """Show."""
    count = 3


@pytest.mark.measurement
def measured():
    """Show."""
    took = random.random()
    print(took)


def depends_on_the_kernels():
    """Show."""
    print(torch.backends.cpu.get_cpu_capability())
'''


def test_a_record_holds_what_is_the_same_each_time(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", MODULE)
    told = sandbox.pytest("snippets", "--record")
    assert "topic.depends_on_the_kernels prints differently each time" in told.stdout
    assert "7 passed" in told.stdout
    path = sandbox.root / "docs/records/cpu/topic.json"
    data = json.loads(path.read_text())
    entries = data["snippets"]
    assert entries["demo"]["variables"] == ["count: int: 3", "seen: list of 1", "unwritten: float32 tensor (1000,)"]
    assert entries["raises"]["variables"] == ["before: int: 1"]
    # What comes out the same by chance, twice, comes out otherwise the third time.
    assert entries["unseeded"]["variables"] == ["count: int", "heads: bool"]
    assert entries["seeded"]["variables"] == ["heads: bool: True"]
    assert entries["alone"]["variables"] == ["made: float32 tensor (2,)"]
    assert entries["without_torch"]["variables"] == ["count: int: 3"]
    assert "variables" not in entries["measured"]
    before = sandbox.records()
    assert "no record changed" in sandbox.pytest("snippets", "--record", "-k", "not kernels").stdout
    assert sandbox.records() == before
    assert "7 passed" in sandbox.pytest("snippets", "-k", "not kernels").stdout

    entries["demo"]["variables"][0] = "count: int: 4"
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    failed = sandbox.pytest("snippets/topic.py::demo")
    assert failed.returncode == 1
    assert "snippets.topic.demo leaves something else in its variables" in failed.stdout
    assert "-count: int: 4\n+count: int: 3\n" in failed.stdout
    assert "to accept it: pytest snippets/topic.py::demo --record" in failed.stdout
    assert sandbox.pytest("snippets/topic.py::demo", "--record").returncode == 0
    assert sandbox.records() == before


def test_a_record_without_variables_gets_them(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", '"""T."""\n\n\ndef demo():\n    """Show."""\n    count = 3\n    print(count)\n')
    assert sandbox.pytest("snippets", "--record").returncode == 0
    before = sandbox.records()
    path = sandbox.root / "docs/records/cpu/topic.json"
    data = json.loads(path.read_text())
    del data["snippets"]["demo"]["variables"]
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    assert sandbox.pytest("snippets").returncode == 0
    assert sandbox.pytest("snippets", "--record").returncode == 0
    assert sandbox.records() == before


@pytest.mark.parametrize("key", ["python", "torch", "platform", "device"])
def test_on_another_machine_variables_are_not_compared(key: str, tmp_path: Path) -> None:
    project = project_of(tmp_path, {"snippets/topic.py": '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n'})
    project = record(project, "cpu", "topic", run_of(project, "topic.demo", "1\n", variables=("x: int: 1",)))
    found = project.record("cpu", "topic")
    run = run_of(project, "topic.demo", "1\n", variables=("x: int: 2",))
    assert mismatch(found, found.entries["demo"], run, CPU) == "variables"
    assert mismatch(found, found.entries["demo"], run, CPU | {"count": 2, "threads": 4}) == "variables"
    assert mismatch(found, found.entries["demo"], run, CPU | {key: "another"}) == ""


def test_a_block_shows_them_folded_and_its_program_does_not_hold_them(tmp_path: Path) -> None:
    files = {
        "snippets/topic.py": '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n\n\ndef bare():\n    """Show."""\n    print(2)\n'
    }
    project = project_of(tmp_path, files)
    runs = (
        run_of(project, "topic.demo", "1\n", variables=("n: int: 1", "word: str: '<b>'")),
        run_of(project, "topic.bare", "2\n"),
    )
    project = record(project, "cpu", "topic", *runs)
    renderer = Renderer(project, "")
    shown = renderer.block("snippets.topic.demo", {}, "").inner_html
    assert "<summary>What the variables hold at the end on CPU (2)</summary>" in shown
    assert "<samp>n     int: 1\nword  str: '&lt;b&gt;'</samp>" in shown
    assert "".join(parts_of(shown)) == "print(1)\n"
    assert "tp-variables" not in renderer.block("snippets.topic.bare", {}, "").inner_html


def test_a_change_of_variables_is_a_change_to_review(sandbox: Sandbox) -> None:
    project = project_of(sandbox.root, {"snippets/topic.py": '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n'})
    project = record(project, "cpu", "topic", run_of(project, "topic.demo", "1\n", variables=("x: int: 1",)))
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        assert sandbox.run("git", *command).returncode == 0
    record(project, "cpu", "topic", run_of(project, "topic.demo", "1\n", variables=("x: int: 2",)))
    told = as_markdown(changes(sandbox.root, "HEAD"))
    assert "- `snippets.topic.demo` on cpu leaves something else in its variables" in told
    assert "-x: int: 1\n  +x: int: 2" in told
