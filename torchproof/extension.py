"""The Markdown extension: `::: snippets.module.name` on a line of its own becomes a block.

It works in any host of Python-Markdown. What is wrong is logged as a warning, which stops `mkdocs build --strict`, and
shown on the page in place of the block.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from torchproof.lists import LISTS
from torchproof.pages import Forbidden, Page, page_of, scan
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.render import Renderer, problem_box
from torchproof.story import card, named
from torchproof.tutorial import is_card

# MkDocs counts the warnings of loggers below its own when it builds strictly.
_log = logging.getLogger("mkdocs.torchproof")
_DIRECTORIES = ("snippets", "docs/records", "tutorials")


class TorchproofExtension(Extension):
    """Options: `root` (the project), `repository` (address for source links), `use_directory_urls` (as in MkDocs)."""

    def __init__(self, **kwargs: Any) -> None:
        self.config = {
            "root": [".", "the project that holds docs/ and snippets/"],
            "repository": ["", "address of the repository, for links to the source"],
            "use_directory_urls": [True, "whether a page becomes a folder with an index.html"],
        }
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:
        """Run right after Python-Markdown's own tidying of white space (30), before fenced code (25) and HTML (20)."""
        root = Path(self.getConfig("root")).resolve()
        blocks = _Blocks(md, root, self.getConfig("repository"), self.getConfig("use_directory_urls"))
        md.preprocessors.register(blocks, "torchproof", 29)
        # Before the ids of the page are collected (5).
        md.treeprocessors.register(_Elements(md, blocks.attributes), "torchproof", 30)


class _Blocks(Preprocessor):
    def __init__(self, md: Markdown, root: Path, repository: str, folders: bool) -> None:
        super().__init__(md)
        self.root = root
        self.repository = repository
        self.folders = folders
        self.attributes: dict[str, dict[str, str]] = {}

    def run(self, lines: list[str]) -> list[str]:
        self.attributes.clear()
        found = list(scan(lines))
        if not found:
            return lines
        project = _project(self.root)
        renderer = Renderer(project, self.repository)
        known = page_of(self.root / "docs", lines)
        result: list[str] = []
        done = 0
        for item in found:
            result += lines[done : item.start]
            if isinstance(item, Forbidden):
                html, done = self._report(Problem(item.what, fix=item.fix), known, item.start), item.start
                result += ["", self.md.htmlStash.store(html), ""]
                continue
            try:
                for fault in item.faults:
                    raise Problem(fault.what, fix=fault.fix)
                if item.name in LISTS:
                    stored = self.md.htmlStash.store(LISTS[item.name].html(project, self._site_root(known), self.folders))
                elif is_card(item):
                    stored = self.md.htmlStash.store(card(named(project, item.name), self._site_root(known)))
                else:
                    block = renderer.block(item.name, item.options, self._site_root(known))
                    stored = self.md.htmlStash.store(block.inner_html)
                    self.attributes[stored] = block.attributes
            except Problem as problem:
                stored = self.md.htmlStash.store(self._report(problem, known, item.start))
            result += ["", item.indent + stored, ""]
            done = item.stop
        return result + lines[done:]

    def _report(self, problem: Problem, known: tuple[Page, int] | None, line: int) -> str:
        if known is not None:
            page, before = known
            where = page.place(before + line)
            if problem.place is None:
                problem = Problem(problem.what, where, problem.fix)
            else:
                problem = Problem(f"{problem.what} (at {problem.place})", where, problem.fix)
        _log.warning("%s", problem)
        return problem_box(problem)

    def _site_root(self, known: tuple[Page, int] | None) -> str:
        if known is None:
            return "/"
        path = known[0].path.relative_to(self.root / "docs")
        depth = len(path.parts) - 1
        if self.folders and path.stem not in ("index", "README"):
            depth += 1
        return "../" * depth


class _Elements(Treeprocessor):
    """Give every block an element of its own in the tree, where hosts look for ids that links may point to."""

    def __init__(self, md: Markdown, attributes: dict[str, dict[str, str]]) -> None:
        super().__init__(md)
        self.attributes = attributes

    def run(self, root: Element) -> None:
        for paragraph in root.iter("p"):
            attributes = self.attributes.get((paragraph.text or "").strip())
            if attributes is not None:
                paragraph.tag = "div"
                paragraph.attrib.update(attributes)


_projects: dict[Path, tuple[object, Project]] = {}


def _project(root: Path) -> Project:
    """The project as its files are now: read again when one of them changed, shared by all pages of a build."""
    files = [
        path for name in _DIRECTORIES for path in (root / name).rglob("*") if path.suffix in (".py", ".json", ".svg", ".ipynb")
    ]
    stamp = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    if root not in _projects or _projects[root][0] != stamp:
        _projects[root] = (stamp, Project(root))
    return _projects[root][1]


def makeExtension(**kwargs: Any) -> TorchproofExtension:
    """What Python-Markdown calls when the extension is named by its module."""
    return TorchproofExtension(**kwargs)
