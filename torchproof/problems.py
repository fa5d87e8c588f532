"""What goes wrong, told to the person who can fix it: what, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A line of a file, printed the way editors and terminals link it."""

    path: Path
    line: int

    def __str__(self) -> str:
        try:
            shown = self.path.relative_to(Path.cwd())
        except ValueError:
            shown = self.path
        return f"{shown}:{self.line}"


class Problem(Exception):
    """One fault in somebody's input.

    Args:
        what: What is wrong, one sentence without a final period.
        place: Where it is, if it is at one place.
        fix: What to do about it, often a command.
    """

    def __init__(self, what: str, place: Place | None = None, fix: str = "") -> None:
        self.what = what
        self.place = place
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.what}" + (f"\n    to fix: {self.fix}" if self.fix else "")
