"""Mutate what the programs of `snippets/` say, and count how many mutants fail: `python -m tests.mutation.snippets`.

A mutant fails if its program ends otherwise than it should, or prints or draws something else than its record. A definition is
mutated inside the first demo that uses it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.mutation.mutate import Mutant
from tests.mutation.program_rules import program_mutants
from tests.standalone import excuse
from torchproof.catalog import Snippet
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.project import Project
from torchproof.record import Run, mismatch
from torchproof.run import Runner

ROOT = Path(__file__).parent.parent.parent


def survivors(project: Project, runner: Runner, snippet: Snippet, limit: int, rng: random.Random) -> tuple[int, list[Mutant]]:
    """How many mutants of a demo were tried, and those that nobody noticed."""
    program = project.program(snippet)
    first = program.source.count("\n") - program.body.count("\n")
    tried = program_mutants(program.source, first)
    if limit and len(tried) > limit:
        tried = rng.sample(tried, limit)
    return len(tried), [mutant for mutant in tried if not notices(project, runner, program, mutant)]


def notices(project: Project, runner: Runner, program: Program, mutant: Mutant) -> bool:
    """Whether the mutant fails or differs from the record."""
    snippet = program.snippet
    changed = replace(program, preamble="", body=mutant.source.rstrip("\n"))
    outcome = runner.run(changed)
    if outcome.failure:
        return True
    record = project.record("cpu", snippet.module)
    run = Run(
        snippet.name,
        "",
        outcome.stdout,
        tuple(outcome.figures),
        outcome.exception,
        outcome.seconds,
        False,
        tuple(outcome.variables),
    )
    try:
        entry = record.entries[snippet.name]
        return bool(mismatch(record, entry, run, record.environment_of(entry)))
    except Problem as problem:
        sys.exit(str(problem))


def demos(project: Project, names: list[str]) -> Iterator[Snippet]:
    """The demos to mutate: all that run here within seconds, or those of the modules named."""
    for snippet in project.catalog.snippets():
        # What a measurement prints is not compared.
        slow = {"slow", "spawns", "time_limit", "fresh", "measurement"} & set(snippet.marks)
        if snippet.kind == "demo" and not slow and not excuse(snippet) and (not names or snippet.module in names):
            yield snippet


def main() -> int:
    """Mutate and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="snippet modules (default: all)")
    parser.add_argument("--limit", type=int, default=12, help="mutants for each demo, drawn with a fixed seed; 0 for all")
    parser.add_argument("--workers", type=int, default=2, help="programs at a time")
    options = parser.parse_args()
    project = Project(ROOT)
    chosen = list(demos(project, options.modules))
    programs = [project.program(snippet) for snippet in chosen]
    groups = [chosen[start :: options.workers] for start in range(options.workers)]

    def work(group: list[Snippet]) -> list[tuple[Snippet, int, list[Mutant]]]:
        with Runner(ROOT) as runner:
            runner.preload(programs)
            return [(s, *survivors(project, runner, s, options.limit, random.Random(s.full_name))) for s in group]

    with ThreadPoolExecutor(options.workers) as pool:
        results = [result for group in pool.map(work, groups) for result in group]
    total = sum(tried for _, tried, _ in results)
    alive = [(snippet, mutant) for snippet, _, left in results for mutant in left]
    for snippet, mutant in alive:
        print(f"{snippet.full_name}: program line {mutant.line}: {mutant.old!r} -> {mutant.new!r}")
    print(f"{total - len(alive)} of {total} mutants of {len(results)} demos fail ({1 - len(alive) / max(total, 1):.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
