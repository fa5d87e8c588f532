"""Which changes of torchproof's own code make mutants: more kinds than for programs, and none that nothing could notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from tests.mutation.mutate import Change, Mutant, Rules, mutants

_FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list"}
_METHODS = {
    "startswith": "endswith",
    "endswith": "startswith",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "partition": "rpartition",
    "rpartition": "partition",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
    "search": "match",
    "fullmatch": "match",
    "update": "clear",
}
_EQUIVALENT_KEYWORDS = {
    # On a machine whose locale is UTF-8 and whose lines end in a line feed, the defaults say the same.
    "encoding",
    "newline",
    # An assertion of what is so: it raises only where the code around it is wrong already. Asserts are not removed either.
    "strict",
    # Promises to a type checker, which holds us to them.
    "frozen",
    # How much is remembered, not what is answered.
    "maxsize",
    # Words of `--help`.
    "help",
    "description",
    "metavar",
    # How temporary files are called, which nothing reads.
    "prefix",
    # Matters to who watches a terminal while something runs.
    "flush",
}
# Functions that say the same of two arguments in either order.
_SYMMETRIC = {"same_output", "same_figure", "max", "min"}


def machinery_mutants(source: str) -> list[Mutant]:
    """All mutants of one module of torchproof."""
    return list(mutants(source, 1, _MachineryRules()))


class _MachineryRules(Rules):
    def __init__(self) -> None:
        self._conditions: set[int] = set()

    def skipped(self, tree: ast.Module) -> Iterator[ast.AST]:
        """What is never executed, or only says something to people and type checkers."""
        for node in ast.walk(tree):
            match node:
                case ast.If() | ast.While() | ast.IfExp():
                    self._conditions.add(id(node.test))
                case ast.comprehension():
                    self._conditions.update(map(id, node.ifs))
            match node:
                case ast.arg(annotation=ast.expr()) | ast.AnnAssign():
                    assert node.annotation
                    yield node.annotation
                case ast.FunctionDef(returns=ast.expr()) | ast.AsyncFunctionDef(returns=ast.expr()):
                    assert node.returns
                    yield node.returns
                # An alias of a type: `State = Literal["fresh", "stale"]`.
                case ast.Assign(value=ast.Subscript(value=ast.Name(id="Literal"))):
                    yield node
                case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    yield node
                case ast.keyword(arg=name) if name in _EQUIVALENT_KEYWORDS:
                    yield node.value
                # When garbage is collected is a matter of speed.
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="gc")))):
                    yield node

    def more(self, node: ast.AST) -> Iterator[Change]:
        """Changes that make no sense in a program of twenty lines."""
        # Comparisons and negations have mutants of their own.
        if id(node) in self._conditions and not isinstance(node, ast.Compare | ast.UnaryOp):
            yield f"(not ({ast.unparse(node)}))"
        match node:
            case ast.BoolOp():
                other = copy.deepcopy(node)
                other.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
                yield f"({ast.unparse(other)})"
            case ast.Return(value=ast.expr()):
                yield "return None"
            case ast.Raise():
                yield "pass"
            case ast.Break():
                yield "continue"
            case ast.Continue():
                yield "break"
            case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
                yield ast.Call(ast.Name(_FUNCTIONS[name]), node.args, node.keywords if name in ("min", "max") else [])
            case ast.Call(func=ast.Attribute(value=target, attr=name)) if name in _METHODS:
                yield ast.Call(ast.Attribute(target, _METHODS[name]), node.args, node.keywords)

    def matters(self, node: ast.AST, change: Change) -> bool:
        """Not the order of what is symmetric, nor the keywords that say what is so anyway."""
        if not (isinstance(node, ast.Call) and isinstance(change, ast.Call)) or ast.dump(node.func) != ast.dump(change.func):
            return True
        left_out = {str(k.arg) for k in node.keywords} - {str(k.arg) for k in change.keywords}
        if left_out:
            return not left_out & _EQUIVALENT_KEYWORDS
        return ast.unparse(node.func).rpartition(".")[2] not in _SYMMETRIC
