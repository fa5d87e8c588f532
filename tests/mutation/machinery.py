"""Mutate torchproof itself, and count how many mutants its tests notice: `python -m tests.mutation.machinery [module ...]`.

mutmut and cosmic-ray were looked at first. mutmut picks the tests of a mutant by what they call in their own process; here most
tests give commands, and what they test runs in processes of its own and in forks of those. cosmic-ray starts all tests anew for
each mutant, which takes minutes. So: each mutant is a file in a copy of the tree, where every process imports it; the tests that
run the changed line, recorded across processes, are tried from the cheapest to the dearest until one fails; and all of Python
that starts is forked from a process that has imported torch, pytest and MkDocs (`warm.py`).

A mutant is killed if a test fails, or takes more than ten times as long as it should. Left out are tests that need the whole
built site or a browser, or take very long. The tests that noticed a mutant run once more without one: they must pass.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.mutation import warm
from tests.mutation.mutate import Mutant
from tests.mutation.rules import machinery_mutants
from tests.mutation.selection import ROOT, Code, Lane, Recorded, record

# Seconds of tests, as recorded, that one mutant is given: what they do not notice counts as unnoticed.
_PATIENCE = 90.0
_stamps = itertools.count(int(time.time()) + 1000)


@dataclass(frozen=True)
class Verdict:
    """One mutant, and the test that noticed it."""

    file: str
    mutant: Mutant
    killer: str

    def __str__(self) -> str:
        return f"torchproof/{self.file}:{self.mutant.line}: {_short(self.mutant.old)} -> {_short(self.mutant.new)}"


class Tests:
    """The recorded tests, in the order in which they are tried."""

    def __init__(self, recorded: list[Recorded], code: Code) -> None:
        self.code = code
        files = Counter(test.file for test in recorded)
        # The fixtures of a file are made once for all of its tests.
        self.costs = {test.name: test.seconds + test.setup / files[test.file] for test in recorded}
        self.recorded = sorted(recorded, key=lambda test: self.costs[test.name])
        # Each test has time for the fixtures of its file, and for a busy machine.
        self.limits = {test.name: 10 * (test.setup + test.seconds) + 20 for test in recorded}

    def of(self, file: str, line: int, noticed: Counter[str]) -> list[str]:
        """The tests that run what this line changes: those that noticed most of the module's mutants before, then the cheapest."""
        lines = self.code.lines(file, line)
        able = [test for test in self.recorded if lines & test.lines]
        able.sort(key=lambda test: -noticed[test.name])
        spent = itertools.accumulate((self.costs[test.name] for test in able), initial=0.0)
        return [test.name for test, before in zip(able, spent, strict=False) if before < _PATIENCE]


def try_module(lane: Lane, tests: Tests, file: str, limit: int, killers: bool) -> list[Verdict]:
    """Every drawn mutant of a module."""
    path = lane.root / "torchproof" / file
    source = path.read_text(encoding="utf-8")
    drawn = machinery_mutants(source)
    random.Random(file).shuffle(drawn)
    noticed: Counter[str] = Counter()
    verdicts = []
    try:
        for mutant in sorted(drawn[: limit or None], key=lambda m: m.line):
            _write(path, mutant.source)
            killer = _killer(lane, tests, tests.of(file, mutant.line, noticed))
            noticed[killer] += 1
            verdicts.append(Verdict(file, mutant, killer))
            if killers or not killer:
                print(f"{verdicts[-1]}   [{killer or 'unnoticed'}]", flush=True)
    finally:
        _write(path, source)
    return _reliable(lane, tests, verdicts)


def _reliable(lane: Lane, tests: Tests, verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts without those of tests that fail without a mutant too."""
    killers = {verdict.killer for verdict in verdicts} & set(tests.limits)
    while killers and (failed := _killer(lane, tests, sorted(killers))) in killers:
        print(f"fails without a mutant: {failed}", flush=True)
        killers.remove(failed)
        verdicts = [replace(verdict, killer="") if verdict.killer == failed else verdict for verdict in verdicts]
    return verdicts


def _write(path: Path, source: str) -> None:
    path.write_text(source, encoding="utf-8")
    # Python takes a compiled file for that of a source of the same size and second.
    stamp = next(_stamps)
    os.utime(path, (stamp, stamp))


def _killer(lane: Lane, tests: Tests, names: list[str]) -> str:
    """The first of these tests that fails, "" if none does."""
    if not names:
        return ""
    limits = {name: tests.limits[name] for name in names}
    code, told = lane.pytest("-x", *names, limits=limits)
    if code == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (?P<name>.*)$", told, re.MULTILINE)
    # A reason may follow the name, and the name hold anything.
    ran = [name for name in names if failed and failed["name"].startswith(name)]
    return max(ran, key=len, default=failed["name"] if failed else f"exit code {code}")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) < 90 else f"{text[:60]} ... {text[-25:]}"


def main() -> int:
    """Mutate and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="modules of torchproof, such as catalog (default: all)")
    parser.add_argument("--limit", type=int, default=12, help="mutants of each module, drawn with a fixed seed; 0 for all")
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time")
    parser.add_argument("--killers", action="store_true", help="also say which test noticed each mutant")
    options = parser.parse_args()
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "torchproof").glob("*.py"))}
    chosen = [f"{name}.py" for name in options.modules] or list(sources)
    if unknown := set(chosen) - set(sources):
        parser.error(f"torchproof has no {', '.join(sorted(unknown))}")
    start = time.perf_counter()
    with warm.servers() as servers, tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        lanes = [Lane.make(Path(scratch) / f"lane{number}", servers) for number in range(options.workers)]
        tests = Tests(record(lanes), Code(sources))
        print(f"{len(tests.recorded)} tests recorded, {time.perf_counter() - start:.0f} s", flush=True)
        waiting = sorted(chosen, key=lambda file: -len(sources[file]))

        def work(lane: Lane) -> list[Verdict]:
            verdicts: list[Verdict] = []
            while waiting:
                verdicts += try_module(lane, tests, waiting.pop(0), options.limit, options.killers)
            return verdicts

        with ThreadPoolExecutor(len(lanes)) as pool:
            verdicts = [verdict for found in pool.map(work, lanes) for verdict in found]
    _report(verdicts)
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


def _report(verdicts: list[Verdict]) -> None:
    for file in sorted({verdict.file for verdict in verdicts}):
        mine = [verdict for verdict in verdicts if verdict.file == file]
        killed = sum(bool(verdict.killer) for verdict in mine)
        print(f"{file:20} {killed:4} of {len(mine):4} {killed / len(mine):.0%}")
    killed = sum(bool(verdict.killer) for verdict in verdicts)
    print(f"{killed} of {len(verdicts)} mutants are noticed ({killed / max(len(verdicts), 1):.1%})")


if __name__ == "__main__":
    sys.exit(main())
