"""From what a program did to what may be recorded: it ended as it should, and does the same each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torchproof.catalog import Module
from torchproof.compare import alike_variables, difference, same_figure, same_output
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.record import Run
from torchproof.run import Outcome

_ADVICE = (
    "seed what is random, sort what has no order, print no digit that rounding decides, or mark it @pytest.mark.measurement"
)


class Failed(Problem):
    """A program ended otherwise than it should.

    Args:
        program: What ran.
        outcome: How it ended.
    """

    def __init__(self, program: Program, outcome: Outcome) -> None:
        snippet = program.snippet
        told = "\n".join(filter(None, [outcome.stdout[-4000:].rstrip(), outcome.stderr[-4000:].rstrip()]))
        super().__init__(f"{snippet.full_name}: {outcome.failure}\n{told}", snippet.place)
        self.outcome = outcome


def as_run(program: Program, outcome: Outcome) -> Run:
    """A finished run on its way into a record.

    Raises:
        Failed: The program ended otherwise than it should.
    """
    snippet = program.snippet
    if outcome.failure:
        raise Failed(program, outcome)
    return Run(
        snippet.name,
        program.sha256,
        outcome.stdout,
        tuple(outcome.figures),
        outcome.exception,
        outcome.seconds,
        "measurement" in snippet.marks,
        # What a measurement leaves differs each time, and its output says what matters.
        () if "measurement" in snippet.marks else tuple(outcome.variables),
    )


def settled(program: Program, run: Callable[[bool], Run]) -> Run:
    """What may be recorded: a run that another one agrees with, and of its variables what was the same in both.

    Args:
        program: What runs.
        run: Runs it, for the first time or again; a measurement runs once.

    Raises:
        Problem: The program printed or drew differently.
    """
    snippet = program.snippet
    first = run(False)
    if first.measurement:
        return first
    second = run(True)
    if first.exception != second.exception or not same_output(first.stdout, second.stdout):
        told = difference(first.stdout, second.stdout).replace("recorded", "first run").replace("this run", "second run")
        raise Problem(f"{snippet.full_name} prints differently each time; {_ADVICE}\n{told}", snippet.place)
    drawn = len(first.figures) == len(second.figures) and all(map(same_figure, first.figures, second.figures))
    if not drawn:
        raise Problem(f"{snippet.full_name} draws differently each time; {_ADVICE}", snippet.place)
    return replace(first, variables=alike_variables(first.variables, second.variables))


def recordable(module: Module, device: str) -> set[str]:
    """Names of the snippets of a module that can have a record on a device."""
    return {name for name, snippet in module.snippets.items() if device == "cpu" or "cpu_only" not in snippet.marks}
