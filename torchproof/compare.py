"""Compare what a program printed with its record: numbers with a tolerance, all other text exactly."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence

from torchproof.variables import SEPARATOR

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?![\w.]*\w)")
_TOOK = re.compile(r"\btook\b")
_DURATION = re.compile(r"\btook [\d.,]+ (?:h|min|s|ms|µs|ns)\b")
RELATIVE = 1e-4
# Points on a figure's canvas; a pixel is about one. Where a sum is rounded otherwise, on another processor, matplotlib may keep
# another vertex of a long curve: the coordinates move by more than the curve does.
_CANVAS = 0.75
# A part of a path that is closed: where it begins, and the end of its last line.
_CLOSED = re.compile(r"(M (\S+) (\S+) \n(?:[LCQ] [^\n]*\n)*[LCQ] (?:\S+ )*?(\S+) (\S+) \n)z\n")


def same_output(recorded: str, printed: str) -> bool:
    """Whether two outputs agree.

    Integers agree when equal. Decimal numbers agree within a relative 1e-4, or, where both show four or more
    decimals, within one unit of the last one. Everything between the numbers agrees when equal.
    """
    return _same(recorded, printed, _numbers_agree)


def same_figure(recorded: str, drawn: str) -> bool:
    """Whether two figures show the same: equal elements and text, coordinates within three quarters of a point."""
    return _same(_opened(recorded), _opened(drawn), _near)


def same_variables(recorded: Sequence[str], held: Sequence[str]) -> bool:
    """Whether all variables of a record hold the same in a run; of some a record says no more than what they are."""
    return not variables_difference(recorded, held)


def variables_difference(recorded: Sequence[str], held: Sequence[str]) -> str:
    """A unified diff from a record's variables to those of a run, without what is not compared; "" if they are the same."""
    lines = _by_name(held)
    now = []
    for name, line in _by_name(recorded).items():
        if name in lines:
            alike = _same(line, lines[name], _told_alike) or line == _what(lines[name])
            now.append(line if alike else lines[name])
    return difference("\n".join(recorded), "\n".join(now))


def alike_variables(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """What two runs agree on: the variables that are the same kind of thing, with what they hold where it is the same."""
    lines = _by_name(second)
    shared = [(line, lines[name]) for name, line in _by_name(first).items() if name in lines]
    return tuple(line if line == other else _what(line) for line, other in shared if _what(line) == _what(other))


def _by_name(lines: Sequence[str]) -> dict[str, str]:
    return {line.partition(SEPARATOR)[0]: line for line in lines}


def _what(line: str) -> str:
    return SEPARATOR.join(line.split(SEPARATOR)[:2])


def _told_alike(recorded: str, held: str) -> bool:
    """Integers are equal; of other numbers four digits are told, of which the last may differ."""
    if None in (_decimals(recorded), _decimals(held)):
        return recorded == held
    return math.isclose(float(recorded), float(held), rel_tol=2e-3, abs_tol=1e-6)


def _near(recorded: str, drawn: str) -> bool:
    return math.isclose(float(recorded), float(drawn), rel_tol=RELATIVE, abs_tol=_CANVAS)


def _opened(svg: str) -> str:
    """A figure without the marks that close a path where it ends in its beginning anyway: rounding decides on them."""

    def opened(path: re.Match[str]) -> str:
        body, x, y, last_x, last_y = path.groups()
        return body if _near(x, last_x) and _near(y, last_y) else path[0]

    return _CLOSED.sub(opened, svg)


def steady(text: str) -> str:
    """A text without its durations: what follows the word "took" is a measurement."""
    return _DURATION.sub("took N", text)


def alike_text(recorded: str, shown: str, drawn_alike: bool = True, rounds_alike: bool = True) -> bool:
    """Whether two outputs of a notebook's cell, texts or figures, show the same; durations are not compared.

    A figure that has the word "took" in one of its texts draws durations: of such figures the words alone are compared.

    Args:
        recorded: What the notebook holds.
        shown: What this run shows.
        drawn_alike: Whether the same version of matplotlib drew both; if not, only the words of figures are compared.
        rounds_alike: Whether both processors round alike; if not, only words are compared, of texts and of figures. What
            must hold everywhere is asserted in the cells.
    """
    if not recorded.startswith("<svg"):
        texts = [steady(recorded), steady(shown)]
        return same_output(*texts) if rounds_alike else _words(texts[0]) == _words(texts[1])
    words = [figure_text(svg) for svg in (recorded, shown)]
    if any(map(_TOOK.search, words[0])) or not rounds_alike:
        # The numbers at the axes change with the durations.
        words = [[_words(text) for text in texts if any(map(str.isalpha, text))] for texts in words]
        return words[0] == words[1]
    return same_figure(recorded, shown) if drawn_alike else words[0] == words[1]


def _words(text: str) -> str:
    """A text without its numbers, however many stand in a row, and without the spaces that line them up."""
    return re.sub(r"N(?:[\s,;|]*N)*", "N", " ".join(_NUMBER.sub("N", text).split()))


def figure_text(svg: str) -> list[str]:
    """The words of a figure, which do not depend on the version of matplotlib that drew it."""
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", svg)


def difference(recorded: str, printed: str) -> str:
    """A unified diff from the record to this run."""
    lines = difflib.unified_diff(recorded.splitlines(), printed.splitlines(), "recorded", "this run", lineterm="", n=2)
    return "\n".join(lines)


def _same(recorded: str, other: str, agree: Callable[[str, str], bool]) -> bool:
    if recorded == other:
        return True
    if _NUMBER.split(recorded) != _NUMBER.split(other):
        return False
    return all(agree(a, b) for a, b in zip(_NUMBER.findall(recorded), _NUMBER.findall(other), strict=True))


def _numbers_agree(recorded: str, printed: str) -> bool:
    if recorded == printed:
        return True
    shown = [_decimals(number) for number in (recorded, printed)]
    if None in shown:
        return False
    a, b = float(recorded), float(printed)
    smallest = min(decimals for decimals in shown if decimals is not None)
    last_place = 1.01 * 10.0**-smallest if smallest >= 4 and "e" not in f"{recorded}{printed}".lower() else 0.0
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=last_place)


def _decimals(number: str) -> int | None:
    """How many decimals a number shows; None for an integer."""
    mantissa = re.split("[eE]", number)[0]
    if mantissa == number and "." not in number:
        return None
    return len(mantissa.partition(".")[2])
