"""From a snippet to its program: imports it uses, definitions it uses, then its body at top level."""

from __future__ import annotations

import ast
import builtins
import hashlib
import sys
from dataclasses import dataclass, field
from functools import cached_property

from torchproof.catalog import Catalog, Module, Snippet
from torchproof.imports import Import, sibling
from torchproof.problems import Place, Problem
from torchproof.scope import Names, names_of
from torchproof.source import body_text, statement_text

LINE_LENGTH = 88
_KNOWN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


@dataclass(frozen=True)
class Program:
    """A complete script.

    Attributes:
        preamble: Imports and definitions, "" if there are none.
        body: What the page shows.
        uses: Full names of the snippets whose source is in the program, the snippet itself not counted.
    """

    snippet: Snippet
    preamble: str
    body: str
    uses: frozenset[str]

    @property
    def source(self) -> str:
        """The whole script."""
        gap = "\n\n\n" if self._wide_gap else "\n\n"
        return (self.preamble + gap if self.preamble else "") + self.body + "\n"

    @cached_property
    def sha256(self) -> str:
        """The identity of the snippet: it changes with anything that the program depends on."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @property
    def _wide_gap(self) -> bool:
        last = self.preamble.rsplit("\n", 1)[-1]
        return last.startswith((" ", "\t")) or self.snippet.kind == "definition"

    def on_device(self, kind: str) -> str:
        """The script as it runs on that kind of device.

        On the CPU, and where the snippet handles devices itself, it is the script as it stands. Elsewhere the
        default device is set first, after any `from __future__` import.
        """
        if kind == "cpu" or "own_device" in self.snippet.marks:
            return self.source
        lines = self.source.split("\n")
        futures = sum(1 for line in lines if line.startswith("from __future__ "))
        prefix = ["import torch", "", f'torch.set_default_device("{kind}")', ""]
        return "\n".join(lines[:futures] + prefix + lines[futures:])


@dataclass
class _Parts:
    """What has been gathered for one program so far."""

    imports: dict[tuple[str | None, str, str], Import] = field(default_factory=dict)
    futures: set[str] = field(default_factory=set)
    units: dict[tuple[str, int], tuple[Module, ast.stmt]] = field(default_factory=dict)
    meanings: dict[str, tuple[object, Place]] = field(default_factory=dict)

    def means(self, name: str, meaning: object, place: Place) -> None:
        """One name has one meaning in a program, since all of it shares one namespace."""
        known, where = self.meanings.setdefault(name, (meaning, place))
        if known != meaning:
            raise Problem(
                f"{name} means two different things in this program: here and at {where}", place, "rename one of them"
            )


class Programs:
    """Builds programs from a catalog, and leaves with each module the names of every statement that it has read."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def build(self, snippet: Snippet) -> Program:
        """The program of a snippet.

        Raises:
            Problem: A name is found nowhere, or means two things in the program.
        """
        module = self.catalog.modules[snippet.module]
        parts = _Parts()
        if snippet.kind == "definition":
            self.add_unit(parts, module, snippet.node)
            del parts.units[(module.name, snippet.node.lineno)]
            body = statement_text(module, snippet.node)
        else:
            body = self._add_demo(parts, module, snippet)
        preamble = _preamble(parts)
        return Program(snippet, preamble, body, _uses(parts))

    def _add_demo(self, parts: _Parts, module: Module, snippet: Snippet) -> str:
        assert isinstance(snippet.node, ast.FunctionDef)
        guarded = "spawns" in snippet.marks
        flat = _defaults(snippet.node) + body_text(module, snippet.node, dedent=True)
        # A demo may be called by another one: as a function it has other names than as a script.
        first = snippet.node.body[1].lineno
        if first not in module.names:
            nodes = [*snippet.node.args.defaults, *filter(None, snippet.node.args.kw_defaults), *snippet.node.body[1:]]
            module.names[first] = names_of(flat, nodes)
        names = module.names[first]
        for name in names.bound:
            parts.means(name, "a local name of the demo", snippet.place)
        parts.futures.update(module.futures)
        self._add_names(parts, module, names, snippet.place)
        if not guarded:
            return flat
        return 'if __name__ == "__main__":\n' + body_text(module, snippet.node, dedent=False)

    def add_unit(self, parts: _Parts, module: Module, statement: ast.stmt) -> None:
        """Gather a top-level statement of a module and everything it needs."""
        key = (module.name, statement.lineno)
        if key in parts.units:
            return
        parts.units[key] = (module, statement)
        parts.futures.update(module.futures)
        if statement.lineno not in module.names:
            module.names[statement.lineno] = names_of(statement_text(module, statement), [statement])
        names = module.names[statement.lineno]
        for name in names.bound:
            parts.means(name, key, module.place(statement))
        self._add_names(parts, module, names, module.place(statement))

    def _add_names(self, parts: _Parts, module: Module, names: Names, place: Place) -> None:
        for name in sorted(names.free):
            if name in module.statements:
                self.add_unit(parts, module, module.statements[name])
            elif name in module.imports:
                self._add_imports(parts, module, name, names, place)
            elif name in _KNOWN:
                parts.means(name, "a built-in", place)
            else:
                raise Problem(f"the name {name} is found nowhere", place, "import or define it in this module")

    def _add_imports(self, parts: _Parts, module: Module, name: str, names: Names, place: Place) -> None:
        candidates = module.imports[name]
        ours = sibling(candidates[0].module)
        if ours is not None:
            other = self.catalog.modules.get(ours)
            statement = other.statements.get(name) if other else None
            if other is None or statement is None:
                raise Problem(f"{name} cannot be imported from the snippet module {ours}", place)
            self.add_unit(parts, other, statement)
            return
        for item in candidates if len(candidates) == 1 else _needed(candidates, names.chains):
            dotted = item.module is None and item.target.partition(".")[0] == item.bound
            parts.means(name, item.bound if dotted else item.key, Place(module.path, item.line))
            parts.imports[item.key] = item


