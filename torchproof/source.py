"""Cut text out of a module by token, so that nothing inside a string moves."""

from __future__ import annotations

import ast
import io
import tokenize

from torchproof.catalog import Module
from torchproof.marks import is_mark

# Python 3.12 splits f-strings into these tokens, 3.14 does the same to t-strings; before, each is one STRING.
_OPENERS = {getattr(tokenize, name) for name in ("FSTRING_START", "TSTRING_START") if hasattr(tokenize, name)}
_CLOSERS = {getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name)}


def statement_text(module: Module, statement: ast.stmt) -> str:
    """A top-level statement as it stands: with the comment lines right above it, without pytest marks."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(d.lineno for d in decorators)])
    dropped = {line for d in decorators if is_mark(d) for line in range(d.lineno, (d.end_lineno or d.lineno) + 1)}
    while first > 1 and module.lines[first - 2].startswith("#"):
        first -= 1
    numbers = range(first, (statement.end_lineno or first) + 1)
    return "\n".join(module.lines[n - 1] for n in numbers if n not in dropped)


def body_text(module: Module, node: ast.FunctionDef, dedent: bool) -> str:
    """The body of a demo after its docstring, comments kept."""
    indent = module.lines[node.body[1].lineno - 1][: node.body[1].col_offset]
    first = (node.body[0].end_lineno or node.lineno) + 1
    last = node.end_lineno or first
    while last < len(module.lines) and module.lines[last].startswith(indent + "#"):
        last += 1
    lines = []
    inside = _lines_inside_strings(module.lines[first - 1 : last])
    for number, line in enumerate(module.lines[first - 1 : last], start=1):
        if number not in inside:
            line = line.rstrip()
            if dedent:
                line = line.removeprefix(indent) if line.startswith(indent) else line.lstrip()
        lines.append(line)
    return "\n".join(lines).strip("\n")


def _lines_inside_strings(lines: list[str]) -> frozenset[int]:
    """Lines, counted from 1, whose beginning lies inside a string: their indentation is data."""
    text = "\n".join(lines) + "\n"
    if not any(mark in text for mark in ('"""', "'''", "\\\n")):
        return frozenset()
    inside: set[int] = set()
    open_strings: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _OPENERS:
            open_strings.append(token.start[0])
        elif token.type in _CLOSERS:
            inside.update(range(open_strings.pop() + 1, token.end[0] + 1))
        elif token.type == tokenize.STRING:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
    return frozenset(inside)
