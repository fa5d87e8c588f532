"""The page of evidence: every run behind the site, and every block that did not run somewhere, with the reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import PurePosixPath

from torchproof.catalog import Snippet
from torchproof.pages import Directive, pages, scan
from torchproof.project import Project, Standing, State

# What a page writes after `:::` to show all of it.
NAME = "evidence"
_DEVICES = {"cpu": "CPU", "cuda": "CUDA"}
_STATES: dict[State, str] = {"fresh": "current", "stale": "outdated", "failed": "failed"}


@dataclass(frozen=True)
class Row:
    """One run of one block.

    Attributes:
        snippet: What ran.
        address: Where the site shows it, from the site's root; its program where no page does.
        device: Kind and name of the device.
        versions: Of torch and Python.
        seconds: How long the program's body took.
        state: "current", or what is wrong with the record.
    """

    snippet: Snippet
    address: str
    device: str
    versions: str
    seconds: float
    state: str

    @property
    def kind(self) -> str:
        """What the snippet is, in one word."""
        return "measurement" if "measurement" in self.snippet.marks else self.snippet.kind

    def cells(self) -> tuple[str, ...]:
        """All but the block's name."""
        return (self.kind, self.device, self.versions, f"{self.seconds:.3f}", self.state)


@dataclass
class Evidence:
    """All runs, and why there are no more of them.

    Attributes:
        rows: One for each record of a snippet.
        gaps: Kind of device and reason, with the snippets that did not run there and their addresses.
    """

    rows: list[Row] = field(default_factory=list)
    gaps: dict[tuple[str, str], list[tuple[Snippet, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project, folders: bool = True) -> Evidence:
        """Collect it from the records of a project.

        Args:
            project: Where programs and records come from.
            folders: Whether a page of the site is a folder with an `index.html`.

        Raises:
            Problem: A record is damaged, or a snippet has no program.
        """
        found = cls()
        shown = addresses(project, folders)
        for snippet in project.catalog.snippets():
            program = project.program(snippet)
            address = address_of(snippet, shown)
            for device, name in _DEVICES.items():
                standing = project.standing(program, device)
                if standing.entry is None:
                    reason = standing.reason if standing.state == "excused" else "no record yet"
                    found.gaps.setdefault((name, reason), []).append((snippet, address))
                else:
                    found.rows.append(_row(snippet, address, name, standing))
        return found

    def counts(self) -> Iterator[str]:
        """One sentence for each kind of device."""
        for name in _DEVICES.values():
            states = Counter(row.state for row in self.rows if row.device.startswith(name))
            missing = sum(len(blocks) for (device, _), blocks in self.gaps.items() if device == name)
            told = [f"{states.pop('current', 0)} blocks ran"]
            told += [f"{count} {state}" for state, count in states.items()]
            yield f"{name}: {', '.join([*told, f'{missing} did not run'])}."


def _row(snippet: Snippet, address: str, device: str, standing: Standing) -> Row:
    environment = standing.environment
    assert standing.entry is not None
    versions = f"torch {environment['torch']}, Python {environment['python']}"
    where = f"{device}, {environment['device']}"
    return Row(snippet, address, where, versions, standing.entry.seconds, _STATES.get(standing.state, standing.state))


def addresses(project: Project, folders: bool = True) -> dict[str, str]:
    """The address of each snippet that a page shows; a chapter goes before a page that shows its block again."""
    docs = project.root / "docs"
    found: dict[str, str] = {}
    for page in sorted(pages(docs), key=lambda page: -len(page.path.parts)):
        address = page_address(PurePosixPath(page.path.relative_to(docs).as_posix()), folders)
        for item in scan(page.body.split("\n")):
            if isinstance(item, Directive):
                found.setdefault(item.name, f"{address}#{item.name.partition('.')[2]}")
    return found


def address_of(snippet: Snippet, shown: dict[str, str]) -> str:
    """Where the site shows a snippet; its program where no page does."""
    return shown.get(snippet.full_name, f"programs/{snippet.module}/{snippet.name}.py")


def page_address(page: PurePosixPath, folders: bool = True) -> str:
    """Where a page of `docs/` is in the site, from its root."""
    if page.stem in ("index", "README"):
        folder = "" if page.parent == PurePosixPath() else f"{page.parent}/"
        return folder if folders else f"{folder}index.html"
    return f"{page.with_suffix('')}/" if folders else f"{page.with_suffix('.html')}"


def code(reason: str) -> str:
    """A reason in HTML: names between backticks are code."""
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(reason))


_HEAD = ("Block", "Kind", "Device", "Versions", "Seconds", "State")
_CHOICES = ("Kind", "Device", "Versions", "State")


def evidence_html(project: Project, site_root: str, folders: bool = True) -> str:
    """The tables as a page shows them; a script of the site lets them be sorted and filtered.

    Args:
        project: Where programs and records come from.
        site_root: Relative address of the site's root as seen from the page, such as "../".
        folders: Whether a page of the site is a folder with an `index.html`.

    Raises:
        Problem: A record is damaged, or a snippet has no program.
    """
    found = Evidence.of(project, folders)
    counts = "".join(f"<li>{sentence}</li>" for sentence in found.counts())
    return (
        f'<div class="tp-evidence" data-search-exclude><ul>{counts}</ul>'
        f'<h2 id="gaps">What did not run</h2>{_gaps(found, site_root)}'
        f'<h2 id="runs">What ran</h2>{filtered("runs", _CHOICES, _runs(found, site_root), site_root)}</div>'
    )


def filtered(name: str, choices: tuple[str, ...], rows: str, site_root: str) -> str:
    """A table of the class `tp-runs` with the script that sorts and filters it, and the fields for that.

    Args:
        name: The id of the heading above it, and what the rows are, such as "runs".
        choices: Columns with few values, to choose one of them.
        rows: The table.
        site_root: Relative address of the site's root as seen from the page.
    """
    fields = "".join(
        f'<label>{column} <select name="{column}"><option value="">any</option></select></label>' for column in choices
    )
    return (
        '<form class="tp-filter" hidden><label>Words <input type="search" name="words"></label>'
        f'{fields}<output aria-live="polite" data-noun="{name}"></output></form>'
        f'<div class="tp-scroll" tabindex="0" role="region" aria-labelledby="{name}">{rows}</div>'
        f'<script src="{site_root}assets/evidence.js"></script>'
    )


def _gaps(found: Evidence, site_root: str) -> str:
    rows = []
    for (device, reason), blocks in sorted(found.gaps.items(), key=lambda gap: -len(gap[1])):
        rows.append(f"<td>{device}</td><td>{code(reason)}</td><td>{len(blocks)}</td><td>{which(blocks, site_root)}</td>")
    return table("<table>", ("Device", "Reason", "Count", "Which"), rows)


def which(blocks: list[tuple[Snippet, str]], site_root: str) -> str:
    """Links to blocks; more than one are folded."""
    links = " ".join(link(*block, site_root) for block in blocks)
    return links if len(blocks) == 1 else f'<details class="tp-which"><summary>Show</summary>{links}</details>'


def _runs(found: Evidence, site_root: str) -> str:
    rows = [
        f"<td>{link(row.snippet, row.address, site_root)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in row.cells())}"
        for row in found.rows
    ]
    return table('<table class="tp-runs">', _HEAD, rows)


def table(start: str, head: tuple[str, ...], rows: list[str]) -> str:
    """A table in HTML.

    Args:
        start: Its first tag.
        head: Names of the columns.
        rows: The cells of each row, as HTML.
    """
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"{start}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def link(snippet: Snippet, address: str, site_root: str) -> str:
    """A link to a block."""
    return f'<a href="{site_root}{escape(address)}"><code>{snippet.module}.{snippet.name}</code></a>'


def evidence_markdown(project: Project, site_root: str) -> str:
    """The same tables in Markdown.

    Args:
        project: Where programs and records come from.
        site_root: Relative address of the site's root as seen from the page, such as "..".
    """
    found = Evidence.of(project)
    gaps = (
        (device, reason, f"{len(blocks)}", ", ".join(markdown_link(*block, site_root) for block in blocks))
        for (device, reason), blocks in found.gaps.items()
    )
    parts = [
        "\n".join(f"- {sentence}" for sentence in found.counts()),
        "Blocks that did not run:",
        markdown_table(("Device", "Reason", "Count", "Which"), gaps),
        "Runs:",
        markdown_table(_HEAD, ((markdown_link(row.snippet, row.address, site_root), *row.cells()) for row in found.rows)),
    ]
    return "\n\n".join(["", *parts, ""])


def markdown_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def markdown_link(snippet: Snippet, address: str, site_root: str) -> str:
    """A link to a block in Markdown."""
    return f"[{snippet.module}.{snippet.name}]({site_root}/{address})"
