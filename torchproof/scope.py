"""Which names a piece of source needs, binds, and may not use, read from its symbol table."""

from __future__ import annotations

import ast
import contextlib
import re
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FORBIDDEN = re.compile(r"\b(async|await|return|yield|nonlocal|global|globals|locals)\b")


@dataclass(frozen=True)
class Names:
    """Names of a piece of top-level source.

    Attributes:
        free: Names it reads from outside, as globals.
        bound: Names it binds at its own top level.
        nodes: Its parsed form.
    """

    free: frozenset[str]
    bound: frozenset[str]
    nodes: Sequence[ast.AST]

    @cached_property
    def chains(self) -> frozenset[str]:
        """Dotted chains that it reads, such as `torch.utils.data.DataLoader`; few programs need them, and they cost a walk."""
        return frozenset(_chains([inner for node in self.nodes for inner in ast.walk(node)]))


def names_of(source: str, nodes: Sequence[ast.AST]) -> Names:
    """Read the names of `source`, of which `nodes` are the parsed form."""
    table = symtable.symtable(source, "<snippet>", "exec")
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    free = {s.get_name() for s in symbols if s.is_referenced()} - bound
    for scope in _descendants(table):
        free |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()} - bound
    free |= _names_in_string_annotations(nodes) - bound
    return Names(frozenset(free), frozenset(bound), nodes)


def _descendants(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _descendants(child)


def _chains(nodes: list[ast.AST]) -> Iterator[str]:
    """The longest dotted chains: of `a.b.c` not also `a.b`."""
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in attributes}
    for node in attributes:
        if id(node) in inner:
            continue
        parts = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name):
            yield ".".join([value.id, *reversed(parts)])


def _names_in_string_annotations(nodes: Iterable[ast.AST]) -> set[str]:
    """Names inside annotations that are written as strings; linters and type checkers look them up too."""
    names: set[str] = set()
    for annotation in _annotations(nodes):
        for part in ast.walk(annotation):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                with contextlib.suppress(SyntaxError):
                    names |= {n.id for n in ast.walk(ast.parse(part.value, mode="eval")) if isinstance(n, ast.Name)}
    return names


def _annotations(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    """Every annotation; only statements have them, so that expressions need no look."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, ())
            waiting += inner if isinstance(inner, list) else ()
        if isinstance(node, ast.AnnAssign):
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            yield from (argument.annotation for argument in every if argument and argument.annotation)
            if node.returns:
                yield node.returns


def forbidden_in_demo(node: Definition, text: str) -> Iterator[tuple[ast.AST, str]]:
    """What would mean something else, or nothing, once the body of a demo, whose source is `text`, stands at top level."""
    if not _FORBIDDEN.search(text):  # Most demos hold none of the words: there is no need to look closer.
        return
    if isinstance(node, ast.AsyncFunctionDef):
        yield node, "`async def`"
    for inner, own_scope in _walk_scoped(node.body):
        match inner:
            case ast.Return() if own_scope:
                yield inner, "`return` is used"
            case ast.Yield() | ast.YieldFrom() if own_scope:
                yield inner, "`yield` is used"
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() if own_scope:
                yield inner, "`await` is used"
            case ast.Nonlocal() | ast.Global():
                yield inner, f"`{ast.unparse(inner).partition(' ')[0]}` is used"
            case ast.Name(id="globals" | "locals"):
                yield inner, f"`{inner.id}` is used"


def _walk_scoped(nodes: list[ast.stmt]) -> Iterator[tuple[ast.AST, bool]]:
    """Every node with whether it belongs to the outermost function itself rather than to one inside it."""
    waiting: list[tuple[ast.AST, bool]] = [(node, True) for node in reversed(nodes)]
    while waiting:
        node, own_scope = waiting.pop()
        yield node, own_scope
        inside = own_scope and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