class Gathering:
    """The code that a notebook needs, handed out cell by cell: each definition and import once, where it is first needed.

    All cells share one namespace, so a name has one meaning in all of them.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._parts = _Parts()

    def bind(self, name: str, place: Place) -> None:
        """Note a name that a cell binds.

        Raises:
            Problem: The name already means a definition or an import.
        """
        self._parts.means(name, "a name of the tutorial", place)

    def take(self, wanted: list[tuple[str, str]]) -> str:
        """What these names need and no earlier cell has: imports, then definitions.

        Args:
            wanted: Pairs of snippet module and name.

        Raises:
            Problem: A name is found nowhere, or means two things in the notebook.
        """
        imports, futures, units = set(self._parts.imports), set(self._parts.futures), set(self._parts.units)
        modules = self._programs.catalog.modules
        for module, name in wanted:
            self._programs.add_unit(self._parts, modules[module], modules[module].statements[name])
        new = _Parts(
            {key: item for key, item in self._parts.imports.items() if key not in imports},
            self._parts.futures - futures,
            {key: unit for key, unit in self._parts.units.items() if key not in units},
        )
        return _preamble(new)

    def uses(self) -> frozenset[str]:
        """Full names of the snippets whose source has been handed out."""
        return _uses(self._parts)


def _uses(parts: _Parts) -> frozenset[str]:
    return frozenset(
        module.snippets[statement.name].full_name
        for module, statement in parts.units.values()
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name in module.snippets
    )


def _needed(candidates: list[Import], chains: frozenset[str]) -> list[Import]:
    """Of several dotted imports that bind one name, those whose submodules are used."""
    used = [chain for chain in chains if chain.partition(".")[0] == candidates[0].bound]
    dotted = [i for i in candidates if "." in i.target and any(f"{c}.".startswith(f"{i.target}.") for c in used)]
    covered = all(any(f"{chain}.".startswith(f"{i.target}.") for i in dotted) for chain in used)
    if dotted and covered:
        return dotted
    return [*dotted, min(candidates, key=lambda i: len(i.target))]


def _defaults(node: ast.FunctionDef) -> str:
    """A demo's parameters become assignments of their defaults."""
    arguments = node.args.posonlyargs + node.args.args
    pairs = list(zip(arguments, node.args.defaults, strict=True))
    pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
    return "".join(f"{argument.arg} = {ast.unparse(default)}\n" for argument, default in pairs)


def _preamble(parts: _Parts) -> str:
    """Imports, then definitions: modules after those they import, each module's in its own order."""
    order = _module_order({module.name: module for module, _ in parts.units.values()})
    text = _import_text(list(parts.imports.values()), parts.futures)
    previous: ast.stmt | None = None
    for key in sorted(parts.units, key=lambda key: (order.index(key[0]), key[1])):
        module, statement = parts.units[key]
        block = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        after_block = isinstance(previous, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if text:
            text += "\n\n\n" if block or after_block else "\n" if previous else "\n\n"
        text += statement_text(module, statement)
        previous = statement
    return text


def _module_order(modules: dict[str, Module]) -> list[str]:
    """Modules after those they import, ties in alphabetical order; what else the catalog holds makes no difference."""
    order: list[str] = []

    def visit(name: str) -> None:
        for other in sorted({sibling(item.module) or "" for item in modules[name].sibling_imports()} & modules.keys()):
            if other not in order:
                visit(other)
        if name not in order:
            order.append(name)

    for name in sorted(modules):
        visit(name)
    return order


def _import_text(imports: list[Import], futures: set[str]) -> str:
    """Import lines in three groups: future, standard library, everything else."""
    groups = [[f"from __future__ import {', '.join(sorted(futures))}"] if futures else []]
    for standard in (True, False):
        mine = [i for i in imports if ((i.module or i.target).partition(".")[0] in sys.stdlib_module_names) is standard]
        plain = sorted((i.target, i.bound) for i in mine if i.module is None)
        lines = [f"import {target}" + _alias(target.partition(".")[0], bound) for target, bound in plain]
        for origin in sorted({i.module for i in mine if i.module is not None}):
            names = sorted(i.target + _alias(i.target, i.bound) for i in mine if i.module == origin)
            line = f"from {origin} import {', '.join(names)}"
            if len(line) > LINE_LENGTH:
                line = f"from {origin} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
            lines.append(line)
        groups.append(lines)
    return "\n\n".join("\n".join(group) for group in groups if group)


def _alias(target: str, bound: str) -> str:
    return "" if target == bound else f" as {bound}"
