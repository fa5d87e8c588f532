"""Find the snippets: read `snippets/*.py` with `ast` alone, so that torch is never imported."""

from __future__ import annotations

import ast
import gc
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from torchproof.imports import PACKAGE, Import, imports_of, sibling
from torchproof.marks import Mark, is_mark, read_mark
from torchproof.problems import Place, Problem
from torchproof.scope import Definition, Names, forbidden_in_demo


@dataclass(frozen=True)
class Snippet:
    """A public function or class of a snippet module."""

    module: str
    name: str
    kind: Literal["demo", "definition"]
    summary: str
    node: Definition
    place: Place
    marks: dict[str, Mark]

    @property
    def full_name(self) -> str:
        """The import path, as pages and commands write it."""
        return f"{PACKAGE}.{self.module}.{self.name}"

    @property
    def node_id(self) -> str:
        """What pytest calls it."""
        return f"{PACKAGE}/{self.module}.py::{self.name}"


@dataclass
class Module:
    """One file of `snippets/`, read but not executed.

    Attributes:
        names: What the builder of programs has found out about a statement, or about the body that begins there, by its line.
    """

    name: str
    path: Path
    source: str
    tree: ast.Module
    imports: dict[str, list[Import]] = field(default_factory=dict)
    futures: list[str] = field(default_factory=list)
    statements: dict[str, ast.stmt] = field(default_factory=dict)
    snippets: dict[str, Snippet] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    names: dict[int, Names] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """Source lines, counted as `ast` counts them (a form feed ends no line)."""
        return self.source.split("\n")

    def place(self, node: ast.AST) -> Place:
        """Where a node of this module's tree stands."""
        return Place(self.path, getattr(node, "lineno", 1))

    def sibling_imports(self) -> Iterator[Import]:
        """The imports that come from other snippet modules."""
        for imports in self.imports.values():
            yield from (i for i in imports if sibling(i.module) is not None)


