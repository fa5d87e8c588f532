"""Programs letter by letter: order, gaps, import lines, comments; and what is refused in the modules they come from."""

from __future__ import annotations

import hashlib
import textwrap
from pathlib import Path

import pytest

from tests.handmade import project_of, snippet_of
from torchproof.problems import Place, Problem
from torchproof.project import Project


def program(root: Path, name: str = "topic.demo", **modules: str) -> str:
    project = project_of(root, {f"snippets/{module}.py": text for module, text in modules.items()})
    assert project.catalog.problems == []
    return project.program(snippet_of(project, name)).source


def demo(imports: str, body: str) -> str:
    return f'"""T."""\n{imports}\n\n\ndef demo():\n    """Show."""\n' + textwrap.indent(textwrap.dedent(body), "    ")


def test_definitions_of_other_modules_come_in_the_order_of_imports(tmp_path: Path) -> None:
    text = program(
        tmp_path,
        topic=demo("from snippets.alpha import first\nfrom snippets.beta import third", "print(first(1), third(1))\n"),
        alpha='"""A."""\nfrom snippets.zeta import second\n\n\ndef first(x):\n    """F."""\n    return second(x) + ONE\n\n\nONE = 1\nTWO = 2\n',
        beta='"""B."""\n\n\ndef third(x):\n    """T."""\n    return 3\n',
        zeta='"""Z."""\n\nLOW = 0\nHIGH = 9\n\n\ndef second(x):\n    """S."""\n    return LOW + HIGH\n',
    )
    assert text == (
        'LOW = 0\nHIGH = 9\n\n\ndef second(x):\n    """S."""\n    return LOW + HIGH\n\n\ndef first(x):\n    """F."""\n'
        '    return second(x) + ONE\n\n\nONE = 1\n\n\ndef third(x):\n    """T."""\n    return 3\n\n\nprint(first(1), third(1))\n'
    )


def test_import_lines_are_sorted_in_groups_and_wrapped(tmp_path: Path) -> None:
    names = ["a_rather_long_name", "another_rather_long_name", "the_third_rather_long_name"]
    imports = (
        "from __future__ import annotations\nimport torch\nimport os\nimport json as j\nimport numpy as np\n"
        f"from torch.somewhere import {', '.join(reversed(names))}\nfrom collections import deque as d, Counter\n"
        "import torch.nn.functional as F\nfrom abc import ABC"
    )
    body = f"print(torch, os, j, np, {', '.join(names)}, d, Counter, F, ABC)\n"
    assert program(tmp_path, topic=demo(imports, body)) == (
        "from __future__ import annotations\n\nimport json as j\nimport os\nfrom abc import ABC\n"
        "from collections import Counter, deque as d\n\nimport numpy as np\nimport torch\nimport torch.nn.functional as F\n"
        "from torch.somewhere import (\n" + "".join(f"    {name},\n" for name in names) + f")\n\n{body}"
    )


@pytest.mark.parametrize(("length", "wrapped"), [(88, False), (89, True)])
def test_an_import_line_has_88_characters_at_most(length: int, wrapped: bool, tmp_path: Path) -> None:
    name = "x" * (length - len("from torch import ") - len(", y"))
    text = program(tmp_path, topic=demo(f"from torch import {name}, y", f"print({name}, y)\n"))
    assert text.startswith("from torch import (\n") is wrapped


@pytest.mark.parametrize(
    ("body", "imported"),
    [
        ("print(torch.utils.data.Dataset)\n", "import torch.utils.data"),
        ("print(torch.ones)\n", "import torch"),
        ("print(torch.utils.data.Dataset, torch.ones)\n", "import torch\nimport torch.utils.data"),
        ("print(torch.utils.datum)\n", "import torch"),
        ("print(torch.nn.Linear, torch.utils.data)\n", "import torch.nn\nimport torch.utils.data"),
        ("print(torch.nn.Linear, torch)\n", "import torch.nn"),
    ],
)
def test_of_dotted_imports_those_are_taken_that_are_used(body: str, imported: str, tmp_path: Path) -> None:
    assert (
        program(tmp_path, topic=demo("import torch\nimport torch.nn\nimport torch.utils.data", body)) == f"{imported}\n\n{body}"
    )


