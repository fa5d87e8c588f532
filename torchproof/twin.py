"""A page as Markdown, for machines that read: its blocks are code and output, its links lead to other such pages."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import PurePosixPath

from torchproof.lists import LISTS
from torchproof.pages import Directive, Page, notes_of, scan
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.render import where_it_ran
from torchproof.results import shown
from torchproof.story import card_markdown, named
from torchproof.tutorial import is_card

_FENCED = re.compile(r"(^[ ]*(?:```+|~~~+).*?^[ ]*(?:```+|~~~+)[ ]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<path>[\w./-]+)\.(?:md|ipynb)(?=[#)])")
# What attr_list and md_in_html read, and a reader of Markdown does not.
_ATTRIBUTES = re.compile(r"[ ]*\{:?[ ]*[.#][^{}\n]*\}(?=\s|$)", re.MULTILINE)
_WRAPPER = re.compile(r"^</?(?:div|section)\b[^>]*>\n?", re.MULTILINE)
_FOLDED = re.compile(r'^(?P<indent> *)(?:\?\?\?\+?|!!!) \w+ "(?P<title>[^"]+)"$')


def twin_path(page: PurePosixPath) -> str:
    """Where the Markdown of a page lies in the site, beside its HTML.

    Args:
        page: The page's path below `docs/`.
    """
    if page.stem in ("index", "README"):
        return str(page.with_name("index.md"))
    return str(page.with_suffix("") / "index.md")


def twin(project: Project, page: Page) -> str:
    """The Markdown of one page.

    Raises:
        Problem: A block cannot be shown.
    """
    path = PurePosixPath(page.path.relative_to(project.root / "docs").as_posix())
    folder = posixpath.dirname(twin_path(path))
    site_root = os.path.relpath(".", folder or ".")
    lines = page.body.split("\n")
    done = 0
    parts = []
    for item in scan(lines):
        if not isinstance(item, Directive):
            raise Problem(item.what, page.place(item.start), item.fix)
        parts.append(_prose("\n".join(lines[done : item.start]), path, folder))
        if item.name in LISTS:
            told = LISTS[item.name].markdown(project, site_root)
        elif is_card(item):
            told = card_markdown(named(project, item.name), site_root)
        else:
            told = _block(project, item, site_root)
        parts.append("\n".join(item.indent + line if line else "" for line in told.split("\n")))
        done = item.stop
    parts.append(_prose("\n".join(lines[done:]), path, folder))
    return re.sub(r"\n{3,}", "\n\n", _unfolded("\n".join(parts))).strip() + "\n"


def _unfolded(text: str) -> str:
    """What a page folds or boxes (`??? note "Title"`), as its title and plain text."""
    result: list[str] = []
    inside = None
    for line in text.split("\n"):
        if opened := _FOLDED.match(line):
            inside = opened["indent"]
            result += [f"{inside}**{opened['title']}**"]
        elif inside is not None and line and not line.startswith(inside + "    "):
            inside = None
            result.append(line)
        else:
            result.append(line[4:] if inside is not None else line)
    return "\n".join(result)


def _prose(text: str, path: PurePosixPath, folder: str) -> str:
    """What stands between blocks, without what only the HTML needs, and with links that lead to Markdown."""

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(path.parent, link["path"] + ".md"))
        return os.path.relpath(twin_path(PurePosixPath(target)), folder or ".")

    pieces = _FENCED.split(text)
    for index in range(0, len(pieces), 2):
        pieces[index] = _LINK.sub(moved, _ATTRIBUTES.sub("", _WRAPPER.sub("", pieces[index])))
    return "".join(pieces)


def _block(project: Project, item: Directive, site_root: str) -> str:
    snippet = project.catalog.find(item.name)
    program = project.program(snippet)
    cpu, gpu = project.standing(program, "cpu"), project.standing(program, "cuda")
    name = f"{snippet.module}/{snippet.name}.py"
    parts = [f"Program [{name}]({site_root}/programs/{name}):", fence("python", program.body)]
    parts += [f"- `{note.code}`: {note.words}" for note in notes_of(program.body, item.options.get("note", []))]
    for title, standing in shown(snippet, {"cpu": cpu, "cuda": gpu}).values():
        assert standing.entry, "what is shown has an entry"
        told = standing.entry.stdout.rstrip("\n")
        if standing.entry.exception:
            told += "\n{type}: {message}".format(**standing.entry.exception)
        if told.strip():
            parts += [f"{title}:", fence("text", told.strip("\n"))]
        folder = standing.record.path.with_suffix("").relative_to(project.root / "docs").as_posix()
        for (file, _), alt in zip(standing.entry.figures, item.options.get("alt", []), strict=True):
            parts.append(f"![{alt}]({site_root}/{folder}/{file})")
    parts.append(f"Ran on: {'. '.join(where_it_ran(snippet, cpu, gpu))}.")
    return "\n\n".join(["", *parts, ""])


def fence(language: str, text: str) -> str:
    """A fenced block whose fence is longer than any in the text."""
    longest = max([2, *(len(run) for run in re.findall(r"`{3,}", text))])
    mark = "`" * (longest + 1)
    return f"{mark}{language}\n{text}\n{mark}"
