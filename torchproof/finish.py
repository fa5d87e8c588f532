"""What is done to the built site: each page as Markdown, a list of them for machines, and search without a server."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from torchproof.files import write_if_changed
from torchproof.pages import pages
from torchproof.problems import Place, Problem
from torchproof.project import Project
from torchproof.twin import twin, twin_path
from torchproof.unwrap import finish_tutorials

_CANONICAL = re.compile(r'<link rel="canonical" href="([^"]+)">')
_DESCRIPTION = re.compile(r'<meta name="description" content="([^"]+)">')
_HOW_TO_READ = """\
Every code block is a program that ran; the output after it was captured. Each page below is Markdown with all code and output.
A link in a block leads to the whole program, imports included, at `programs/<module>/<name>.py`.
"""


def finish(project: Project, site: Path) -> list[str]:
    """Add to a built site what the generator does not make.

    Args:
        project: Where pages, programs and records come from.
        site: The folder that `mkdocs build` wrote.

    Returns:
        What was done, in one sentence for each part.

    Raises:
        Problem: The folder holds no site, or a page cannot be written as Markdown.
    """
    if not (site / "index.html").exists():
        raise Problem(f"{site} holds no built site", fix="mkdocs build --strict, then torchproof finish")
    docs = project.root / "docs"
    finished = finish_tutorials(project, site)
    written = 0
    for page in pages(docs):
        path = site / twin_path(PurePosixPath(page.path.relative_to(docs).as_posix()))
        # A page that the settings exclude has no HTML.
        if path.with_suffix(".html").exists():
            write_if_changed(path, twin(project, page))
            written += 1
    write_if_changed(site / "llms.txt", _llms(project.root, site))
    _let_disks_search(site)
    return [*finished, f"{written} pages as Markdown", "llms.txt", "search without a server"]


def _llms(root: Path, site: Path) -> str:
    """The list of pages for machines, as https://llmstxt.org describes it."""
    settings = _settings(root)
    home = (site / "index.html").read_text(encoding="utf-8")
    canonical = _CANONICAL.search(home)
    base = canonical[1] if canonical else ""
    parts = [f"# {settings['site_name']}", f"> {settings['site_description']}", _HOW_TO_READ.strip()]
    for section, entries in _navigation(root):
        lines = []
        for title, source in entries:
            path = twin_path(PurePosixPath(source))
            described = _DESCRIPTION.search((site / path).with_suffix(".html").read_text(encoding="utf-8"))
            lines.append(f"- [{title}]({base}{path})" + (f": {unescape(described[1])}" if described else ""))
        parts += [f"## {section}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _navigation(root: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sections of the site with title and source of each page; pages outside of sections come first."""
    alone: list[tuple[str, str]] = []
    sections = []
    for entry in _settings(root)["nav"]:
        for title, inside in entry.items():
            if isinstance(inside, str):
                alone.append((title, inside))
            else:
                sections.append((title, [(name, path) for page in inside for name, path in page.items()]))
    return [("Start", alone), *sections]


class _Loader(yaml.SafeLoader):
    """Reads `mkdocs.yml` without knowing its own tags, such as `!ENV`."""


_Loader.add_multi_constructor("", lambda loader, tag, node: None)


def _settings(root: Path) -> dict[str, Any]:
    path = root / "mkdocs.yml"
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        return {key: loaded[key] for key in ("site_name", "site_description", "nav")}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Problem(f"cannot read the site's name, description and navigation ({error!r})", Place(path, 1)) from None


def _let_disks_search(site: Path) -> None:
    """The index once more as a script: a page that is read from a disk may load that, and no JSON."""
    index = site / "search" / "search_index.json"
    if index.exists():
        write_if_changed(index.with_suffix(".js"), f"var __index = {index.read_text(encoding='utf-8')}")