def test_comments_right_above_and_below_belong_to_the_code(tmp_path: Path) -> None:
    text = program(
        tmp_path,
        topic='"""T."""\n# Of the module.\n\n# How\n# many.\nCOUNT = 3  # Three.\n\n\ndef demo():\n    """Show."""\n\n    # First.\n'
        '    print(COUNT)  \n\n    if COUNT:\n        print(2)\n    # Last.\n# Of the next.\n\n\ndef other():\n    """O."""\n    print(1)\n',
    )
    assert text == "# How\n# many.\nCOUNT = 3  # Three.\n\n# First.\nprint(COUNT)\n\nif COUNT:\n    print(2)\n# Last.\n"


def test_strings_keep_what_is_inside_them(tmp_path: Path) -> None:
    body = 'text = """one\n      two  \n   three"""\ncode = f"""{1}\n    four {2}  \n"""\nlong = "a" + \\\n  "b"\nprint(text, code, long)\n'
    # Only the first line of each statement is indented: what follows inside a string is data.
    text = program(
        tmp_path,
        topic='"""T."""\n\n\ndef demo():\n    """Show."""\n'
        + "".join(
            f"    {line}" if line.startswith(("text", "code", "long", "print")) else line
            for line in body.splitlines(keepends=True)
        ),
    )
    assert text == body.replace('  "b"', '"b"')


def test_marks_are_left_out_and_decorators_stay(tmp_path: Path) -> None:
    module = (
        '"""T."""\nimport functools\nimport pytest\n\n\n# Kept.\n@pytest.mark.needs(\n    "git",\n)\n@functools.cache\ndef twice(x):\n    """T."""\n    return 2 * x\n\n\n'
        'def demo():\n    """Show."""\n    print(twice(1))\n'
    )
    assert program(tmp_path, topic=module) == (
        'import functools\n\n\n# Kept.\n@functools.cache\ndef twice(x):\n    """T."""\n    return 2 * x\n\n\nprint(twice(1))\n'
    )


def test_a_definition_is_shown_after_what_it_needs(tmp_path: Path) -> None:
    files = {
        "snippets/topic.py": '"""T."""\nimport math\n\nSIZE = 2\n\n\nclass Box:\n    """A box."""\n\n    size = SIZE * math.pi\n'
    }
    project = project_of(tmp_path, files)
    made = project.program(snippet_of(project, "topic.Box"))
    assert made.source == 'import math\n\nSIZE = 2\n\n\nclass Box:\n    """A box."""\n\n    size = SIZE * math.pi\n'
    assert made.sha256 == hashlib.sha256(made.source.encode()).hexdigest()
    assert made.uses == frozenset()


def test_a_program_knows_which_snippets_it_uses(tmp_path: Path) -> None:
    files = {
        "snippets/a.py": '"""A."""\n\n\nclass Used:\n    """U."""\n\n\ndef _hidden():\n    return Used\n\n\nNUMBER = 1\n\n\ndef never(x):\n    """N."""\n',
        "snippets/b.py": '"""B."""\nfrom snippets.a import NUMBER, _hidden\n\n\ndef demo():\n    """D."""\n    print(NUMBER, _hidden())\n',
    }
    project = project_of(tmp_path, files)
    assert project.program(snippet_of(project, "b.demo")).uses == {"snippets.a.Used"}


def test_the_defaults_of_a_demo_stand_before_its_body(tmp_path: Path) -> None:
    module = '"""T."""\n\n\ndef demo(a=1, /, b=2, *, c=[3]):\n    """Show."""\n    print(a, b, c)\n'
    assert program(tmp_path, topic=module) == "a = 1\nb = 2\nc = [3]\nprint(a, b, c)\n"


def test_a_device_is_set_below_the_future(tmp_path: Path) -> None:
    module = '"""T."""\nfrom __future__ import annotations\nimport pytest\nimport torch\n\n\ndef demo():\n    """Show."""\n    print(torch)\n\n\n@pytest.mark.own_device\ndef own():\n    """Show."""\n    print(1)\n'
    project = project_of(tmp_path, {"snippets/topic.py": module})
    made = project.program(snippet_of(project, "topic.demo"))
    assert made.on_device("cpu") == made.source == "from __future__ import annotations\n\nimport torch\n\nprint(torch)\n"
    assert made.on_device("mps") == (
        'from __future__ import annotations\nimport torch\n\ntorch.set_default_device("mps")\n\n\nimport torch\n\nprint(torch)\n'
    )
    own = project.program(snippet_of(project, "topic.own"))
    assert own.on_device("mps") == own.source


def fault(root: Path, module: str) -> Problem:
    """The one thing that is wrong with a module or its demo."""
    project = project_of(root, {"snippets/topic.py": module})
    found = list(project.catalog.problems)
    if not found:
        for snippet in project.catalog.snippets():
            try:
                project.program(snippet)
            except Problem as problem:
                found.append(problem)
    (problem,) = found
    return problem


