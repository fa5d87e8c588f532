"""Formulas become MathML where they stand, in a line or on one of their own."""

from __future__ import annotations

import logging

import pytest
from markdown import Markdown

from torchproof.math import mathml
from torchproof.problems import Problem


def converted(text: str) -> str:
    options = {"pymdownx.arithmatex": {"generic": True}}
    return Markdown(extensions=["pymdownx.arithmatex", "torchproof.math"], extension_configs=options).convert(text)


def test_a_formula_in_a_line_stays_in_it() -> None:
    page = converted("The mean \\(\\frac{a}{n}\\) of all, and \\(a < b\\).")
    assert page.count('display="inline"') == 2
    assert "<mfrac>" in page
    assert "arithmatex" not in page
    assert "tabindex" not in page
    assert page.startswith("<p>The mean <math ")
    assert page.endswith("</math>.</p>")


def test_a_formula_on_its_own_line_is_a_block_that_scrolls_by_keyboard() -> None:
    page = converted("Before.\n\n\\[\\sum_i x_i\\]\n\nAfter.")
    assert page.count('<math tabindex="0" ') == 1
    assert 'display="block"' in page
    assert "<munder>" in page
    assert "<p>After.</p>" in page


def test_a_formula_that_cannot_be_read_is_named_once_and_shown_as_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mkdocs.torchproof"):
        page = converted("A \\( \\frac \\) and \\(b\\).")
    assert '<code class="tp-problem">\\frac</code>' in page
    assert page.count("<math ") == 1
    (told,) = [record for record in caplog.records if record.name == "mkdocs.torchproof"]
    assert told.getMessage().startswith("the formula '\\\\frac' cannot be read: ")


def test_a_problem_names_the_formula() -> None:
    with pytest.raises(Problem, match=r"the formula '\\\\sqrt' cannot be read"):
        mathml("\\sqrt", display=False)
