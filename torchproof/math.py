"""Formulas as MathML: browsers draw it without a script, a font or a request.

`pymdownx.arithmatex` with `generic: true` finds the formulas; this extension turns what it found into MathML.
"""

from __future__ import annotations

import logging
import re
from html import escape, unescape
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

from torchproof.problems import Problem

_log = logging.getLogger("mkdocs.torchproof")
_FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


class MathExtension(Extension):
    """Turns formulas into MathML; it has no options."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Run after everything that puts stored HTML back into the page."""
        md.postprocessors.register(_Formulas(md), "torchproof-math", -10)


class _Formulas(Postprocessor):
    def run(self, text: str) -> str:
        return _FORMULA.sub(_mathml, text)


def mathml(tex: str, display: bool) -> str:
    """A formula as MathML.

    Args:
        tex: The formula, without dollar signs.
        display: Whether it stands on a line of its own.

    Raises:
        Problem: The converter cannot read it.
    """
    try:
        formula: str = convert(tex.strip(), display="block" if display else "inline")
    except Exception as error:  # The converter has a dozen unrelated exceptions for formulas it cannot read.
        raise Problem(f"the formula {tex.strip()!r} cannot be read: {error!r}") from None
    # On a narrow screen a long one scrolls, by keyboard too.
    return formula.replace("<math ", '<math tabindex="0" ', 1) if display else formula


def _mathml(found: re.Match[str]) -> str:
    tex = unescape(found["tex"])
    try:
        return mathml(tex, display=found["tag"] == "div")
    except Problem as problem:
        _log.warning("%s", problem)
        return f'<code class="tp-problem">{escape(tex.strip())}</code>'


def makeExtension(**kwargs: Any) -> MathExtension:
    """What Python-Markdown calls when the extension is named by its module."""
    return MathExtension(**kwargs)
