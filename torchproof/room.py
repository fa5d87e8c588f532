"""How much room a block will take: browsers lay out no block before the reader comes near, and keep a place for it."""

from __future__ import annotations

import re
from typing import NamedTuple

from torchproof.results import FOLD_BEYOND

_FOLDED = re.compile(r"<details.*?</details>", re.DOTALL)
_TEXT = re.compile(r"<pre[^>]*><(?P<kind>code|samp)[^>]*>(?P<text>.*?)</(?P=kind)></pre>", re.DOTALL)
_HEIGHT = re.compile(r'<svg\b[^>]*? viewBox="[\d.]+ [\d.]+ [\d.]+ (?P<height>[\d.]+)"', re.IGNORECASE)
_PANEL = re.compile(r'<div class="tp-panel"')

# Title and edges of an output in lines, edges of a figure in points.
_AROUND_OUTPUT = 2
_AROUND_FIGURE = 24


def room(html: str) -> str:
    """What the style sheet makes a height of: lines of code and of output, and points of figures.

    Args:
        html: What stands inside the block.
    """
    always, *panels = map(_counted, _PANEL.split(_FOLDED.sub("", html)))
    # All panels take the room of the tallest.
    tallest = max(panels, default=_Counts(), key=lambda panel: 20 * panel.output + panel.drawn)
    output, drawn = always.output + tallest.output, always.drawn + tallest.drawn
    return f"--tp-code-lines:{always.code};--tp-output-lines:{output};--tp-drawn:{drawn:.0f}"


class _Counts(NamedTuple):
    code: int = 0
    output: int = 0
    drawn: float = 0.0


def _counted(html: str) -> _Counts:
    # A note takes about a line.
    code, output = html.count("<li>"), 0
    for text in _TEXT.finditer(html):
        lines = text["text"].rstrip("\n").count("\n") + 1
        if text["kind"] == "code":
            code += lines
        else:
            output += min(lines, FOLD_BEYOND) + _AROUND_OUTPUT
    return _Counts(code, output, sum(float(found["height"]) + _AROUND_FIGURE for found in _HEIGHT.finditer(html)))
