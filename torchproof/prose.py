"""The prose of a tutorial: reStructuredText that survives its way into a notebook, and the links in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What sphinx-gallery's writer does not turn into Markdown: it would stand in the notebook as it was typed.
_LEAKS = {
    r"^\s*\.\. (?!math::|note::|warning::|code-block::|_)[\w-]+::": "a directive other than math, note, warning and code-block",
    r"(?<![\w`:]):(?!math:)[\w.+:-]+:`": "a role other than :math:",
    r"\[(?:#[\w-]*|\*|\d+)\]_": "a footnote",
    r"^\s*\.\. \[": "a footnote",
    r"^\s*\+[-=]+\+": "a table",
    r"^\s*=+ +=[ =]*$": "a table",
    r"^\s*:[\w -]+:(?:\s|$)": "an option or a field list",
    r"^\s*#\. ": "a list that numbers itself",
    r"^\s*alt: ": "an alt text without a blank line before it",
    r"\|[\w-]+\|_?(?=\W|$)": "a substitution",
    r"^\s*\.\. code-block::.*$(?!\n[ \t]*\n)": "a code block without a blank line after its first line, or with options",
}
_LEAK = {re.compile(pattern, re.MULTILINE): what for pattern, what in _LEAKS.items()}
# mkdocs-jupyter takes code out of the text that it makes the table of contents from.
_CODE_HEADING = re.compile(r"^[^\n]*`[^\n]*\n([=~^-])\1{2,} *$", re.MULTILINE)
_LITERAL = re.compile(r"``[^`]+``")
_LINK = re.compile(r"`[^`<]*<(?P<target>[^`>]+)>`_")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LEFT = re.compile(r"^\s*\.\. \S.*$|:[\w+-]+:`|`_(?!\w)|::$|\]_(?!\w)", re.MULTILINE)
_REFERENCE = re.compile(r"`[^`<>]+`_(?!\w)")


@dataclass(frozen=True)
class Leak:
    """Something that would stand in a notebook as it was typed; `line` counts from 0."""

    line: int
    what: str


def leaks(text: str) -> Iterator[Leak]:
    """Everything in a reStructuredText that a notebook cannot show."""
    blanked = _LITERAL.sub(lambda literal: re.sub(r"[^\n]", "x", literal[0]), text)
    found = [Leak(_line(blanked, match), what) for pattern, what in _LEAK.items() for match in pattern.finditer(blanked)]
    found += [Leak(_line(text, match), "code in a heading") for match in _CODE_HEADING.finditer(text)]
    found += [Leak(_line(blanked, match), "a link without its address") for match in _REFERENCE.finditer(blanked)]
    yield from sorted(found, key=lambda leak: leak.line)


def markdown_leaks(text: str) -> Iterator[Leak]:
    """What a finished Markdown text still holds of reStructuredText."""
    prose = _FENCED.sub("", text)
    for match in _LEFT.finditer(_LITERAL.sub("", prose)):
        yield Leak(_line(prose, match), f"{match[0].strip()!r}")


def _line(text: str, match: re.Match[str]) -> int:
    found = match[0]
    return text.count("\n", 0, match.start() + len(found) - len(found.lstrip()))


@dataclass(frozen=True)
class Link:
    """Where a text points to; `line` counts from 0."""

    line: int
    target: str


def links(text: str) -> Iterator[Link]:
    """Every link of a reStructuredText."""
    for match in _LINK.finditer(text):
        yield Link(text.count("\n", 0, match.start("target")), match["target"].strip())
