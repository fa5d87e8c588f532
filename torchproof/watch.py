"""`torchproof serve`: the site while you write. What you save in `snippets/` runs at once, and its page shows what it did."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from torchproof.imports import PACKAGE
from torchproof.judge import as_run, recordable, settled
from torchproof.pages import Directive, pages, scan
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.project import Project
from torchproof.publish import publish
from torchproof.record import Run, store
from torchproof.run import Runner

# Seconds between two looks at the modules.
_EVERY = 0.1


class Watcher:
    """Runs on the CPU what changes, in workers that have torch loaded, and records it.

    Args:
        root: The project.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runners = [Runner(root, "cpu", again) for again in (False, True)]
        self._seen = self._stamps()
        project = Project(root)
        programs = []
        for snippet in project.catalog.snippets():
            # What is wrong with it is said on its page, and when it is saved.
            with contextlib.suppress(Problem):
                programs.append(project.program(snippet))
        for runner in self._runners:
            runner.preload(programs)

    def close(self) -> None:
        """End the workers."""
        for runner in self._runners:
            runner.close()

    def changed(self) -> bool:
        """Whether a module was saved since the last look."""
        before, self._seen = self._seen, self._stamps()
        return before != self._seen

    def update(self) -> Iterator[str]:
        """Run what has no fresh record, write the records, and have the pages that show it built again.

        Yields:
            A line for the terminal for each program, and for each fault.
        """
        project = Project(self.root)
        yield from map(str, project.catalog.problems)
        ran: dict[str, list[Run]] = {}
        for snippet in project.catalog.snippets():
            try:
                program = project.program(snippet)
                if project.standing(program, "cpu").state in ("fresh", "excused"):
                    continue
                run = settled(program, partial(self._run, program))
                ran.setdefault(snippet.module, []).append(run)
                yield f"{snippet.full_name}: {run.seconds:.2f} s"
            except Problem as problem:
                yield str(problem)
        for module, runs in ran.items():
            known = recordable(project.catalog.modules[module], "cpu")
            try:
                store(self.root, "cpu", module, self._runners[0].environment(), runs, known)
            except (Problem, OSError) as problem:
                yield str(problem)
        if ran:
            publish(project)
            self._build_again({f"{PACKAGE}.{module}.{run.snippet}" for module, runs in ran.items() for run in runs})

    def _run(self, program: Program, again: bool) -> Run:
        return as_run(program, self._runners[again].run(program))

    def _build_again(self, names: set[str]) -> None:
        """Make the pages that show these snippets look new: the server builds again what is newer than its HTML."""
        for page in pages(self.root / "docs"):
            if any(isinstance(item, Directive) and item.name in names for item in scan(page.body.split("\n"))):
                os.utime(page.path)

    def _stamps(self) -> dict[Path, int]:
        stamps = {}
        for path in (self.root / PACKAGE).glob("*.py"):
            # An editor may be replacing the file at this moment.
            try:
                stamps[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
        return stamps


def serve(root: Path, arguments: list[str]) -> int:
    """Start `mkdocs serve` with these arguments, and watch the snippets until it ends."""
    command = [sys.executable, "-m", "mkdocs", "serve", "--dirty", *arguments]
    watcher = Watcher(root)
    server = subprocess.Popen(command, cwd=root)
    try:
        while server.poll() is None:
            time.sleep(_EVERY)
            if watcher.changed():
                try:
                    for line in watcher.update():
                        print(line, flush=True)
                except Problem as problem:  # A page that cannot be read, say: the next save may find it mended.
                    print(problem, flush=True)
    except KeyboardInterrupt:
        server.terminate()
    finally:
        watcher.close()
    return server.wait()
