"""From a snippet to a script that stands alone: fixed traps, and random modules against Python itself."""

from __future__ import annotations

import ast
import contextlib
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import REPOSITORY, Sandbox, make_sandbox
from torchproof.catalog import Catalog
from torchproof.problems import Problem
from torchproof.program import Program, Programs


def program(sandbox: Sandbox, name: str = "snippets.topic.demo") -> Program:
    catalog = Catalog.load(sandbox.root)
    assert not catalog.problems, list(map(str, catalog.problems))
    return Programs(catalog).build(catalog.find(name))


def output(source: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def test_takes_what_it_uses_and_nothing_else(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/shapes.py",
        '"""Shapes."""\nimport math\n\nSIDES = 4\nOTHER = math.e\n\n\ndef area(side):\n    """Area."""\n    return side**2 * SIDES / 4\n',
    )
    sandbox.write(
        "snippets/topic.py",
        '''
        """Topic."""
        from __future__ import annotations

        import itertools
        import math
        import pytest
        import xml.dom
        import xml.etree.ElementTree as tree
        import xml.sax.saxutils
        from functools import partial, reduce

        from snippets.shapes import area

        # How many.
        COUNT = 3
        UNUSED = 4


        class Base:
            """A base."""

            size = COUNT


        @pytest.mark.slow
        class Thing(Base):
            """A thing."""

            def area(self):
                return area(self.size)


        @pytest.mark.measurement
        def demo() -> None:
            """Show."""
            # A comment stays.
            print(Thing().area(), math.floor(2.5), partial(int, "7")())
            print(xml.sax.saxutils.escape("<"))
            # So does the last one.


        def unrelated() -> None:
            """Show."""
            print(itertools, reduce, tree)
        ''',
    )
    assert program(sandbox).source == (
        "from __future__ import annotations\n"
        "\n"
        "import math\n"
        "import xml.sax.saxutils\n"
        "from functools import partial\n"
        "\n"
        "SIDES = 4\n"
        "\n"
        "\n"
        "def area(side):\n"
        '    """Area."""\n'
        "    return side**2 * SIDES / 4\n"
        "\n"
        "\n"
        "# How many.\n"
        "COUNT = 3\n"
        "\n"
        "\n"
        "class Base:\n"
        '    """A base."""\n'
        "\n"
        "    size = COUNT\n"
        "\n"
        "\n"
        "class Thing(Base):\n"
        '    """A thing."""\n'
        "\n"
        "    def area(self):\n"
        "        return area(self.size)\n"
        "\n"
        "\n"
        "# A comment stays.\n"
        'print(Thing().area(), math.floor(2.5), partial(int, "7")())\n'
        'print(xml.sax.saxutils.escape("<"))\n'
        "# So does the last one.\n"
    )


def test_strings_keep_their_indentation(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/topic.py",
        '''
"""Topic."""


def demo():
    """Show."""
    width = 2
    text = """
at column 0
        at column 8"""
    joined = f"""
    {width:>4}
  end"""
    continued = 'one \\
    two'
    if width:
        print(repr(text), repr(joined), repr(continued),
  # a comment to the left
    width)
''',
    )
    catalog = Catalog.load(sandbox.root)
    expected: dict[str, object] = {}
    exec(catalog.modules["topic"].source, expected)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        expected["demo"]()  # type: ignore[operator]
    built = program(sandbox).source
    assert output(built) == printed.getvalue()
    assert not any(line.startswith(" ") for line in built.splitlines() if line.lstrip().startswith(("width", "text", "if")))


def test_defaults_become_assignments(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/topic.py", '"""T."""\n\n\ndef demo(size: int = 3, *, name="n"):\n    """Show."""\n    print(size, name)\n'
    )
    assert program(sandbox).source == "size = 3\nname = 'n'\nprint(size, name)\n"


def test_a_program_that_starts_processes_is_guarded(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/topic.py",
        '"""T."""\nimport pytest\n\n\n@pytest.mark.spawns\ndef demo():\n    """Show."""\n    for n in range(2):\n        print(n)\n',
    )
    assert program(sandbox).source == 'if __name__ == "__main__":\n    for n in range(2):\n        print(n)\n'


def test_the_device_is_set_after_future_imports(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/topic.py",
        '"""T."""\nfrom __future__ import annotations\n\nimport pytest\nimport torch\n\n\ndef demo():\n    """Show."""\n    print(torch.ones(1))\n'
        '\n\n@pytest.mark.own_device\ndef chooses():\n    """Show."""\n    print(torch.ones(1))\n',
    )
    built = program(sandbox)
    assert built.on_device("cpu") == built.source
    assert built.on_device("cuda").splitlines()[:4] == [
        "from __future__ import annotations",
        "import torch",
        "",
        'torch.set_default_device("cuda")',
    ]
    chooses = program(sandbox, "snippets.topic.chooses")
    assert chooses.on_device("cuda") == chooses.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('def demo():\n    """Show."""\n    print(torhc.ones(2))\n', "the name torhc is found nowhere"),
        (
            'import math\n\ndef _helper():\n    """Help."""\n    return math.pi\n\ndef demo():\n    """Show."""\n    math = 3\n    print(_helper(), math)\n',
            "math means two different things",
        ),
        (
            'def helper(items):\n    """Help."""\n    return list(items)\n\ndef demo():\n    """Show."""\n    list = 3\n    print(helper([]), list)\n',
            "list means two different things",
        ),
        (
            'from snippets.other import _scale\n\ndef _size():\n    """Two."""\n    return 2\n\ndef demo():\n    """Show."""\n    print(_scale(), _size())\n',
            "_size means two different things",
        ),
        (
            'import cmath as m\nfrom snippets.other import _root\n\ndef demo():\n    """Show."""\n    print(_root(), m.pi)\n',
            "m means two different things",
        ),
    ],
)
def test_refuses_what_would_mean_something_else(text: str, message: str, sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/other.py",
        '"""O."""\nimport math as m\n\n\ndef _size():\n    """One."""\n    return 1\n\n\ndef _scale():\n    """S."""\n    return _size()\n\n\ndef _root():\n    """R."""\n    return m.pi\n',
    )
    sandbox.write("snippets/topic.py", '"""T."""\n' + text)
    with pytest.raises(Problem, match=message) as caught:
        program(sandbox)
    assert caught.value.place is not None


@st.composite
def modules(draw: st.DrawFn) -> tuple[str, str]:
    """Two modules of constants, functions and classes that use each other at random, and a demo over them."""
    count = draw(st.integers(2, 9))
    texts: dict[str, list[str]] = {"base": [], "topic": []}
    homes: list[str] = []
    calls: list[str] = []
    names: list[str] = []
    imported = set()
    for index in range(count):
        home = draw(st.sampled_from(["base", "topic"]))
        usable = [i for i in range(index) if home == "topic" or homes[i] == "base"]
        chosen = draw(st.lists(st.sampled_from(usable), max_size=3, unique=True)) if usable else []
        imported |= {i for i in chosen if home == "topic" and homes[i] == "base"}
        homes.append(home)
        value = " + ".join([str(index), *(calls[i] for i in chosen)])
        if draw(st.booleans()):
            value += " + math.floor(2.5)"
        kind = draw(st.sampled_from(["constant", "function", "class", "decorated", "default"]))
        # A public function without parameters that returns something would be a broken demo.
        name = f"_item{index}" if kind in ("function", "decorated") else f"item{index}"
        names.append(name)
        text, call = {
            "constant": (f"# About {name}.\n{name} = {value}", name),
            "function": (f"def {name}():\n    '''Give.'''\n    return {value}", f"{name}()"),
            "class": (f"class {name}:\n    '''Hold.'''\n\n    held = {value}", f"{name}.held"),
            "decorated": (f"@functools.cache\ndef {name}():\n    '''Give.'''\n    return {value}", f"{name}()"),
            "default": (f"def {name}(given, start={value}):\n    '''Give.'''\n    return given + start", f"{name}(1)"),
        }[kind]
        texts[home].append(text)
        calls.append(call)
    used = draw(st.lists(st.sampled_from(range(count)), min_size=1, max_size=4, unique=True))
    imported |= {i for i in used if homes[i] == "base"}
    indent = draw(st.sampled_from(["  ", "    ", "\t"]))
    wrap = draw(st.sampled_from(["{}", "[{} for math in range(2)]", "(lambda functools: {})(0)", "f'''\n  {{{}}}\n'''"]))
    body = [
        "'''Show.'''",
        *(f"print('item{i}', {wrap.format(calls[i])})" for i in used),
        "local = 1  # a remark",
        "def inner(given):",
        indent + "return given + local",
        "print(inner(1))",
    ]
    head = "'''A module.'''\nimport functools\nimport math\n"
    brought = ", ".join(names[i] for i in sorted(imported))
    bring = f"from snippets.base import {brought}\n" if brought else ""
    base = head + "\n\n" + "\n\n\n".join(texts["base"]) + "\n"
    demo = "def demo():\n" + "\n".join(indent + line for line in body)
    return base, head + bring + "\n\n" + "\n\n\n".join([*texts["topic"], demo]) + "\n"


@settings(max_examples=60, deadline=None)
@given(modules())
def test_random_programs_do_what_the_function_does(pair: tuple[str, str]) -> None:
    base, topic = pair
    with tempfile.TemporaryDirectory() as directory:
        sandbox = make_sandbox(Path(directory))
        (sandbox.root / "snippets" / "base.py").write_text(base)
        (sandbox.root / "snippets" / "topic.py").write_text(topic)
        built = program(sandbox)
    # The oracle is Python: both modules as one, and the function called.
    together: dict[str, object] = {}
    exec(base, together)
    exec("\n".join(line for line in topic.splitlines() if not line.startswith("from snippets")), together)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        together["demo"]()  # type: ignore[operator]
    assert output(built.source) == printed.getvalue()
    # Nothing is there for nothing: without any one of its definitions or imports the program fails.
    tree = ast.parse(built.source)
    needed = [
        n for n in tree.body if isinstance(n, ast.Import | ast.FunctionDef | ast.ClassDef) and getattr(n, "name", "") != "inner"
    ]
    for node in needed:
        without = ast.Module([n for n in tree.body if n is not node], [])
        with pytest.raises(NameError):
            output(ast.unparse(without))


def test_every_program_of_the_site_is_free_of_undefined_and_unused_names(tmp_path: Path) -> None:
    catalog = Catalog.load(REPOSITORY)
    programs = Programs(catalog)
    for snippet in catalog.snippets():
        source = programs.build(snippet).source
        ast.parse(source)
        (tmp_path / f"{snippet.module}__{snippet.name}.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F401,F811,F821,F822", str(tmp_path)]
    linted = subprocess.run(command, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout
