"""Which names a piece of source needs, binds, and may not use, read from its symbol table."""

from __future__ import annotations

import ast
import contextlib
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FORBIDDEN = re.compile(r"\b(async|await|return|yield|nonlocal|global|globals|locals)\b")


@dataclass(frozen=True)
class Names:
    """Names of a piece of top-level source.

    Attributes:
        free: Names it reads from outside, as globals.
        bound: Names it binds at its own top level.
        chains: Dotted chains that it reads, such as `torch.utils.data.DataLoader`.
    """

    free: frozenset[str]
    bound: frozenset[str]
    chains: frozenset[str]


def names_of(source: str, nodes: Iterable[ast.AST]) -> Names:
    """Read the names of `source`, of which `nodes` are the parsed form."""
    table = symtable.symtable(source, "<snippet>", "exec")
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    free = {s.get_name() for s in symbols if s.is_referenced()} - bound
    for scope in _descendants(table):
        free |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()} - bound
    everything = [inner for node in nodes for inner in ast.walk(node)]
    free |= _names_in_string_annotations(everything) - bound
    return Names(frozenset(free), frozenset(bound), frozenset(_chains(everything)))


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


def _names_in_string_annotations(nodes: list[ast.AST]) -> set[str]:
    """Names inside annotations that are written as strings; linters and type checkers look them up too."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.arg() | ast.AnnAssign():
                annotation = node.annotation
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                annotation = node.returns
            case _:
                continue
        for part in ast.walk(annotation) if annotation else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                with contextlib.suppress(SyntaxError):
                    names |= {n.id for n in ast.walk(ast.parse(part.value, mode="eval")) if isinstance(n, ast.Name)}
    return names


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