# Module, the line of its fault, what is said, and what to do.
FAULTS = [
    (demo("", "print(gone)\n"), 5, "the name gone is found nowhere", "import or define it in this module"),
    (
        '"""T."""\nfrom os import path\n\n\ndef helps(x):\n    """H."""\n    return path\n\n\ndef demo():\n    """Show."""\n    path = 1\n    print(helps(path))\n',
        2,
        "path means two different things in this program: here and at {root}/snippets/topic.py:10",
        "rename one of them",
    ),
    (
        '"""T."""\n\n\ndef helps(x):\n    """H."""\n    return len(x)\n\n\ndef demo():\n    """Show."""\n    len = 1\n    print(helps(len))\n',
        4,
        "len means two different things in this program: here and at {root}/snippets/topic.py:9",
        "rename one of them",
    ),
    ('"""T."""\nx = 1; y = 2\n', 2, "two top-level statements share a line", "start a new line"),
    ('"""T."""\nx = 1\nimport x\n', 3, "x is defined twice in this module", "rename one of them"),
    ('"""T."""\nimport x\nx = 1\n', 3, "x is defined twice in this module", "rename one of them"),
    ('"""T."""\nimport x\nimport y as x\n', 3, "x is imported twice, from different places", "rename one of them"),
    ('"""T."""\nfrom a import x\nfrom b import x\n', 3, "x is imported twice, from different places", "rename one of them"),
    ('"""T."""\nx = 1\n"""Text."""\n', 3, "only imports, functions, classes and constants may stand", "move the statement into a demo"),
    ('"""T."""\n(a, b), c = f = 1\nc = 2\n', 3, "c is defined twice", ""),
    ("def demo():\n    print(1)\n", 1, "demo has no docstring", "add one whose first line says what it shows"),
    ('def demo():\n    """D."""\n', 1, "the demo demo has no body to show", "write the program it shows"),
    ('def demo():\n    """D."""; print(1)\n', 1, "the body of demo starts on the line of its docstring", "start a new line"),
    ('import functools\n@functools.cache\ndef demo():\n    """D."""\n    print(1)\n', 2, "the demo demo has a decorator", "use a `with` block"),
    ('"""T."""\nimport snippets.other\n', 2, "another snippet module is imported as a whole", "write `from snippets.<module> import <name>`"),
    ('"""T."""\nfrom snippets import other\n', 2, "another snippet module is imported as a whole", ""),
    ('"""T."""\nfrom snippets.other import a as b\n', 2, "another snippet module is imported as a whole", ""),
    ('"""T."""\nfrom .other import a as b\n', 2, "another snippet module is imported as a whole", ""),
    ('"""T."""\nfrom os import *\n', 2, "a star import hides which names a program needs", "import the names one by one"),
    ('"""T."""\nfrom snippets.other import a\n', 2, "there is no snippet module snippets/other.py that can be read", ""),
    ('"""T."""\nfrom snippets.topic import a\n', 2, "the snippet modules import each other in a cycle: topic -> topic", ""),
    ("import pytest\n@pytest.mark.fast\ndef demo():\n" + '    """D."""\n    print(1)\n', 2, "there is no mark fast", "use one of cpu_only, gpus"),
    ("import pytest\n@pytest.mark.gpus(n)\ndef demo():\n" + '    """D."""\n    print(1)\n', 2, "the mark gpus has the wrong arguments", "write @pytest.mark.gpus(count)"),
    ("import pytest\n@pytest.mark.gpus(1 + n)\ndef demo():\n" + '    """D."""\n    print(1)\n', 2, "the arguments of the mark gpus are not literals", ""),
    ("import pytest\n@pytest.mark.gpus\ndef demo():\n" + '    """D."""\n    print(1)\n', 2, "the mark gpus has the wrong arguments", ""),
    ("import pytest\n@pytest.mark.slow(match=1)\ndef demo():\n" + '    """D."""\n    print(1)\n', 2, "the mark slow has the wrong arguments", "write @pytest.mark.slow"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "line", "what", "fix"), FAULTS, ids=lambda value: value if isinstance(value, int) else "")
