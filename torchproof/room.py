"""How much room a block will take: browsers lay out no block before the reader comes near, and keep a place for it."""

from __future__ import annotations

import re

from torchproof.results import FOLD_BEYOND

_FOLDED = re.compile(r"<details.*?</details>", re.DOTALL)
_TEXT = re.compile(r"<pre[^>]*><(?P<kind>code|samp)[^>]*>(?P<text>.*?)</(?P=kind)></pre>", re.DOTALL)
_HEIGHT = re.compile(r'<svg\b[^>]*? viewBox="[\d.]+ [\d.]+ [\d.]+ (?P<height>[\d.]+)"', re.IGNORECASE)
_PANEL = re.compile(r'<div class="tp-panel"')


def room(html: str) -> str:
    """What the style sheet makes a height of: lines of code and of output, and points of figures.

    Args:
        html: What stands inside the block.
    """
    # All panels take the room of the tallest.
    always, *panels = _PANEL.split(_FOLDED.sub("", html))
    code, output, drawn = map(sum, zip(_count(always), max(map(_count, panels), default=(0, 0, 0.0), key=_tall), strict=True))
    return f"--tp-code:{code};--tp-output:{output};--tp-drawn:{round(drawn)}"


def _count(html: str) -> tuple[int, int, float]:
    lines = {"code": html.count("<li>"), "samp": 0}
    for text in _TEXT.finditer(html):
        count = text["text"].rstrip("\n").count("\n") + 1
        lines[text["kind"]] += min(count, FOLD_BEYOND) if text["kind"] == "samp" else count
    return lines["code"], lines["samp"], sum(float(found["height"]) for found in _HEIGHT.finditer(html))


def _tall(counts: tuple[int, int, float]) -> float:
    return 20 * (counts[0] + counts[1]) + counts[2]
