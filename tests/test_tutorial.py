"""Scripts of tutorials: what is refused, with file and line, and what `torchproof check` says of their notebooks."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from torchproof.project import Project
from torchproof.tutorial import Tutorial, tutorials

MODULE = '''
"""Lines."""

import math

HALF = 0.5


def _square(x):
    return x * x


def line(slope):
    """The line."""
    return [slope * _square(x) * HALF for x in range(3)]


def show(values, title="values"):
    """Print values."""
    print(title, [math.floor(v) for v in values])
'''
OTHER = '''
"""Another module with a helper of the same name."""


def _square(x):
    return x**2


def total(values):
    """The sum of squares."""
    return sum(_square(v) for v in values)
'''
HEAD = '"""\nTitle\n=====\n\nWhat is a line?\n"""\n\nfrom snippets.lines import line, show\n\n'
# Case: what follows HEAD (its first line is line 10), the line at fault, what is said.
CELLS = {
    "a statement": ("show(line(2))\nx = 1\n", 11, "a code cell holds imports from snippets and calls"),
    "a loop": ("for _ in range(3):\n    show(line(2))\n", 10, "a code cell holds imports from snippets and calls"),
    "another import": ("import torch\n", 10, "a code cell holds imports from snippets and calls"),
    "an import of something else": ("from torch import nn\n", 10, "a code cell holds imports from snippets and calls"),
    "a method": ("show(line(2).copy())\n", 10, "a code cell holds imports from snippets and calls"),
    "arithmetic": ("show([1 + 2])\n", 10, "an argument in a tutorial is a literal"),
    "an f-string": ('show([1], title=f"{1}")\n', 10, "an argument in a tutorial is a literal"),
    "an attribute": ("v = line(2)\nshow(v.values)\n", 11, "an argument in a tutorial is a literal"),
    "an unpacked dict": ("show(**{})\n", 10, "a call in a tutorial spells out its arguments"),
    "a name from nowhere": ("show(values)\n", 10, "nothing before this line says what values is"),
    "a call from nowhere": ("total([1])\n", 10, "nothing before this line says what total is"),
    "an attribute as a target": ("v = line(2)\nv.x = line(2)\n", 11, "can be given to names only"),
    "two targets": ("a = b = line(2)\n", 10, "can be given to names only"),
    "another name": ("from snippets.lines import line as l\n", 10, "write `from snippets.<module> import <name>`"),
    "a whole module": ("from snippets import lines\n", 10, "write `from snippets.<module> import <name>`"),
    "a star": ("from snippets.lines import *\n", 10, "write `from snippets.<module> import <name>`"),
    "an unknown module": ("from snippets.curves import line\n", 10, "there is no snippet module snippets/curves.py"),
    "an unknown snippet": ("from snippets.lines import lines\n", 10, "did you mean snippets.lines.line"),
    "a name with two meanings": ("line = line(2)\n", 10, "line means two different things"),
    # Imports that stand together in a cell are read together, and the first one is named.
    "helpers with one name": ("from snippets.other import total\n", 8, "_square means two different things"),
}
# Case: a text block that starts at line 10, the line at fault, what is said.
TEXTS = {
    "a grid table": ("+---+---+\n| a | b |\n+---+---+", 10, "a table does not survive"),
    "a simple table": ("Text.\n\n=== ===\n a   b\n=== ===", 12, "a table does not survive"),
    "a figure": (".. figure:: a.png", 10, "a directive other than"),
    "a picture": ("Text.\n\n.. image:: a.png", 12, "a directive other than"),
    "a tip": (".. tip::\n   Do.", 10, "a directive other than"),
    "a role": ("See\n:func:`torch.sum`.", 11, "a role other than :math:"),
    "a footnote": ("Text [#note]_.\n\n.. [#note] More.", 10, "a footnote"),
    "a numbered footnote": ("Text [1]_.", 10, "a footnote"),
    "an option": (".. code-block:: bash\n   :linenos:\n\n   ls", 10, "a code block without a blank line"),
    "a field": (":author: nobody", 10, "an option or a field list"),
    "a list that counts": ("#. One\n#. Two", 10, "a list that numbers itself"),
    "code in a heading": ("Text.\n\nThe ``view``\n------------", 12, "code in a heading"),
    "an alt text": ("Text.\nalt: A line.", 11, "an alt text without a blank line before it"),
    "a substitution": ("The |name|.", 10, "a substitution"),
    "a link without an address": ("See `Autograd`_.", 10, "a link without its address"),
    "a missing page": ("See `it <../docs/learn/none.md>`_.", 10, "there is no docs/learn/none.md"),
    "a missing block": ("See\n`it <../docs/learn/lines.md#lines.none>`_.", 11, "the page shows no block lines.none"),
    "a missing notebook": ("See `it <none.ipynb>`_.", 10, "there is no tutorials/none.py"),
    "a link out of the site": ("See `it <../README.md>`_.", 10, "leads neither to a page in docs/ nor to a notebook"),
}
ACCEPTED = """
    values = line(-2)
    show([values, line(3)], title='three')

    # %%
    # Heading
    # -------
    # Inline :math:`a_1` and ``code with |bars| and [1]_``, a `page <../docs/learn/lines.md>`_,
    # `a block <../docs/learn/lines.md#lines.line>`_ and `the web <https://pytorch.org>`_.
    #
    # .. math::
    #
    #    y = a + b x
    #
    # .. note::
    #    A note.
    #
    # .. code-block:: bash
    #
    #    pip install torch

    # A comment.
    show({'a': (1, None, True), 'b': values})
    """


@pytest.fixture
def lines(sandbox: Sandbox) -> Sandbox:
    sandbox.write("snippets/lines.py", MODULE)
    sandbox.write("snippets/other.py", OTHER)
    sandbox.write(
        "docs/learn/lines.md", "# Lines\n\n::: snippets.lines.line\n\n::: snippets.lines.show\n\n::: snippets.other.total\n"
    )
    sandbox.write("docs/index.md", "# Home\n\n::: tutorials.story\n")
    return sandbox


def read(sandbox: Sandbox, text: str) -> Tutorial:
    path = sandbox.root / "tutorials" / "story.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    (tutorial,) = tutorials(Project(sandbox.root))
    return tutorial


@pytest.mark.parametrize("case", CELLS)
def test_refuses_what_is_no_call(case: str, lines: Sandbox) -> None:
    cell, line, message = CELLS[case]
    (problem,) = read(lines, HEAD + cell).problems
    assert message in str(problem)
    assert problem.place is not None
    assert problem.place.path.name == "story.py"
    assert problem.place.line == line


@pytest.mark.parametrize("case", TEXTS)
def test_refuses_text_that_a_notebook_cannot_show(case: str, lines: Sandbox) -> None:
    text, line, message = TEXTS[case]
    problems = read(lines, HEAD + "# %%\n" + textwrap.indent(text, "# ", lambda _: True).replace("# \n", "#\n") + "\n").problems
    assert problems
    assert message in str(problems[0])
    assert problems[0].place is not None
    assert problems[0].place.line == line + 1


def test_refuses_the_same_text_in_the_docstring(lines: Sandbox) -> None:
    (problem,) = read(lines, '"""\nTitle\n=====\n\nSee :func:`torch.sum`.\n"""\n').problems
    assert problem.place is not None
    assert problem.place.line == 5


@pytest.mark.parametrize("quotes", ['"""', "'''", 'r"""'])
def test_refuses_the_first_line_of_a_docstring(quotes: str, lines: Sandbox) -> None:
    (problem,) = read(lines, f"{quotes}:author: nobody\n{quotes.lstrip('r')}\n").problems
    assert str(problem).startswith(f"{problem.place}: an option or a field list does not survive in a notebook")
    assert problem.place is not None
    assert problem.place.line == 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("show()\n", 1, "the tutorial has no docstring"),
        ('"""Title"""\nfor\n', 2, "not valid Python"),
    ],
)
def test_refuses_a_script_that_cannot_be_read(text: str, line: int, message: str, lines: Sandbox) -> None:
    (problem,) = read(lines, text).problems
    assert message in str(problem)
    assert problem.place is not None
    assert problem.place.line == line


