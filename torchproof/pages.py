"""What pages ask for: find directives and forbidden code blocks in Markdown, and tell which file a text comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from torchproof.problems import Place, Problem

_DIRECTIVE = re.compile(r"^(?P<indent>\s*)::: (?P<name>[\w.]+)\s*$")
_OPTION = re.compile(r"^(?P<key>[a-z]+): (?P<value>.*\S)\s*$")
_FENCE = re.compile(r"^\s*(?P<mark>`{3,}|~{3,})\s*(?P<info>.*)$")
_PYTHON = re.compile(r"^[{\s.]*(python3?|py|py3|pycon|ipython3?)\b", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
OPTIONS = ("alt", "highlight", "note")
# Python never holds these two characters in a row, so they cannot be a part of the code that a note is about.
_NOTE = " => "


@dataclass(frozen=True)
class Directive:
    """One `::: snippets.module.name` and its options.

    Attributes:
        name: The import path asked for.
        start: Index of its first line.
        stop: Index after its last option line.
        indent: White space before it.
        options: Values of each key, in order.
        faults: Option lines that are none.
    """

    name: str
    start: int
    stop: int
    indent: str
    options: dict[str, list[str]] = field(default_factory=dict)
    faults: tuple[Forbidden, ...] = ()


@dataclass(frozen=True)
class Forbidden:
    """Something at a line that a page must not hold."""

    start: int
    what: str
    fix: str


def scan(lines: list[str]) -> Iterator[Directive | Forbidden]:
    """Every directive of a page, and every fenced Python block; what stands inside other fences is text."""
    fence = ""
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        opened = _FENCE.match(line)
        if fence:
            if opened and opened["mark"].startswith(fence) and not opened["info"].strip():
                fence = ""
            continue
        if opened:
            fence = opened["mark"]
            if _PYTHON.match(opened["info"]):
                fix = "write the code as a demo in snippets/ and show it with `::: snippets.module.name`"
                yield Forbidden(index - 1, "a fenced Python block: nothing has run it", fix)
            continue
        if directive := _DIRECTIVE.match(line):
            start = index - 1
            options: dict[str, list[str]] = {}
            faults: list[Forbidden] = []
            prefix = directive["indent"] + "    "
            while index < len(lines) and lines[index].startswith(prefix):
                option = _OPTION.match(lines[index][len(prefix) :])
                if option is None or option["key"] not in OPTIONS:
                    faults.append(
                        Forbidden(index, f"{lines[index].strip()!r} is no option of a block", f"use {' or '.join(OPTIONS)}")
                    )
                else:
                    options.setdefault(option["key"], []).append(option["value"])
                index += 1
            yield Directive(directive["name"], start, index, directive["indent"], options, tuple(faults))


def line_of(body: str, text: str, purpose: str = "highlight") -> int:
    """Number of the line that holds a text.

    Raises:
        Problem: The text occurs nowhere, or more than once.
    """
    if body.count(text) != 1:
        times = f"{body.count(text)} times" if text in body else "nowhere"
        raise Problem(f"the text to {purpose}, {text!r}, occurs {times} in the block", fix="name text that occurs once")
    return body[: body.index(text)].count("\n") + 1


@dataclass(frozen=True)
class Note:
    """Words on a piece of the shown code."""

    line: int
    code: str
    words: str


def notes_of(body: str, options: list[str]) -> list[Note]:
    """The notes of a block, in the order of its lines, from options like `grid.t() => a new header, the same cells`.

    Raises:
        Problem: An option does not name code and words, or its code does not occur exactly once.
    """
    notes = []
    for option in options:
        code, arrow, words = option.partition(_NOTE)
        if not arrow:
            raise Problem(f"the note {option!r} says not what it is about", fix="write `note: code of the block => words`")
        notes.append(Note(line_of(body, code, "annotate"), code, words.strip()))
    return sorted(notes, key=lambda note: (note.line, body.index(note.code)))


def match_alts(figures: int, alts: list[str]) -> None:
    """Every figure needs its own words.

    Raises:
        Problem: There are more figures than texts, or the other way around.
    """
    if figures != len(alts):
        fix = "write one `alt: what the figure shows` line below the block for each figure"
        raise Problem(f"the program draws {figures} figures and the block has {len(alts)} alt texts", fix=fix)


@dataclass(frozen=True)
class Page:
    """A Markdown file below `docs/`.

    Attributes:
        path: The file.
        body: Its text after the front matter.
        offset: How many lines the front matter takes.
    """

    path: Path
    body: str
    offset: int

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read one page."""
        text = path.read_text(encoding="utf-8-sig")
        front = _FRONT_MATTER.match(text)
        start = front.end() if front else 0
        # Python-Markdown expands tabs and empties blank lines before an extension sees the text: so it is here.
        body = re.sub(r"(?<=\n) +(?=\n)", "", text[start:].expandtabs(4))
        return cls(path, body, text[:start].count("\n"))

    def place(self, line: int) -> Place:
        """The place of a line of the body, counted from zero."""
        return Place(self.path, self.offset + line + 1)


@lru_cache(maxsize=1024)
def _read(path: Path, modified: int) -> Page:
    """A page as it was at that time: each page of a build asks for all pages."""
    return Page.read(path)


def pages(docs: Path) -> list[Page]:
    """Every page below a docs folder.

    Raises:
        Problem: A page is not UTF-8 text.
    """
    found = []
    for path in sorted(docs.rglob("*.md")):
        try:
            found.append(_read(path, path.stat().st_mtime_ns))
        except UnicodeDecodeError as error:
            raise Problem(f"the page is not UTF-8 text ({error.reason})", Place(path, 1), "save it as UTF-8") from None
    return found


def page_of(docs: Path, lines: list[str]) -> tuple[Page, int] | None:
    """The page whose body these lines are, and how many lines of it come before them.

    A Markdown extension is handed text without a name. The text itself says which file it is, in every host.
    """
    wanted = "\n".join(lines).strip()
    for page in pages(docs):
        body = page.body.strip()
        if body == wanted:
            leading = page.body[: page.body.index(body)].count("\n") if body else 0
            return page, leading - next((n for n, line in enumerate(lines) if line.strip()), 0)
    return None
