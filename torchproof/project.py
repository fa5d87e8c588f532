"""A project's catalog, programs and records together, and the state of each snippet on each device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torchproof.catalog import Catalog, Snippet
from torchproof.problems import Problem
from torchproof.program import Program, Programs
from torchproof.record import DEVICES, Entry, Record, record_path

State = Literal["fresh", "stale", "missing", "failed", "excused"]


@dataclass(frozen=True)
class Standing:
    """How a snippet stands on one device.

    Attributes:
        state: "fresh" if the record is of this very program; "excused" where it need not run.
        record: The file of the record.
        entry: What it holds for the snippet.
        reason: Why the snippet is excused.
    """

    state: State
    record: Record
    entry: Entry | None = None
    reason: str = ""

    @property
    def environment(self) -> dict[str, Any]:
        """Where it ran."""
        return self.record.environment_of(self.entry) if self.entry else self.record.environment


class Project:
    """Everything below one root, read when asked for and remembered."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._programs: dict[str, Program] = {}
        self._records: dict[tuple[str, str], Record] = {}

    @cached_property
    def catalog(self) -> Catalog:
        """The snippets."""
        return Catalog.load(self.root)

    @cached_property
    def builder(self) -> Programs:
        """Makes the programs."""
        return Programs(self.catalog)

    def program(self, snippet: Snippet) -> Program:
        """The program of a snippet, built once."""
        if snippet.full_name not in self._programs:
            self._programs[snippet.full_name] = self.builder.build(snippet)
        return self._programs[snippet.full_name]

    def record(self, device: str, module: str) -> Record:
        """A module's record on a device, read once."""
        key = (device, module)
        if key not in self._records:
            self._records[key] = Record.load(record_path(self.root, device, module))
        return self._records[key]

    def standing(self, program: Program, device: str) -> Standing:
        """Compare a program with its record.

        Raises:
            Problem: The record is damaged.
        """
        snippet = program.snippet
        record = self.record(device, snippet.module)
        entry = record.entries.get(snippet.name)
        if device != "cpu" and "cpu_only" in snippet.marks:
            return Standing("excused", record, reason=snippet.marks["cpu_only"].args[0])
        if device == "cpu" and "gpus" in snippet.marks:
            return Standing("excused", record, reason="it needs a GPU")
        if entry is None and "gpus" in snippet.marks:
            needed, there = snippet.marks["gpus"].args[0], record.environment.get("count", 0)
            if there and there < needed:
                return Standing("excused", record, reason=f"it needs {needed} GPUs, and the recording machine has {there}")
        if entry is None:
            return Standing("missing", record)
        if entry.sha256 != program.sha256:
            return Standing("stale", record, entry)
        if (entry.exception is not None) != ("raises" in snippet.marks):
            return Standing("failed", record, entry)
        return Standing("fresh", record, entry)

    def recorded_devices(self) -> list[str]:
        """Kinds of device that have records."""
        return [device for device in DEVICES if (self.root / "docs" / "records" / device).is_dir()]


def record_command(snippet: Snippet, device: str = "cpu") -> str:
    """The command that records a snippet."""
    option = "" if device == "cpu" else f" --device {device}"
    return f"pytest {snippet.node_id}{option} --record"


def current(standing: Standing, snippet: Snippet, device: str) -> Standing:
    """The same standing if it can be shown.

    Raises:
        Problem: The record is missing, stale or failed.
    """
    wrong = {
        "missing": f"{snippet.full_name} has no record on the {device}",
        "stale": f"the record of {snippet.full_name} is stale: its program has changed since it ran",
        "failed": f"the record of {snippet.full_name} does not fit its mark: one says that it raises, the other does not",
    }
    if standing.state in wrong:
        raise Problem(wrong[standing.state], snippet.place, record_command(snippet, device))
    return standing
