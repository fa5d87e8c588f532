"""A tutorial as the site shows it: the notebook for mkdocs-jupyter, the card of the gallery, and Markdown for machines."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from torchproof import stored
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.tutorial import FOLDER, PREFIX, Tutorial, chosen

SVG = "image/svg+xml"
# Code in a Markdown text, where dollar signs and brackets mean what they are.
_CODE = re.compile(r"(``.+?``|`[^`]+`|^```.*?^```|^(?: {4}|\t).*$)", re.MULTILINE | re.DOTALL)
_MATH = re.compile(r"\$\$(?P<display>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$]+?)\$(?![\d$])", re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<target>\.{0,2}/?[^)\s:]+)(?=\))")
_ALERT = re.compile(r'<div class="alert alert-\w+"><h4>(\w+)</h4>')
_FINAL = "final-picture"
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', re.IGNORECASE)
_TITLE = re.compile(r"\A# (?P<title>.+)\n+(?P<summary>(?:.+\n?)+)")


@dataclass(frozen=True)
class Story:
    """A tutorial with its notebook, which is whole and of this very script.

    Attributes:
        tutorial: The script.
        notebook: The notebook, as JSON holds it.
        title: Its heading.
        summary: The first paragraph after the heading, in Markdown.
    """

    tutorial: Tutorial
    notebook: dict[str, Any]
    title: str
    summary: str

    @property
    def figures(self) -> list[str]:
        """The SVG text of every figure, in order."""
        return [_text(output["data"][SVG]) for cell in self.notebook["cells"] for output in _drawings(cell)]

    @property
    def where(self) -> str:
        """Where it ran and how long that took, in plain words."""
        told = self.notebook["metadata"]["torchproof"]
        where = told["environment"]
        threads = f"{where['threads']} thread{'s' * (where['threads'] > 1)}"
        versions = f"torch {where['torch']}, Python {where['python']}"
        return f"Ran in {told['seconds']:.0f} s on CPU {where['device']}, {threads}, {versions}"


def story(tutorial: Tutorial) -> Story:
    """A tutorial with its notebook.

    Raises:
        Problem: The notebook is missing, damaged or stale, or does not start with a title and what the reader will build.
    """
    notebook = stored.current(tutorial)
    found = _TITLE.match(_text(notebook["cells"][0]["source"]) + "\n")
    if found is None:
        fix = "start the docstring with a title, its underline, and a paragraph on what the reader will build"
        raise Problem("the tutorial does not start with a title and a paragraph", tutorial.place(1), fix)
    return Story(tutorial, notebook, found["title"].strip(), " ".join(found["summary"].split()))


def named(project: Project, directive: str) -> Story:
    """The tutorial that a page names as `tutorials.name`.

    Raises:
        Problem: There is none of that name, or its notebook cannot be shown.
    """
    (tutorial,) = chosen(project, [directive.removeprefix(PREFIX)])
    for problem in tutorial.problems:
        raise problem
    return story(tutorial)


def page(told: Story) -> str:
    """The notebook that mkdocs-jupyter is given: code, output and figures are blocks like those of the chapters."""
    cells = []
    # What the reader is to see at the end is shown twice: in its place, and where the story begins.
    last = max((n for n, cell in enumerate(told.notebook["cells"]) if _drawings(cell)), default=-1)
    for number, cell in enumerate(told.notebook["cells"]):
        source = _text(cell["source"])
        if cell["cell_type"] == "code":
            source = _block(cell, final=number == last)
        else:
            source = _for_the_web(source)
            if number == 0:
                heading, _, rest = source.partition("\n")
                source = f"{heading}\n\n{_about(told)}\n{rest}\n\n{_promise(told, last)}"
        cells.append({"cell_type": "markdown", "id": cell["id"], "metadata": {}, "source": source})
    notebook = {**told.notebook, "cells": cells}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def thumbnail(told: Story) -> str:
    """The last figure as a picture of its own, whose text reads on a light and on a dark page; "" if there is none."""
    return told.figures[-1].replace("currentColor", "#808080") if told.figures else ""


def card(told: Story, site_root: str) -> str:
    """What the gallery shows of a tutorial."""
    address = f"{site_root}{FOLDER}/{told.tutorial.name}/"
    picture = ""
    if told.figures and (size := _SIZE.search(told.figures[-1])):
        # With its size the picture keeps its place free until it has come.
        width, height = (round(float(number)) for number in size.groups())
        picture = f'<img src="{address}thumbnail.svg" width="{width}" height="{height}" alt="" loading="lazy">'
    return (
        f'<a class="tp-card" href="{address}"><span class="tp-thumbnail">{picture}</span>'
        f'<span class="tp-card-text"><strong>{_inline(told.title)}</strong> <span>{_inline(told.summary)}</span> '
        f"<small>{escape(told.where)}</small></span></a>"
    )


def card_markdown(told: Story, site_root: str) -> str:
    """The same for machines."""
    return f"\n- [{told.title}]({site_root}/{FOLDER}/{told.tutorial.name}/index.md): {told.summary} {told.where}.\n"


def markdown(told: Story, fence: Callable[[str, str], str]) -> str:
    """The whole tutorial for machines that read.

    Args:
        told: The tutorial.
        fence: Puts a text between fences of a language.
    """
    parts = []
    for cell in told.notebook["cells"]:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(_LINK.sub(lambda m: _address(m["target"], "index.md"), source))
            continue
        parts.append(fence("python", source))
        alts = iter(cell["metadata"].get("alt", []))
        for output in cell["outputs"]:
            if SVG in output.get("data", {}):
                parts.append(f"Figure: {next(alts)}")
            else:
                parts += ["Output:", fence("text", _printed(output))]
    parts.append(f"{told.where}.")
    return "\n\n".join(parts) + "\n"


def download(told: Story, base: str) -> str:
    """The notebook to download: as it was executed, with links that lead to the site from anywhere.

    Args:
        told: The tutorial.
        base: Address of the site.
    """
    cells = []
    for cell in told.notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = _LINK.sub(
                lambda m: posixpath.join(base, _address(m["target"]).removeprefix("../../")), _text(cell["source"])
            )
            cell = {**cell, "source": source}
        cells.append(cell)
    return json.dumps({**told.notebook, "cells": cells}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _about(told: Story) -> str:
    name = told.tutorial.name
    return (
        f'<p class="tp-about" data-search-exclude><a class="md-button" href="../{name}.ipynb" download>Download notebook</a> '
        f"<small>{escape(told.where)}</small></p>"
    )


def _promise(told: Story, last: int) -> str:
    """The final picture, where the story begins: a browser draws from no picture far below that it has not laid out."""
    from torchproof.results import picture

    if last < 0:
        return ""
    alt = told.notebook["cells"][last]["metadata"]["alt"][-1]
    drawing = picture(told.figures[-1], alt).replace("<svg ", f'<svg id="{_FINAL}" ', 1).replace("\n", "&#10;")
    caption = "<figcaption>What you will see at the end</figcaption>"
    return f'<figure class="tp-promise" data-search-exclude>{drawing}{caption}</figure>'


def _again(svg: str) -> str:
    """The final picture in its place, drawn by the one where the story begins, so that it weighs nothing."""
    size = _SIZE.search(svg)
    assert size is not None, "matplotlib says how large a figure is"
    width, height = size.groups()
    return f'{svg[: svg.index(">")]}><use xlink:href="#{_FINAL}" width="{width}" height="{height}"></use></svg>'


def _for_the_web(text: str) -> str:
    from torchproof.math import mathml

    pieces = _CODE.split(_ALERT.sub(_admonition, text))
    for index in range(0, len(pieces), 2):
        linked = _LINK.sub(lambda m: _address(m["target"]), pieces[index])
        pieces[index] = _MATH.sub(lambda m: mathml(m["display"] or m["inline"], bool(m["display"])), linked)
    return "".join(pieces)


def _admonition(found: re.Match[str]) -> str:
    return f'<div class="admonition {found[1].lower()}"><p class="admonition-title">{found[1]}</p>'


def _address(target: str, leaf: str = "") -> str:
    """Where a link of a script, relative to `tutorials/`, leads from the page of the tutorial."""
    file, mark, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(FOLDER, file)).removeprefix("docs/")
    stem, suffix = posixpath.splitext(path)
    if suffix not in (".md", ".ipynb"):
        return target
    folder = posixpath.dirname(stem) if posixpath.basename(stem) == "index" else stem
    return posixpath.join("../..", folder, leaf) + mark + anchor


def _inline(text: str) -> str:
    """Markdown of a title or a sentence as HTML, its links as plain text."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text, quote=False))