@dataclass
class Catalog:
    """All snippet modules below `root / "snippets"`, in dependency order, and what is wrong with them."""

    root: Path
    modules: dict[str, Module]
    problems: list[Problem]

    @classmethod
    def load(cls, root: Path) -> Catalog:
        """Read every module; a broken one is reported in `problems` and contributes what could be read."""
        # Syntax trees hold no garbage, and looking for it among them takes as long as parsing.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return cls._load(root)
        finally:
            if collecting:
                gc.enable()

    @classmethod
    def _load(cls, root: Path) -> Catalog:
        problems: list[Problem] = []
        modules: dict[str, Module] = {}
        for path in sorted((root / PACKAGE).glob("*.py")):
            if path.name.startswith("test_") or path.name in ("conftest.py", "__init__.py"):
                continue
            try:
                module = read_module(path)
            except Problem as problem:
                problems.append(problem)
                continue
            modules[module.name] = module
            problems += module.problems
        order, cycles = _dependency_order(modules)
        return cls(root, {name: modules[name] for name in order}, problems + cycles)

    def snippets(self) -> Iterator[Snippet]:
        """Every snippet of every module."""
        for module in self.modules.values():
            yield from module.snippets.values()

    @cached_property
    def _by_name(self) -> dict[str, Snippet]:
        return {snippet.full_name: snippet for snippet in self.snippets()}

    def find(self, full_name: str) -> Snippet:
        """The snippet of that import path; a Problem names the nearest ones if there is none."""
        known = self._by_name
        if full_name in known:
            return known[full_name]
        import difflib

        near = difflib.get_close_matches(full_name, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the modules are {', '.join(sorted(self.modules))}"
        raise Problem(f"there is no snippet {full_name}", fix=hint)


# A server reads the project again and again, and few of its files have changed.
_last_read: dict[Path, Module] = {}


def read_module(path: Path) -> Module:
    """Parse one file, or hand out what came of parsing this very text before.

    Raises:
        Problem: The file is not UTF-8 or not Python. Faults of single snippets are collected in `problems`.
    """
    try:
        with tokenize.open(path) as file:
            source = file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise Problem(f"cannot be read as UTF-8 text ({error})", Place(path, 1), "save the file as UTF-8") from None
    if path in _last_read and _last_read[path].source == source:
        return _last_read[path]
    try:
        tree = ast.parse(source, str(path))
    except (SyntaxError, ValueError) as error:
        told = error.msg if isinstance(error, SyntaxError) else error
        raise Problem(f"not valid Python: {told}", Place(path, getattr(error, "lineno", None) or 1)) from None
    module = Module(path.stem, path, source, tree)
    for index, statement in enumerate(tree.body):
        try:
            if index and statement.lineno == tree.body[index - 1].end_lineno:
                raise Problem("two top-level statements share a line", module.place(statement), "start a new line")
            _read_statement(module, statement, first=index == 0)
        except Problem as problem:
            module.problems.append(problem)
    _last_read[path] = module
    return module


def _read_statement(module: Module, statement: ast.stmt, first: bool) -> None:
    match statement:
        case ast.Import() | ast.ImportFrom():
            _read_import(module, statement)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            _bind(module, statement.name, statement)
            if not statement.name.startswith("_"):
                module.snippets[statement.name] = _read_snippet(module, statement)
        case ast.Assign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (n for target in targets for n in ast.walk(target)):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    _bind(module, name.id, statement)
        case ast.Expr(value=ast.Constant(value=str())) if first:
            pass
        case _:
            raise Problem(
                "only imports, functions, classes and constants may stand at the top level of a snippet module",
                module.place(statement),
                "move the statement into a demo",
            )


def _bind(module: Module, name: str, statement: ast.stmt) -> None:
    if name in module.statements or name in module.imports:
        raise Problem(f"{name} is defined twice in this module", module.place(statement), "rename one of them")
    module.statements[name] = statement


def _read_import(module: Module, statement: ast.Import | ast.ImportFrom) -> None:
    place = module.place(statement)
    for new in imports_of(statement, place):
        if new.module == "__future__":
            module.futures.append(new.target)
            continue
        if new.bound in module.statements:
            raise Problem(f"{new.bound} is defined twice in this module", place, "rename one of them")
        # `import torch` and `import torch.utils.data` both bind `torch`: one name, several imports.
        others = module.imports.setdefault(new.bound, [])
        if not all(map(new.binds_the_same, others)):
            raise Problem(f"{new.bound} is imported twice, from different places", place, "rename one of them")
        others.append(new)


def _read_snippet(module: Module, node: Definition) -> Snippet:
    place = module.place(node)
    docstring = ast.get_docstring(node)
    if not docstring:
        raise Problem(
            f"{node.name} has no docstring",
            place,
            "add one whose first line says what it shows, or name it with a leading underscore",
        )
    marks = {mark.name: mark for mark in (read_mark(d, module.place(d)) for d in node.decorator_list if is_mark(d))}
    kind: Literal["demo", "definition"] = "demo" if _is_demo(node) else "definition"
    if kind == "demo":
        _check_demo(module, node)
    return Snippet(module.name, node.name, kind, docstring.splitlines()[0], node, place, marks)


def _is_demo(node: Definition) -> bool:
    if isinstance(node, ast.ClassDef):
        return False
    required = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    return required == 0 and None not in node.args.kw_defaults and not node.args.vararg and not node.args.kwarg


def _check_demo(module: Module, node: Definition) -> None:
    """A demo's body becomes top-level code: refuse what would mean something else there."""
    for decorator in node.decorator_list:
        if not is_mark(decorator):
            raise Problem(
                f"the demo {node.name} has a decorator that its program would lose",
                module.place(decorator),
                "use a `with` block in its body, or decorate a definition",
            )
    if len(node.body) < 2:
        raise Problem(f"the demo {node.name} has no body to show", module.place(node), "write the program it shows")
    if node.body[1].lineno in (node.lineno, node.body[0].end_lineno):
        raise Problem(f"the body of {node.name} starts on the line of its docstring", module.place(node), "start a new line")
    text = "\n".join(module.lines[node.lineno - 1 : node.end_lineno])
    for culprit, reason in forbidden_in_demo(node, text):
        raise Problem(f"{reason} in the demo {node.name}, whose body is run at top level", module.place(culprit))


def _dependency_order(modules: dict[str, Module]) -> tuple[list[str], list[Problem]]:
    """Modules after those they import; ties in alphabetical order."""
    order: list[str] = []
    problems: list[Problem] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in order:
            return
        for item in sorted(modules[name].sibling_imports(), key=lambda i: i.line):
            other = sibling(item.module) or ""
            place = Place(modules[name].path, item.line)
            if other == name or other in path:
                chain = " -> ".join((*path[path.index(other) if other in path else len(path) :], name, other))
                problems.append(Problem(f"the snippet modules import each other in a cycle: {chain}", place))
            elif other not in modules:
                problems.append(Problem(f"there is no snippet module {PACKAGE}/{other}.py that can be read", place))
            elif item.target not in modules[other].statements:
                problems.append(Problem(f"{PACKAGE}/{other}.py defines no {item.target}", place))
                visit(other, (*path, name))
            else:
                visit(other, (*path, name))
        order.append(name)

    for name in sorted(modules):
        visit(name, ())
    return order, problems
