"""Records: what happened when a program ran, kept as text under `docs/records/<device>/`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torchproof.compare import figure_text, same_figure, same_output, same_variables
from torchproof.files import locked, write_atomically
from torchproof.problems import Place, Problem

DEVICES = ("cpu", "cuda", "mps")
# What a record says of where its programs ran.
ENVIRONMENT = ("python", "torch", "matplotlib", "platform", "device", "count", "threads")
# What decides on the last digit of a number, and on how a library counts.
_DECIDE = ("python", "torch", "platform", "device")


@dataclass(frozen=True)
class Entry:
    """What one program did.

    Attributes:
        sha256: Identity of the program that ran.
        stdout: What it printed.
        figures: Pairs of file name (beside the record, in the module's folder) and sha256 of the SVG text.
        exception: Type and message, for a program that is marked to raise.
        seconds: How long its body took.
        environment: Where it ran, if not where the file says.
        variables: What its variables held at the end, a line each.
    """

    sha256: str
    stdout: str
    figures: tuple[tuple[str, str], ...] = ()
    exception: dict[str, str] | None = None
    seconds: float = 0.0
    environment: dict[str, Any] | None = None
    variables: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the file holds it: output line by line, so that a change reads well in a diff."""
        data: dict[str, Any] = {"sha256": self.sha256, "seconds": self.seconds, "stdout": self.stdout.split("\n")}
        if self.figures:
            data["figures"] = [{"file": name, "sha256": digest} for name, digest in self.figures]
        if self.exception:
            data["exception"] = self.exception
        if self.variables:
            data["variables"] = list(self.variables)
        if self.environment:
            data["environment"] = self.environment
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Entry:
        """Read back what `to_json` wrote."""
        figures = tuple((figure["file"], figure["sha256"]) for figure in data.get("figures", []))
        elsewhere = data.get("environment")
        if elsewhere is not None:
            elsewhere = {key: elsewhere[key] for key in ENVIRONMENT}
        variables = tuple(map(str, data.get("variables", ())))
        return cls(
            data["sha256"], "\n".join(data["stdout"]), figures, data.get("exception"), data["seconds"], elsewhere, variables
        )


@dataclass
class Record:
    """One file: the programs of one module on one kind of device."""

    path: Path
    environment: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """The kind of device, which names the folder."""
        return self.path.parent.name

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record; a file that is not there is an empty record.

        Raises:
            Problem: The file is damaged: truncated, edited by hand, or holding conflict markers.
        """
        if not path.exists():
            return cls(path)
        fix = f"git checkout {path.name}, or delete it and record again: pytest snippets/{path.stem}.py --record"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            entries = {name: Entry.from_json(entry) for name, entry in data["snippets"].items()}
            environment = {key: data["environment"][key] for key in ENVIRONMENT}
        except json.JSONDecodeError as error:
            raise Problem(f"the record is not valid JSON ({error.msg})", Place(path, error.lineno), fix) from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Problem(f"the record lacks what a record holds ({error!r})", Place(path, 1), fix) from None
        return cls(path, environment, entries)

    def environment_of(self, entry: Entry) -> dict[str, Any]:
        """Where one of its programs ran."""
        return entry.environment or self.environment

    def text(self) -> str:
        """The file's text."""
        data = {"environment": self.environment, "snippets": {n: e.to_json() for n, e in self.entries.items()}}
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def figure(self, name: str) -> str:
        """The SVG text of one figure.

        Raises:
            Problem: The file is missing, or is not what was recorded.
        """
        path = self.path.parent / self.path.stem / name
        fix = f"pytest snippets/{self.path.stem}.py --record"
        expected = {file: digest for entry in self.entries.values() for file, digest in entry.figures}.get(name)
        if not path.exists():
            raise Problem("a recorded figure is missing", Place(path, 1), fix)
        svg = path.read_text(encoding="utf-8")
        if digest(svg) != expected:
            raise Problem("a figure is not the one that was recorded", Place(path, 1), fix)
        return svg


@dataclass(frozen=True)
class Run:
    """A finished run on its way into a record; `figures` are SVG texts."""

    snippet: str
    sha256: str
    stdout: str
    figures: tuple[str, ...]
    exception: dict[str, str] | None
    seconds: float
    measurement: bool
    variables: tuple[str, ...] = ()

    def entry(self) -> Entry:
        """The record's entry: figures get names that contain their digest, so a new one never replaces an old."""
        named = tuple((f"{self.snippet}-{digest(svg)[:8]}.svg", digest(svg)) for svg in self.figures)
        return Entry(self.sha256, self.stdout, named, self.exception, round(self.seconds, 3), variables=self.variables)


def digest(text: str) -> str:
    """sha256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def record_path(root: Path, device: str, module: str) -> Path:
    """Where the record of a module lies."""
    return root / "docs" / "records" / device / f"{module}.json"


def store(root: Path, device: str, module: str, environment: dict[str, Any], runs: list[Run], known: set[str]) -> bool:
    """Merge finished runs into a module's record.

    What differs from the record in nothing but time and noise keeps its old text. Nothing is written when nothing changed.
    The file says where its programs ran; where only a part of them ran, and elsewhere, those that changed say it themselves.

    Args:
        root: The project.
        device: Kind of device.
        module: Name of the snippet module.
        environment: Where the runs took place.
        runs: What was run.
        known: Names of all snippets of the module that can have a record on this device.

    Returns:
        Whether the file was written.
    """
    path = record_path(root, device, module)
    with locked(root / "docs" / "records"):
        old = Record.load(path)
        fresh = {run.snippet: run for run in runs}
        kept = {name: entry for name, entry in old.entries.items() if name in known and name not in fresh}
        elsewhere = bool(kept) and old.environment != environment
        new = Record(path, old.environment if elsewhere else environment, dict(kept))
        drawings: dict[str, str] = {}
        for name, run in fresh.items():
            entry = run.entry()
            previous = old.entries.get(name)
            if previous and _only_noise(old, previous, run, environment):
                entry = previous if elsewhere else replace(previous, environment=None)
            else:
                if previous and previous.sha256 == run.sha256 and old.environment_of(previous) == environment:
                    entry = replace(entry, seconds=previous.seconds)
                entry = replace(entry, environment=environment if elsewhere else None)
                drawings |= {file: svg for (file, _), svg in zip(entry.figures, run.figures, strict=True)}
            new.entries[name] = entry
        folder = path.parent / module
        for file, svg in drawings.items():
            write_atomically(folder / file, svg)
        changed_file = not path.exists() or path.read_text(encoding="utf-8") != new.text()
        if changed_file:
            write_atomically(path, new.text())
        named = {file for entry in new.entries.values() for file, _ in entry.figures}
        for orphan in folder.glob("*.svg"):
            if orphan.name not in named:
                orphan.unlink()
    return changed_file


def _only_noise(old: Record, previous: Entry, run: Run, environment: dict[str, Any]) -> bool:
    """Whether the program is the recorded one and did what the record says."""
    if previous.sha256 != run.sha256:
        return False
    if run.measurement:
        return old.environment_of(previous) == environment
    if run.variables and not previous.variables:
        return False
    try:
        return not mismatch(old, previous, run, environment)
    except Problem:  # A figure was lost: recording again is what brings it back.
        return False


def mismatch(record: Record, entry: Entry, run: Run, environment: dict[str, Any]) -> str:
    """What differs between a record's entry and a run, "" if nothing: "output", "exception", "figures" or "variables".

    Variables are compared where processor and versions are those of the record.
    """
    if not same_output(entry.stdout, run.stdout):
        return "output"
    if (entry.exception or {}).get("type") != (run.exception or {}).get("type") or not same_output(
        (entry.exception or {}).get("message", ""), (run.exception or {}).get("message", "")
    ):
        return "exception"
    recorded = [record.figure(file) for file, _ in entry.figures]
    if len(recorded) != len(run.figures):
        return "figures"
    if record.environment_of(entry).get("matplotlib") == environment.get("matplotlib"):
        alike = all(map(same_figure, recorded, run.figures))
    else:
        alike = all(figure_text(a) == figure_text(b) for a, b in zip(recorded, run.figures, strict=True))
    if not alike:
        return "figures"
    there = record.environment_of(entry)
    elsewhere = any(there.get(key) != environment.get(key) for key in _DECIDE)
    return "" if elsewhere or same_variables(entry.variables, run.variables) else "variables"


def same_result(record: Record, entry: Entry, other_record: Record, other: Entry) -> bool:
    """Whether two recorded runs did the same, by the comparison that accepts a run as its record.

    Raises:
        Problem: A figure is missing or damaged.
    """
    figures = tuple(other_record.figure(file) for file, _ in other.figures)
    run = Run("", other.sha256, other.stdout, figures, other.exception, other.seconds, False, other.variables)
    return not mismatch(record, entry, run, other_record.environment_of(other))