def test_refuses_a_script_that_is_not_utf8(lines: Sandbox) -> None:
    (lines.root / "tutorials").mkdir()
    (lines.root / "tutorials" / "latin.py").write_bytes(b'"""Caf\xe9."""\n')
    (tutorial,) = tutorials(Project(lines.root))
    assert "latin.py:1" in str(tutorial.problems[0])


def test_accepts_calls_literals_and_surviving_text(lines: Sandbox) -> None:
    assert read(lines, HEAD + textwrap.dedent(ACCEPTED)).problems == []


def test_each_definition_is_shown_once(lines: Sandbox) -> None:
    text = '"""\nTitle\n=====\n\nText.\n"""\n\nfrom snippets.lines import line\n\nline(1)\n\n# %%\n# More.\n\nfrom snippets.lines import line, show\n\nshow(line(2))\n'
    tutorial = read(lines, text)
    assert tutorial.problems == []
    first, second = tutorial.code.values()
    assert first.count("def line") == 1
    assert first.index("HALF = 0.5") < first.index("def _square") < first.index("def line")
    assert "def line" not in second
    assert second.startswith("import math\n")
    assert tutorial.uses == {"snippets.lines.line", "snippets.lines.show"}


def test_the_check_counts_what_tutorials_show(lines: Sandbox) -> None:
    lines.write("docs/learn/lines.md", "# Lines\n\n::: snippets.other.total\n")
    unused = lines.torchproof("check").stdout
    assert "nothing uses snippets.lines.line" in unused
    read(lines, HEAD + "show(line(2))\n")
    assert "nothing uses" not in lines.torchproof("check").stdout


def test_the_check_asks_for_the_notebook_and_the_card(lines: Sandbox) -> None:
    lines.write("docs/index.md", "# Home\n")
    read(lines, HEAD + "show(line(2))\n")
    told = lines.torchproof("check")
    assert told.returncode == 1
    assert "tutorials/story.py:1: the tutorial has no notebook\n    to fix: torchproof notebook story" in told.stdout
    assert "write `::: tutorials.story` on docs/tutorials.md" in told.stdout


def test_the_check_finds_cards_and_notebooks_of_no_tutorial(lines: Sandbox) -> None:
    lines.write("tutorials/gone.ipynb", "{}")
    told = lines.torchproof("check").stdout
    assert "docs/index.md:3: there is no tutorials/story.py" in told
    assert "tutorials/gone.ipynb:1: the notebook belongs to no tutorial\n    to fix: delete it" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "story.ipynb:1: the notebook is not valid JSON"),
        ("<<<<<<< HEAD\n", "story.ipynb:1: the notebook is not valid JSON"),
        ("{}", "story.ipynb:1: the notebook lacks what a notebook of ours holds"),
        (json.dumps({"metadata": {"torchproof": {"content": "0"}}}), "story.ipynb:1: the notebook is not as it was written"),
    ],
)
def test_the_check_finds_a_damaged_notebook(text: str, message: str, lines: Sandbox) -> None:
    read(lines, HEAD + "show(line(2))\n")
    lines.write("tutorials/story.ipynb", text)
    told = lines.torchproof("check")
    assert told.returncode == 1
    assert message in told.stdout
    assert "to fix: torchproof notebook story" in told.stdout
    assert not (Path(lines.root) / "docs" / "tutorials").exists()
