"""The marks a snippet can carry, written as pytest marks and read without importing pytest."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from torchproof.problems import Place, Problem

MARKS = {
    "cpu_only(reason)": "the program runs on the CPU alone; the page shows the reason",
    "gpus(count)": "the program needs that many GPUs and is skipped where there are fewer",
    "needs(command)": "the program calls this command and is skipped where there is none",
    "own_device": "the program chooses its devices itself: no default device is set for it",
    "raises(exception, match=None)": "the program ends in this exception, which the page shows",
    "measurement": "the numbers it prints or plots are shown with the machine they came from and not compared",
    "slow": "takes more than a few seconds; deselect with -m 'not slow'",
    "time_limit(seconds)": "may run this long instead of 30 seconds",
    "spawns": "the program starts processes: its body goes under `if __name__ == '__main__':`",
    "fresh(reason)": "the program runs in a fresh interpreter instead of a forked one",
    "not_importable(reason)": "called as an imported function, the snippet does something else than its program",
}
# Name of each mark to the types of its positional arguments.
_SIGNATURES: dict[str, tuple[type, ...]] = {
    "cpu_only": (str,),
    "gpus": (int,),
    "needs": (str,),
    "own_device": (),
    "raises": (str,),
    "measurement": (),
    "slow": (),
    "time_limit": (int,),
    "spawns": (),
    "fresh": (str,),
    "not_importable": (str,),
}


@dataclass(frozen=True)
class Mark:
    """One mark of a snippet, its arguments as literals (an exception class by its dotted name)."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def is_mark(decorator: ast.expr) -> bool:
    """Whether a decorator is `@pytest.mark.something`, with or without arguments."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(target).startswith("pytest.mark.")


def read_mark(decorator: ast.expr, place: Place) -> Mark:
    """Read one mark.

    Raises:
        Problem: The mark is unknown, or its arguments are not the literals it takes.
    """
    call = decorator if isinstance(decorator, ast.Call) else None
    name = ast.unparse(call.func if call else decorator).removeprefix("pytest.mark.")
    if name not in _SIGNATURES:
        raise Problem(f"there is no mark {name}", place, f"use one of {', '.join(_SIGNATURES)}")
    try:
        args = tuple(_literal(arg) for arg in call.args) if call else ()
        kwargs = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords} if call else {}
    except ValueError:
        raise Problem(f"the arguments of the mark {name} are not literals", place) from None
    allowed = {"match"} if name == "raises" else set()
    right_types = tuple(map(type, args)) == _SIGNATURES[name]
    if not right_types or set(kwargs) - allowed:
        usage = next(usage for usage in MARKS if usage.partition("(")[0] == name)
        raise Problem(f"the mark {name} has the wrong arguments", place, f"write @pytest.mark.{usage}")
    return Mark(name, args, kwargs)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node)
    return ast.literal_eval(node)