def test_a_fault_has_its_line_and_a_remedy(module: str, line: int, what: str, fix: str, tmp_path: Path) -> None:
    problem = fault(tmp_path, module)
    assert problem.place == Place(tmp_path / "snippets/topic.py", line)
    assert problem.what.startswith(what.format(root=tmp_path))
    assert problem.fix.startswith(fix) and bool(fix) <= bool(problem.fix)
    told = str(problem).split("\n")
    assert told[0] == f"{problem.place}: {problem.what}"
    assert told[1:] == ([f"    to fix: {problem.fix}"] if problem.fix else [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("if 1:\n    return\n", "`return` is used"),
        ("x = [(yield 1)]\n", "`yield` is used"),
        ("yield from []\n", "`yield` is used"),
        ("global x\nx = 1\n", "`global` is used"),
        ("def f():\n    global x\n    x = 1\n", "`global` is used"),
        ("x = 1\n\ndef f():\n    nonlocal x\n    x = 2\n", "`nonlocal` is used"),
        ("print(globals())\n", "`globals` is used"),
        ("print(locals)\n", "`locals` is used"),
    ],
)
def test_what_means_nothing_at_top_level_is_refused(body: str, reason: str, tmp_path: Path) -> None:
    problem = fault(tmp_path, demo("", body))
    assert problem.what == f"{reason} in the demo demo, whose body is run at top level"


@pytest.mark.parametrize(
    "body",
    [
        "def f():\n    return 1\n\nprint(f())\n",
        "f = lambda: (yield 1)\nprint(f)\n",
        "class A:\n    def f(self):\n        yield 1\n\nprint(A)\n",
        "print('return to globals')\n",
        "async def f():\n    await g\n\ng = f\nprint(f)\n",
    ],
)
def test_functions_inside_a_demo_may_return_and_yield(body: str, tmp_path: Path) -> None:
    assert program(tmp_path, topic=demo("", body)) == body


def test_an_async_demo_is_refused(tmp_path: Path) -> None:
    problem = fault(tmp_path, demo("", "print(1)\n").replace("def demo", "async def demo"))
    assert problem.what == "`async def` in the demo demo, whose body is run at top level"


def test_names_in_string_annotations_travel_along(tmp_path: Path) -> None:
    module = (
        '"""T."""\nfrom torch import Tensor, device\n\n\ndef helps(x: "list[Tensor]", y: "no code here") -> "device":\n    """H."""\n    return x\n\n\n'
        'def demo():\n    """Show."""\n    value: "Tensor" = helps(1, 2)\n    print(value)\n'
    )
    assert program(tmp_path, topic=module).startswith("from torch import Tensor, device\n\n\ndef helps")


def test_modules_that_import_each_other_are_named_in_order(tmp_path: Path) -> None:
    files = {
        f"snippets/{one}.py": f'"""T."""\nfrom snippets.{other} import b_{other}\n\nb_{one} = 1\n'
        for one, other in (("alpha", "beta"), ("beta", "gamma"), ("gamma", "beta"))
    }
    project = project_of(tmp_path, files)
    assert [p.what for p in project.catalog.problems] == [
        "the snippet modules import each other in a cycle: beta -> gamma -> beta"
    ]
    assert list(project.catalog.modules) == ["gamma", "beta", "alpha"]


def test_an_import_of_what_is_not_there_names_the_module(tmp_path: Path) -> None:
    files = {"snippets/a.py": '"""A."""\n', "snippets/b.py": '"""B."""\nfrom snippets.a import gone\n'}
    (problem,) = project_of(tmp_path, files).catalog.problems
    assert str(problem).endswith("b.py:2: snippets/a.py defines no gone")


def test_a_snippet_has_the_first_line_of_its_docstring(tmp_path: Path) -> None:
    files = {
        "snippets/topic.py": '"""T."""\n\n\ndef demo():\n    """\n    What it shows.\n\n    More.\n    """\n    print(1)\n'
    }
    project = project_of(tmp_path, files)
    snippet = snippet_of(project, "topic.demo")
    assert (snippet.summary, snippet.node_id) == ("What it shows.", "snippets/topic.py::demo")
    with pytest.raises(Problem, match=r"there is no snippet snippets\.other\.thing\n    to fix: the modules are topic$"):
        Project(tmp_path).catalog.find("snippets.other.thing")


def test_a_program_cannot_take_what_another_module_lacks(tmp_path: Path) -> None:
    topic = demo("from snippets.other import gone", "print(gone)\n")
    for other in ({}, {"snippets/other.py": '"""O."""\n'}):
        project = project_of(tmp_path, {"snippets/topic.py": topic, **other})
        with pytest.raises(Problem, match=r"topic\.py:5: gone cannot be imported from the snippet module other$"):
            project.program(snippet_of(project, "topic.demo"))
