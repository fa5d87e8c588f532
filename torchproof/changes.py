"""What a change does to outputs: the records of a git revision against those of the working tree, as Markdown."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torchproof.compare import difference
from torchproof.problems import Problem
from torchproof.record import DEVICES, Entry, Record, record_path

Kind = Literal["new", "gone", "output", "figures", "variables", "program"]
_TITLES: dict[Kind, str] = {
    "output": "prints something else",
    "figures": "draws something else",
    "variables": "leaves something else in its variables",
    "new": "is new",
    "gone": "is gone",
    "program": "changed, and does the same",
}


@dataclass(frozen=True)
class Change:
    """One program whose record differs between the two.

    Attributes:
        kind: What differs; of several differences, the one that a reader sees first.
        diff: Unified diff of what it printed, "" where that is the same.
    """

    device: str
    snippet: str
    kind: Kind
    diff: str


def changes(root: Path, revision: str) -> list[Change]:
    """Compare the records of a revision with those in the working tree.

    Raises:
        Problem: git does not know the revision, or a record is damaged.
    """
    found: list[Change] = []
    with tempfile.TemporaryDirectory() as directory:
        old_root = Path(directory)
        _unpack_records(root, revision, old_root)
        for device in DEVICES:
            folders = [record_path(base, device, "any").parent for base in (old_root, root)]
            modules = sorted({path.stem for folder in folders for path in folder.glob("*.json")})
            for module in modules:
                old, new = (Record.load(record_path(base, device, module)) for base in (old_root, root))
                found += _changes(device, module, old.entries, new.entries)
    return found


def _changes(device: str, module: str, old: dict[str, Entry], new: dict[str, Entry]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = (_shown(entries.get(name)) for entries in (old, new))
        if name not in old:
            kind: Kind = "new"
        elif name not in new:
            kind = "gone"
        elif before != after:
            kind = "output"
        elif old[name].figures != new[name].figures:
            kind = "figures"
        elif old[name].variables != new[name].variables:
            kind = "variables"
            before, after = ("\n".join(entries[name].variables) for entries in (old, new))
        elif old[name].sha256 != new[name].sha256:
            kind = "program"
        else:
            continue
        diff = difference(before, after).replace("this run", "now", 1) if before != after else ""
        yield Change(device, f"snippets.{module}.{name}", kind, diff)


def _shown(entry: Entry | None) -> str:
    """What a page shows of a run, in words."""
    if entry is None:
        return ""
    told = "{type}: {message}".format(**entry.exception) if entry.exception else ""
    return "\n".join(filter(None, [entry.stdout.rstrip("\n"), told]))


def _unpack_records(root: Path, revision: str, target: Path) -> None:
    command = ["git", "archive", "--format=tar", revision, "--", "docs/records"]
    packed = subprocess.run(command, cwd=root, capture_output=True)
    told = packed.stderr.decode(errors="replace").strip()
    if "did not match any files" in told:  # The revision is older than the first record.
        return
    if packed.returncode:
        raise Problem(f"git cannot show the records of {revision}: {told}", fix="name a commit, a branch or a tag")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        # Newer Pythons ask for a filter, and those before 3.11.4 know none.
        filtered: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(target, **filtered)


def as_markdown(found: list[Change]) -> str:
    """The changes for a reviewer: a count first, then each one, those that a reader of the site sees before the others."""
    if not found:
        return "No output changed.\n"
    seen = [change for change in found if change.kind != "program"]
    lines = [f"**{len(seen)} outputs changed**, and {len(found) - len(seen)} programs changed that do the same.", ""]
    for kind, title in _TITLES.items():
        for change in (change for change in found if change.kind == kind):
            lines.append(f"- `{change.snippet}` on {change.device} {title}")
            if change.diff:
                lines += ["", *(f"  {line}" for line in ["```diff", *change.diff.split("\n"), "```"]), ""]
    return "\n".join(lines) + "\n"
