"""Small wrong changes of a piece of Python: constants, operators, comparisons, arguments, method names, lost statements."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_METHODS = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "argmin": "argmax",
    "ones": "zeros",
    "zeros": "ones",
    "rand": "randn",
    "randn": "rand",
    "train": "eval",
    "eval": "train",
    "any": "all",
    "all": "any",
    "add_": "sub_",
    "mul_": "div_",
    "exp": "log",
    "log": "exp",
    "sin": "cos",
    "cos": "sin",
    "relu": "tanh",
    "tanh": "relu",
    "view": "reshape_as",
    "double": "float",
    "float": "double",
    "backward": "sum",
    "step": "zero_grad",
    "zero_grad": "step",
    "append": "extend",
    "cat": "stack",
    "stack": "cat",
}
# Functions that say the same of two arguments in either order: to swap these changes nothing.
_SYMMETRIC = {"equal", "allclose", "isclose", "assert_close", "shares_storage", "same_bits"}


@dataclass(frozen=True)
class Mutant:
    """A changed source, and in words what was changed: the line, the old text and the new one."""

    source: str
    line: int
    old: str
    new: str


Change = ast.AST | str


class Rules:
    """What is mutated besides, and what is not: the mutants of programs have no further rules."""

    def skipped(self, tree: ast.Module) -> Iterable[ast.AST]:
        """Nodes that are left alone, each with everything inside it."""
        return ()

    def more(self, node: ast.AST) -> Iterable[Change]:
        """Further changes of a node."""
        return ()

    def matters(self, node: ast.AST, change: Change) -> bool:
        """Whether a change of a node could be noticed at all."""
        return True


def mutants(source: str, first_line: int, rules: Rules | None = None) -> Iterator[Mutant]:
    """All mutants of the code from a line on, counted from 1; asserts, which are the check, are not removed."""
    lines = source.split("\n")
    tree = ast.parse(source)
    rules = rules or Rules()
    whole = [*(node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)), *rules.skipped(tree)]
    left_alone = {id(inner) for node in whole for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) < first_line or id(node) in left_alone:
            continue
        for changed in (*_changed(node), *rules.more(node)):
            text = changed if isinstance(changed, str) else ast.unparse(changed)
            if text != ast.unparse(node) and rules.matters(node, changed):
                yield _mutant(lines, node, text)


def _changed(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value)):
            yield repr(value + 1)
        case ast.Constant(value=float(value)):
            yield repr(value * 1.5 + 0.25)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            changed = copy.deepcopy(node)
            changed.op = _OPERATORS[type(node.op)]()
            yield f"({ast.unparse(changed)})"
        case ast.Compare() if type(node.ops[0]) in _COMPARISONS:
            changed_comparison = copy.deepcopy(node)
            changed_comparison.ops[0] = _COMPARISONS[type(node.ops[0])]()
            yield f"({ast.unparse(changed_comparison)})"
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield f"({ast.unparse(node.operand)})"
        case ast.Call():
            yield from _changed_calls(node)
        # The end of a program shows the figures that are left, so this one may be missing.
        case ast.Expr() if ast.unparse(node) == "plt.show()":
            return
        case ast.Expr(value=ast.Call()) | ast.Assign() | ast.AugAssign():
            yield "pass"
        case _:
            return


def _changed_calls(node: ast.Call) -> Iterator[ast.AST]:
    for index in range(len(node.keywords)):
        fewer = copy.deepcopy(node)
        del fewer.keywords[index]
        yield fewer
    name = ast.unparse(node.func).rpartition(".")[2]
    if len(node.args) > 1 and name not in _SYMMETRIC and not any(isinstance(argument, ast.Starred) for argument in node.args):
        swapped = copy.deepcopy(node)
        swapped.args[:2] = swapped.args[1], swapped.args[0]
        yield swapped
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        other = copy.deepcopy(node)
        assert isinstance(other.func, ast.Attribute)
        other.func.attr = _METHODS[node.func.attr]
        yield other


def _mutant(lines: list[str], node: ast.AST, text: str) -> Mutant:
    """Replace the text of one node; `ast` counts columns in bytes."""
    start, end = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    before = lines[start].encode()[: node.col_offset].decode()  # type: ignore[attr-defined]
    after = lines[end].encode()[node.end_col_offset :].decode()  # type: ignore[attr-defined]
    old = "\n".join(lines[start : end + 1])[len(before) :]
    old = old[: len(old) - len(after)] if after else old
    changed = [*lines[:start], before + text + after, *lines[end + 1 :]]
    return Mutant("\n".join(changed), start + 1, old, text)
