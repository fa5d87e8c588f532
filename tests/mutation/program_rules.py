"""Which changes of a program make mutants: none that could not matter on the device where it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.mutate import Change, Mutant, Rules, mutants

# How far two numbers may lie apart in a check: what passes with one tolerance passes with a larger one.
_TOLERANCES = {"atol", "rtol", "rel_tol", "abs_tol"}
_LARGEST_TOLERANCE = 0.01
# `zip(strict=True)` states what is so: it raises only where the code around it is wrong already. Asserts are not removed either.
_STATEMENTS = {"strict"}
# The program runs on the CPU, which is where a tensor is made without this keyword; a GPU's record notices.
_WHERE = {"device"}
# Functions that say the same of two arguments in either order.
_SYMMETRIC = {
    "add",
    "binary_cross_entropy",
    "dot",
    "huber_loss",
    "l1_loss",
    "max",
    "maximum",
    "min",
    "minimum",
    "mse_loss",
    "mul",
    "promote_types",
    "result_type",
    "smooth_l1_loss",
}


def program_mutants(source: str, first_line: int) -> list[Mutant]:
    """All mutants of a program from a line on."""
    return list(mutants(source, first_line, _ProgramRules()))


class _ProgramRules(Rules):
    def skipped(self, tree: ast.Module) -> Iterator[ast.AST]:
        """Tolerances and statements."""
        for node in ast.walk(tree):
            match node:
                case ast.keyword(arg=name) if name in _TOLERANCES | _STATEMENTS:
                    yield node.value
                case ast.Assert(test=test):
                    yield from (
                        bound for compare in ast.walk(test) if isinstance(compare, ast.Compare) for bound in _bounds(compare)
                    )

    def matters(self, node: ast.AST, change: Change) -> bool:
        """Not a lost check, a keyword that says what is so anyway, or the order of what is symmetric."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return not (change == "pass" and _name(node.value) == "assert_close")
        if not (isinstance(node, ast.Call) and isinstance(change, ast.Call)) or _name(node) != _name(change):
            return True
        kept = {keyword.arg for keyword in change.keywords}
        lost = [keyword for keyword in node.keywords if keyword.arg not in kept]
        if lost:
            return not all(_says_nothing(keyword) for keyword in lost)
        return _name(node) not in _SYMMETRIC


def _bounds(compare: ast.Compare) -> Iterator[ast.Constant]:
    """Small numbers that something is compared with."""
    for side in ast.walk(compare):
        if isinstance(side, ast.Constant) and isinstance(side.value, float) and 0 < side.value <= _LARGEST_TOLERANCE:
            yield side


def _says_nothing(keyword: ast.keyword) -> bool:
    elsewhere = isinstance(keyword.value, ast.Constant) and keyword.value.value != "cpu"
    return keyword.arg in _TOLERANCES | _STATEMENTS or (keyword.arg in _WHERE and not elsewhere)


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]
