"""The room that a block far from view keeps: what is always shown, and the tallest of its panels."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from torchproof.room import room


def code(lines: int) -> str:
    text = "a = 1\n" * lines
    return f'<pre tabindex="0"><code>{text}</code></pre>'


def output(lines: int) -> str:
    text = "1\n" * lines
    return f"<pre><samp>{text}</samp></pre>"


def figure(height: float) -> str:
    return f'<svg xmlns="x" viewBox="0 0 460.8 {height}"><path/></svg>'


def panels(contents: Iterable[str]) -> str:
    return "".join(f'<div class="tp-panel">{content}</div>' for content in contents)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (code(3), (3, 0, 0)),
        # A title and two edges take the room of two lines, the edges of a figure 24 points.
        (code(3) + output(4), (3, 6, 0)),
        (code(3) + figure(100.4), (3, 0, 124)),
        (code(2) + code(3) + output(1) + output(2), (5, 7, 0)),
        (code(1) + figure(10) + figure(20), (1, 0, 78)),
        # A note at a line of code takes about a line; what is folded takes none.
        (code(3) + "<ol><li>One.</li><li>Two.</li></ol>", (5, 0, 0)),
        (code(3) + f"<details><summary>More</summary>{output(9)}\n{code(5)}</details>" + output(1), (3, 3, 0)),
        # A long output is folded after twenty lines.
        (code(1) + output(20), (1, 22, 0)),
        (code(1) + output(21), (1, 22, 0)),
        # One panel for each device, of which one is shown.
        (code(1) + panels([output(2), output(5), output(3)]), (1, 7, 0)),
        (code(1) + panels([output(2), figure(300)]), (1, 0, 324)),
        (code(1) + panels([output(20), figure(300)]), (1, 22, 0)),
        (code(1) + panels([output(4) + figure(60), figure(100)]), (1, 6, 84)),
        # What stands before the panels is shown with each of them.
        (code(1) + output(1) + figure(50) + panels([output(2) + figure(7)]), (1, 7, 105)),
    ],
)
def test_room_is_counted_in_lines_and_points(html: str, expected: tuple[int, int, int]) -> None:
    names = ("code-lines", "output-lines", "drawn")
    assert room(html) == ";".join(f"--tp-{name}:{number}" for name, number in zip(names, expected, strict=True))


def test_room_is_what_the_style_sheet_reads() -> None:
    assert re.findall(r"--tp-[\w-]+", room(code(1))) == ["--tp-code-lines", "--tp-output-lines", "--tp-drawn"]
