"""The page of versions: what the programs do with an older torch, and why where that is something else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from torchproof.catalog import Snippet
from torchproof.evidence import address_of, addresses, code, filtered, link, markdown_link, markdown_table, table, which
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.versions import COMMAND, Gap, Versions, sentence

# What a page writes after `:::` to show all of it.
NAME = "versions"


@dataclass
class Comparison:
    """The programs by what the versions made of them.

    Attributes:
        found: What was recorded.
        addresses: By full name, where the site shows a snippet.
        differing: Those that do not do the same with every version.
        skipped: By reason, those that ran with none.
        same: Those that did what their record says with every version.
        changed: Those that changed since, or are new. A program that changed stands in no other list but `differing`.
    """

    found: Versions
    addresses: dict[str, str]
    differing: list[Snippet]
    skipped: dict[str, list[Snippet]]
    same: list[Snippet]
    changed: list[Snippet]

    @classmethod
    def of(cls, project: Project, folders: bool = True) -> Comparison:
        """Sort the programs of a project.

        Raises:
            Problem: There is no record of the versions, or it is damaged.
        """
        found = Versions.load(project.root)
        if not found.environments:
            raise Problem("no program was run with several versions of torch", fix=COMMAND)
        sorted_ = cls(found, addresses(project, folders), [], {}, [], [])
        for snippet in project.catalog.snippets():
            gaps = found.gaps_of(snippet)
            reasons = {gap.reason for gap in gaps.values() if gap.did == "skipped"}
            ran_nowhere = len(reasons) == 1 and len(gaps) == len(found.environments)
            if gaps and not ran_nowhere:
                sorted_.differing.append(snippet)
            if not found.is_current(project, snippet):
                sorted_.changed.append(snippet)
            elif ran_nowhere:
                sorted_.skipped.setdefault(reasons.pop(), []).append(snippet)
            elif not gaps:
                sorted_.same.append(snippet)
        return sorted_

    def address(self, snippet: Snippet) -> str:
        """Where the site shows a snippet; its program where no page does."""
        return address_of(snippet, self.addresses)

    def counts(self, project: Project) -> Iterator[str]:
        """One sentence for each version, about the programs that are those that ran."""
        current = [snippet for snippet in project.catalog.snippets() if self.found.is_current(project, snippet)]
        for version, counts in self.found.counts(current):
            there = self.found.environments[version]
            where = f"torchvision {there['torchvision']}, Python {there['python']}, {there['device']}"
            yield f"torch {version} ({where}): of {len(current)} programs, {sentence(counts)}."

    def rows(self) -> Iterator[tuple[Snippet, list[str], list[str]]]:
        """Each snippet that does not do the same everywhere: what it did with each version, and the reasons line by line."""
        for snippet in self.differing:
            gaps = self.found.gaps_of(snippet)
            did: list[str] = [gaps[version].did if version in gaps else "same" for version in self.found.environments]
            reasons: dict[Gap, list[str]] = {}
            for version in self.found.environments:
                if version in gaps:
                    reasons.setdefault(gaps[version], []).append(version)
            told = []
            for gap, versions in reasons.items():
                told += [f"{' and '.join(versions)}: {gap.reason}" if len(reasons) > 1 else gap.reason, *gap.lines]
            yield snippet, did, ["the program has changed since"] * (snippet in self.changed) + told

    def modules(self) -> list[tuple[str, str, int]]:
        """Module, address of its page, and how many of its programs do the same everywhere."""
        first: dict[str, str] = {}
        for snippet in self.same:
            if snippet.full_name in self.addresses:
                first.setdefault(snippet.module, self.addresses[snippet.full_name].partition("#")[0])
        counted = Counter(snippet.module for snippet in self.same)
        return [(module, first.get(module, ""), count) for module, count in sorted(counted.items())]


def versions_html(project: Project, site_root: str, folders: bool = True) -> str:
    """The lists as a page shows them.

    Args:
        project: Where programs and records come from.
        site_root: Relative address of the site's root as seen from the page, such as "../".
        folders: Whether a page of the site is a folder with an `index.html`.

    Raises:
        Problem: There is no record of the versions, or it is damaged.
    """
    found = Comparison.of(project, folders)
    parts = [f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in found.counts(project))}</ul>"]
    if found.differing:
        columns = _columns(found)
        rows = table('<table class="tp-runs tp-reasons">', ("Block", *columns, "Reason"), list(_rows(found, site_root)))
        parts += ['<h2 id="programs">What differs</h2>', filtered("programs", columns, rows, site_root)]
    if found.changed:
        blocks = [(snippet, found.address(snippet)) for snippet in found.changed]
        count = f"{len(blocks)} program{'s' * (len(blocks) > 1)}"
        parts.append(f'<h2 id="changed">What has changed since</h2><p>{count}</p>{which(blocks, site_root)}')
    if found.skipped:
        rows = table("<table>", ("Reason", "Count", "Which"), list(_skipped(found, site_root)))
        parts.append(f'<h2 id="skipped">What was skipped</h2>{rows}')
    cells = [f"<td>{_module(*module, site_root)}</td><td>{module[-1]}</td>" for module in found.modules()]
    parts.append(f'<h2 id="same">What does the same</h2>{table("<table>", ("Module", "Programs"), cells)}')
    return f'<div class="tp-evidence" data-search-exclude>{"".join(parts)}</div>'


def _columns(found: Comparison) -> tuple[str, ...]:
    return tuple(f"torch {version}" for version in found.found.environments)


def _rows(found: Comparison, site_root: str) -> Iterator[str]:
    for snippet, did, reasons in found.rows():
        cells = "".join(f"<td>{word}</td>" for word in did)
        told = "<br>".join(escape(line) for line in reasons)
        yield f"<td>{link(snippet, found.address(snippet), site_root)}</td>{cells}<td>{told}</td>"


def _skipped(found: Comparison, site_root: str) -> Iterator[str]:
    for reason, snippets in found.skipped.items():
        blocks = [(snippet, found.address(snippet)) for snippet in snippets]
        yield f"<td>{code(reason)}</td><td>{len(blocks)}</td><td>{which(blocks, site_root)}</td>"


def _module(module: str, address: str, count: int, site_root: str) -> str:
    name = f"<code>{module}</code>"
    return f'<a href="{site_root}{escape(address)}">{name}</a>' if address else name


def versions_markdown(project: Project, site_root: str) -> str:
    """The same lists in Markdown.

    Args:
        project: Where programs and records come from.
        site_root: Relative address of the site's root as seen from the page, such as "..".

    Raises:
        Problem: There is no record of the versions, or it is damaged.
    """
    found = Comparison.of(project)

    def links(snippets: list[Snippet]) -> str:
        return ", ".join(markdown_link(snippet, found.address(snippet), site_root) for snippet in snippets)

    parts = ["\n".join(f"- {line}" for line in found.counts(project))]
    if found.differing:
        rows = ((links([snippet]), *did, "; ".join(map(_literal, reasons))) for snippet, did, reasons in found.rows())
        parts += ["Programs that do not do the same:", markdown_table(("Block", *_columns(found), "Reason"), rows)]
    if found.changed:
        parts.append(f"Programs that have changed since: {links(found.changed)}")
    if found.skipped:
        skipped = ((reason, f"{len(snippets)}", links(snippets)) for reason, snippets in found.skipped.items())
        parts += ["Programs that were skipped:", markdown_table(("Reason", "Count", "Which"), skipped)]
    modules = ((module, f"{count}") for module, _, count in found.modules())
    parts += ["Programs that do the same:", markdown_table(("Module", "Programs"), modules)]
    return "\n\n".join(["", *parts, ""])


def _literal(line: str) -> str:
    """A line as text in a table of Markdown: nothing in it is markup."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", line)
