"""The import statements of a snippet module, one record for each name that they bind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from torchproof.problems import Place, Problem

PACKAGE = "snippets"


@dataclass(frozen=True)
class Import:
    """One name bound by a top-level import.

    `module` is what is imported from, or None for a plain `import target`.
    """

    bound: str
    module: str | None
    target: str
    line: int

    @property
    def key(self) -> tuple[str | None, str, str]:
        """What makes two imports the same one, wherever they stand."""
        return (self.module, self.target, self.bound)

    def binds_the_same(self, other: Import) -> bool:
        """Whether both may stand in one module: the same import, or dotted ones that bind one package."""
        dotted = self.module is None and other.module is None
        return self.key == other.key or (dotted and all(i.target.partition(".")[0] == i.bound for i in (self, other)))


def sibling(module: str | None) -> str | None:
    """`storage` for `snippets.storage` or `.storage`, None for modules that are not ours."""
    if module is None:
        return None
    for prefix in (f"{PACKAGE}.", "."):
        if module.startswith(prefix):
            return module.removeprefix(prefix)
    return "" if module == PACKAGE else None


def imports_of(statement: ast.Import | ast.ImportFrom, place: Place) -> Iterator[Import]:
    """Read one statement.

    Raises:
        Problem: It is a star import, or imports another snippet module in a way that its programs cannot follow.
    """
    origin = "." * statement.level + (statement.module or "") if isinstance(statement, ast.ImportFrom) else None
    for alias in statement.names:
        if alias.name == "*":
            raise Problem("a star import hides which names a program needs", place, "import the names one by one")
        ours = sibling(alias.name) if origin is None else sibling(origin)
        if ours is not None and (not ours or origin is None or alias.asname):
            raise Problem(
                "another snippet module is imported as a whole or under another name",
                place,
                f"write `from {PACKAGE}.<module> import <name>`",
            )
        bound = alias.asname or (alias.name.partition(".")[0] if origin is None else alias.name)
        yield Import(bound, origin, alias.name, place.line)
