"""Which names a piece of source needs, binds, and may not use, read from its symbol table."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass


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


def names_of(source: str, tree: ast.Module) -> Names:
    """Read the names of `source`, of which `tree` is the parsed form."""
    table = symtable.symtable(source, "<snippet>", "exec")
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    free = {s.get_name() for s in symbols if s.is_referenced()} - bound
    for scope in _descendants(table):
        free |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()} - bound
    free |= {name for annotation in _string_annotations(tree) for name in annotation} - bound
    return Names(frozenset(free), frozenset(bound), frozenset(_chains(tree)))


def _descendants(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _descendants(child)


def _chains(tree: ast.AST) -> Iterator[str]:
    """The longest dotted chains: of `a.b.c` not also `a.b`."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            dotted = ast.unparse(node)
            if dotted.replace(".", "").isidentifier():
                yield dotted


def _string_annotations(tree: ast.AST) -> Iterator[set[str]]:
    """Names inside annotations that are written as strings; linters and type checkers look them up too."""
    for node in ast.walk(tree):
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for annotation in (a for a in annotations if isinstance(a, ast.AST)):
            for part in ast.walk(annotation):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    try:
                        inner = ast.parse(part.value, mode="eval")
                    except SyntaxError:
                        continue
                    yield {n.id for n in ast.walk(inner) if isinstance(n, ast.Name)}


def forbidden_in_demo(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[tuple[ast.AST, str]]:
    """What would mean something else, or nothing, once a demo's body stands at top level."""
    if isinstance(node, ast.AsyncFunctionDef):
        yield node, "`async def`"
    for inner, own_scope in _walk_scoped(node.body, own_scope=True):
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


def _walk_scoped(nodes: list[ast.stmt], own_scope: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node with whether it belongs to the outermost function itself rather than to one inside it."""
    for node in nodes:
        yield from _walk_node(node, own_scope)


def _walk_node(node: ast.AST, own_scope: bool) -> Iterator[tuple[ast.AST, bool]]:
    yield node, own_scope
    inside = own_scope and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _walk_node(child, inside)
