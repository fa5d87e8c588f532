"""What the catalog refuses, each with file and line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY, Sandbox
from torchproof.catalog import Catalog

HEAD = '"""A module."""\n'
REFUSED = {
    "no docstring": ("def demo():\n    print(1)\n", 2, "demo has no docstring"),
    "returns": ('def demo():\n    """Show."""\n    return 3\n', 4, "`return` is used"),
    "returns nothing": ('def demo():\n    """Show."""\n    print(1)\n    return\n', 5, "`return` is used"),
    "yields": ('def demo():\n    """Show."""\n    yield 3\n', 4, "`yield` is used"),
    "awaits": ('async def demo():\n    """Show."""\n    await None\n', 2, "`async def`"),
    "nonlocal": (
        'def demo():\n    """Show."""\n    n = 1\n    def add():\n        nonlocal n\n        n += 1\n    add()\n',
        6,
        "`nonlocal` is used",
    ),
    "global": ('def demo():\n    """Show."""\n    global n\n    n = 1\n', 4, "`global` is used"),
    "globals()": ('def demo():\n    """Show."""\n    print(globals())\n', 4, "`globals` is used"),
    "locals()": ('def demo():\n    """Show."""\n    print(locals())\n', 4, "`locals` is used"),
    "decorated demo": (
        'import functools\n@functools.cache\ndef demo():\n    """Show."""\n    print(1)\n',
        3,
        "a decorator that its program would lose",
    ),
    "empty demo": ('def demo():\n    """Show."""\n', 2, "has no body to show"),
    "body on the def line": ('def demo(): """Show."""; print(1)\n', 2, "starts on the line of its docstring"),
    "star import": ("from math import *\n", 2, "a star import hides"),
    "side effect": ("import math\nprint(math.pi)\n", 3, "only imports, functions, classes and constants"),
    "defined twice": ("SIZE = 1\nSIZE = 2\n", 3, "SIZE is defined twice"),
    "imported twice": ("import math as m\nimport cmath as m\n", 3, "m is imported twice"),
    "two on a line": ("A = 1; B = 2\n", 2, "share a line"),
    "whole module": ("from snippets import other\n", 2, "imported as a whole or under another name"),
    "another name": ("from snippets.other import thing as item\n", 2, "imported as a whole or under another name"),
    "missing module": ("from snippets.nowhere import thing\n", 2, "there is no snippet module snippets/nowhere.py"),
    "missing name": ("from snippets.other import nothing\n", 2, "snippets/other.py defines no nothing"),
    "unknown mark": (
        'import pytest\n@pytest.mark.gpu\ndef demo():\n    """Show."""\n    print(1)\n',
        3,
        "there is no mark gpu",
    ),
    "mark without reason": (
        'import pytest\n@pytest.mark.cpu_only\ndef demo():\n    """Show."""\n    print(1)\n',
        3,
        "the mark cpu_only has the wrong arguments",
    ),
    "mark with a variable": (
        'import pytest\nN = 3\n@pytest.mark.time_limit(N + 1)\ndef demo():\n    """Show."""\n    print(1)\n',
        4,
        "are not literals",
    ),
    "syntax error": ("def demo(:\n", 2, "not valid Python"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_file_and_line(case: str, sandbox: Sandbox) -> None:
    text, line, message = REFUSED[case]
    sandbox.write("snippets/other.py", '"""Other."""\nthing = 1\n')
    path = sandbox.write("snippets/broken.py", HEAD + text)
    problems = Catalog.load(sandbox.root).problems
    assert [(p.place.path, p.place.line) for p in problems if p.place] == [(path, line)]
    assert message in str(problems[0])


def test_reports_an_import_cycle(sandbox: Sandbox) -> None:
    sandbox.write("snippets/first.py", '"""First."""\nfrom snippets.second import two\n\none = 1\n')
    sandbox.write("snippets/second.py", '"""Second."""\nfrom snippets.first import one\n\ntwo = 2\n')
    (problem,) = Catalog.load(sandbox.root).problems
    assert "cycle: first -> second -> first" in str(problem)
    assert problem.place is not None
    assert problem.place.line == 2


def test_refuses_a_file_that_is_not_utf8(sandbox: Sandbox) -> None:
    (sandbox.root / "snippets" / "latin.py").write_bytes(b'"""Caf\xe9."""\n')
    (problem,) = Catalog.load(sandbox.root).problems
    assert "latin.py:1" in str(problem)


def test_one_broken_module_leaves_the_others(sandbox: Sandbox) -> None:
    sandbox.write("snippets/broken.py", "def\n")
    sandbox.write("snippets/good.py", '"""Good."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n')
    assert [s.full_name for s in Catalog.load(sandbox.root).snippets()] == ["snippets.good.demo"]


def test_tells_demos_from_definitions(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/kinds.py",
        '''
        """Kinds."""

        def plain():
            """A demo."""
            print(1)

        def with_default(size=3):
            """A demo too."""
            print(size)

        def needs(size):
            """A definition."""
            return size

        def needs_keyword(*, size):
            """A definition."""
            return size

        class Thing:
            """A definition."""

        def _hidden():
            return 1
        ''',
    )
    kinds = {s.name: s.kind for s in Catalog.load(sandbox.root).snippets()}
    assert kinds == {
        "plain": "demo",
        "with_default": "demo",
        "needs": "definition",
        "needs_keyword": "definition",
        "Thing": "definition",
    }


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(Exception, match=r"did you mean snippets\.storage\.transpose_is_a_view") as caught:
        Catalog.load(REPOSITORY).find("snippets.storage.transpose_is_view")
    assert "there is no snippet" in caught.value.what


def test_reading_never_imports_torch() -> None:
    code = (
        "import sys, pathlib; from torchproof.project import Project; p = Project(pathlib.Path('.'));"
        "[p.program(s) for s in p.catalog.snippets()]; assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