def _block(cell: dict[str, Any], final: bool) -> str:
    """A code cell as one line of HTML, which Markdown leaves alone."""
    from torchproof.listing import code_html
    from torchproof.results import figure_html, output_html
    from torchproof.room import room

    parts = [code_html(_text(cell["source"]), copy=True)]
    alts = iter(cell["metadata"].get("alt", []))
    drawings = _drawings(cell)
    for output in cell["outputs"]:
        if SVG in output.get("data", {}):
            svg = _text(output["data"][SVG])
            if final and output is drawings[-1]:
                svg = _again(svg)
            parts.append(figure_html(svg, next(alts)))
        else:
            parts.append(output_html(escape(_printed(output))))
    inside = "".join(parts)
    return f'<div class="tp-block tp-cell" id="cell-{cell["id"]}" style="{room(inside)}">{inside}</div>'.replace("\n", "&#10;")


def _drawings(cell: dict[str, Any]) -> list[dict[str, Any]]:
    return [output for output in cell.get("outputs", []) if SVG in output.get("data", {})]


def _printed(output: dict[str, Any]) -> str:
    return (_text(output.get("text") or output.get("data", {}).get("text/plain", ""))).rstrip("\n")


def _text(value: str | list[str]) -> str:
    """Jupyter writes texts as one string or as a list of lines."""
    return value if isinstance(value, str) else "".join(value)
