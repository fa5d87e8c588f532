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
# The program runs on the CPU, which is where a tensor is made or loaded without these; a GPU's record notices.
_WHERE = {"device", "map_location"}
# What these functions do without the keyword too. The programs say it because it is what they are about.
_DEFAULTS = {
    ("Adam", "lr"): 0.001,
    ("InferenceSession", "providers"): ["CPUExecutionProvider"],
    ("as_strided", "storage_offset"): 0,
    ("hist", "color"): "C0",
    ("subplots", "figsize"): (6.4, 4.8),
}
# Functions that say the same of two arguments in either order.
_SYMMETRIC = {
    "L1Loss()",
    "MSELoss()",
    "add",
    "binary_cross_entropy",
    "cosine_similarity",
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
    def __init__(self) -> None:
        self._claimed_of_all: set[int] = set()

    def skipped(self, tree: ast.Module) -> Iterator[ast.AST]:
        """Tolerances and statements, and what is said before an error that has to come."""
        for node in ast.walk(tree):
            yield from _unsaid(node)
            match node:
                case ast.keyword(arg=name) if name in _TOLERANCES | _STATEMENTS:
                    yield node.value
                case ast.Assert(test=test):
                    yield from (
                        bound for compare in ast.walk(test) if isinstance(compare, ast.Compare) for bound in _bounds(compare)
                    )
                    for claim in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
                        yield from _raised_bound(claim)
                        if isinstance(claim, ast.Call) and _name(claim) == "all":
                            self._claimed_of_all.add(id(claim))

    def matters(self, node: ast.AST, change: Change) -> bool:
        """Not a lost check or a weaker claim, a keyword that says what is so anyway, or the order of what is symmetric."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return not (change == "pass" and _name(node.value) == "assert_close")
        if not (isinstance(node, ast.Call) and isinstance(change, ast.Call)):
            return True
        if _name(node) != _name(change):
            of_nothing = any(ast.unparse(keyword) == "device='meta'" for keyword in node.keywords)
            return not (id(node) in self._claimed_of_all or (of_nothing and _name(node) in ("ones", "zeros")))
        kept = {keyword.arg for keyword in change.keywords}
        lost = [keyword for keyword in node.keywords if keyword.arg not in kept]
        if lost:
            return not all(_says_nothing(node, keyword) for keyword in lost)
        return _name(node) not in _SYMMETRIC


def _unsaid(node: ast.AST) -> Iterator[ast.Assign]:
    """Assignments such as `message = ""` before a `try` that assigns the message of an error.

    Without it the program fails as it does with it if the error does not come: by a name that is not bound, instead of by
    the assert on the message.
    """
    body = getattr(node, "body", None)
    inside = (inner for statement in body for inner in ast.walk(statement)) if isinstance(body, list) else ()
    tried = [inner for inner in inside if isinstance(inner, ast.Try)]
    caught = {name.id for one in tried for name in _assigned(one.handlers)}
    for statement in body if caught and isinstance(body, list) else ():
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value="")) if name in caught:
                yield statement


def _assigned(handlers: list[ast.ExceptHandler]) -> Iterator[ast.Name]:
    for handler in handlers:
        for node in ast.walk(handler):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node


def _bounds(compare: ast.Compare) -> Iterator[ast.Constant]:
    """Small numbers that something is compared with."""
    for side in ast.walk(compare):
        if isinstance(side, ast.Constant) and isinstance(side.value, float) and 0 < side.value <= _LARGEST_TOLERANCE:
            yield side


def _raised_bound(claim: ast.expr) -> Iterator[ast.expr]:
    """A number that something is claimed to be below: what is below it is below a larger one, so no mutant of it could fail."""
    match claim:
        case ast.Compare(ops=[ast.Lt() | ast.LtE()], comparators=[ast.Constant(value=int() | float()) as bound]):
            yield bound
        case ast.Compare(left=ast.Constant(value=int() | float()) as bound, ops=[ast.Gt() | ast.GtE()]):
            yield bound


def _says_nothing(call: ast.Call, keyword: ast.keyword) -> bool:
    if keyword.arg and (_name(call), keyword.arg) in _DEFAULTS:
        try:
            return bool(ast.literal_eval(keyword.value) == _DEFAULTS[_name(call), keyword.arg])
        except ValueError:
            return False
    elsewhere = isinstance(keyword.value, ast.Constant) and keyword.value.value != "cpu"
    return keyword.arg in _TOLERANCES | _STATEMENTS or (keyword.arg in _WHERE and not elsewhere)


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]
