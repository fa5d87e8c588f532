"""What every program did with each version of torch, kept in `docs/records/compat.json`: only what differs takes words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torchproof.catalog import Snippet
from torchproof.problems import Place, Problem
from torchproof.project import Project

Did = Literal["same", "differs", "fails", "skipped"]
# What makes these records, and makes them again.
COMMAND = "make compat"


@dataclass(frozen=True)
class Gap:
    """Why a program does not do with one version what its record says.

    Attributes:
        did: "differs" from its record, "fails", or is "skipped".
        reason: In a sentence, as the runner saw it.
        lines: For an output that differs, its first lines that do, as a diff.
    """

    did: Did
    reason: str
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"did": self.did, "reason": self.reason} | ({"lines": list(self.lines)} if self.lines else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Gap:
        """Read back what `to_json` wrote."""
        return cls(data["did"], data["reason"], tuple(data.get("lines", [])))


@dataclass
class Versions:
    """All programs with all versions of torch.

    Attributes:
        environments: By version of torch, the oldest first: where the programs ran.
        programs: By module and name, the sha256 of the program that ran.
        gaps: By module and name and version, what was not as recorded. What is missing here did the same.
    """

    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    programs: dict[str, dict[str, str]] = field(default_factory=dict)
    gaps: dict[str, dict[str, dict[str, Gap]]] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path) -> Versions:
        """Read the file; one that is not there holds nothing.

        Raises:
            Problem: The file is damaged.
        """
        path = versions_path(root)
        if not path.exists():
            return cls()
        fix = f"git checkout {path.name}, or make it again: {COMMAND}"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            gaps = {
                module: {name: {v: Gap.from_json(gap) for v, gap in each.items()} for name, each in names.items()}
                for module, names in data["gaps"].items()
            }
            environments = {version: dict(data["versions"][version]) for version in sorted(data["versions"], key=_age)}
            return cls(environments, {module: dict(names) for module, names in data["programs"].items()}, gaps)
        except json.JSONDecodeError as error:
            raise Problem(
                f"the record of the versions is not valid JSON ({error.msg})", Place(path, error.lineno), fix
            ) from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Problem(f"the record of the versions lacks what it holds ({error!r})", Place(path, 1), fix) from None

    def text(self) -> str:
        """The file's text: the same for the same runs."""
        gaps = {
            module: {name: {v: gap.to_json() for v, gap in each.items()} for name, each in names.items()}
            for module, names in self.gaps.items()
        }
        data = {"versions": self.environments, "programs": self.programs, "gaps": gaps}
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def gaps_of(self, snippet: Snippet) -> dict[str, Gap]:
        """By version, what a snippet did not do as recorded."""
        return self.gaps.get(snippet.module, {}).get(snippet.name, {})

    def is_current(self, project: Project, snippet: Snippet) -> bool:
        """Whether what ran is the program that the site hands out now."""
        return self.programs.get(snippet.module, {}).get(snippet.name) == project.program(snippet).sha256

    def counts(self, snippets: Iterable[Snippet]) -> Iterator[tuple[str, Counter[Did]]]:
        """How many of these snippets did what, for each version."""
        snippets = list(snippets)
        for version in self.environments:
            gaps = (self.gaps_of(snippet).get(version) for snippet in snippets)
            yield version, Counter(gap.did if gap else "same" for gap in gaps)


def sentence(counts: dict[Did, int]) -> str:
    """How many programs did what, in words."""
    words: dict[Did, str] = {"same": "the same", "differs": "different", "fails": "failed", "skipped": "skipped"}
    return ", ".join(f"{counts[did]} {word}" for did, word in words.items() if counts.get(did) or did == "same")


def versions_path(root: Path) -> Path:
    """Where the record of the versions lies."""
    return root / "docs" / "records" / "compat.json"


def _age(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
