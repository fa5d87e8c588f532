"""Lists that a page shows with one word after `:::`, read from the records each time the site is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torchproof import evidence, versions_page
from torchproof.project import Project


class _Html(Protocol):
    def __call__(self, project: Project, site_root: str, folders: bool = True) -> str: ...


class _Markdown(Protocol):
    def __call__(self, project: Project, site_root: str) -> str: ...


@dataclass(frozen=True)
class Shown:
    """How a list is shown, on a page and on its Markdown twin."""

    html: _Html
    markdown: _Markdown


LISTS = {
    evidence.NAME: Shown(evidence.evidence_html, evidence.evidence_markdown),
    versions_page.NAME: Shown(versions_page.versions_html, versions_page.versions_markdown),
}
