"""Cells of a notebook before it runs: what becomes of the text and the imports of a script."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.handmade import project_of
from torchproof.notebook import Cell, cells
from torchproof.problems import Problem
from torchproof.tutorial import tutorials

MODULE = '''
"""Lines."""

HALF = 0.5
PAIR = (
    1,
    2,
)


def line(x):
    """The line."""
    return x


def show(x):
    """Show."""
    print(x)
'''


def cells_of(root: Path, text: str) -> list[Cell]:
    files = {
        "snippets/lines.py": MODULE,
        "tutorials/story.py": '"""\nTitle\n=====\n\nText.\n"""\n\n' + textwrap.dedent(text).lstrip("\n"),
    }
    (tutorial,) = tutorials(project_of(root, files))
    assert tutorial.problems == []
    return cells(tutorial)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        (".. math::\n\n   y = x", "$$\ny = x\n$$"),
        (".. math::\n\n   y &= x", "$$\n\\begin{aligned}\ny &= x\n\\end{aligned}\n$$"),
        (".. math::\n\n   y \\\\\n   x", "$$\n\\begin{aligned}\ny \\\\\nx\n\\end{aligned}\n$$"),
        ("Say::\n\n    pip", "Say:\n\n    pip"),
        ("Say ::\n\n    pip", "Say\n\n    pip"),
        ("Say it.\n\n::\n\n    pip", "Say it.\n\n    pip"),
        ("A `page <../docs/a.md>`_ and ``code``.", "A [page](../docs/a.md) and ``code``."),
    ],
)
def test_text_becomes_markdown(text: str, markdown: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("# A\n")
    title, told = cells_of(tmp_path, "# %%\n" + textwrap.indent(text, "# ", lambda _: True) + "\n")
    assert title == Cell("markdown", "# Title\n\nText.", 1)
    assert (told.kind, told.source, told.line) == ("markdown", markdown, 9)


def test_imports_give_way_to_the_code_they_name(tmp_path: Path) -> None:
    text = """
    from snippets.lines import HALF

    # alt: One.
    # alt: Two.

    # %%
    # Text.

    from snippets.lines import (
        line,
        show,
    )

    # A comment.
    value = line(2)
    show(value)

    # %%
    # Text.

    from snippets.lines import PAIR

    show(PAIR)
    """
    _, first, _, second, _, third = cells_of(tmp_path, text)
    assert first == Cell("code", "HALF = 0.5", 8, ["One.", "Two."])
    assert second.source == (
        'def line(x):\n    """The line."""\n    return x\n\n\ndef show(x):\n    """Show."""\n    print(x)\n\n\n'
        "# A comment.\nvalue = line(2)\nshow(value)"
    )
    assert second.line == 16
    assert third == Cell("code", "PAIR = (\n    1,\n    2,\n)\n\n\nshow(PAIR)", 28)


def test_a_constant_needs_no_wide_gap(tmp_path: Path) -> None:
    _, cell = cells_of(tmp_path, "from snippets.lines import HALF, line\n\nline(HALF)\n")
    assert cell.source == 'HALF = 0.5\n\n\ndef line(x):\n    """The line."""\n    return x\n\n\nline(HALF)'
    (tmp_path / "more").mkdir()
    *_, cell = cells_of(
        tmp_path / "more",
        "from snippets.lines import line\n\nline(1)\n\n# %%\n# T\n\nfrom snippets.lines import HALF\n\nline(HALF)\n",
    )
    assert cell.source == "HALF = 0.5\n\nline(HALF)"


def test_what_stays_behind_in_the_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"story\.py:\d+: '.*' is left in the text of the notebook\n    to fix: write it in another way"
    ):
        cells_of(tmp_path, "# %%\n# A ``:role:`x``` stays.\n")
