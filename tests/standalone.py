"""Run every program of the site as a reader would: alone, with `python -I`, in an empty directory.

`python -m tests.standalone` runs them all, two at a time, and prints what failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torchproof.catalog import Snippet
from torchproof.compare import same_output
from torchproof.project import Project


def run_alone(source: str, limit: float = 120) -> subprocess.CompletedProcess[str]:
    """A fresh isolated interpreter, an empty directory, nothing else."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as empty:
        path = Path(directory) / "program.py"
        path.write_text(source, encoding="utf-8")
        # Several run at a time, and two threads that share a busy core wait for each other.
        environment = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-I", "-X", "utf8", str(path)]
        return subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=limit)


def excuse(snippet: Snippet) -> str:
    """Why a program cannot run on this machine, "" if it can."""
    if "gpus" in snippet.marks:
        return "needs a GPU"
    if "needs" in snippet.marks and shutil.which(snippet.marks["needs"].args[0]) is None:
        return f"needs {snippet.marks['needs'].args[0]}"
    return ""


def judge(project: Project, snippet: Snippet) -> str:
    """What is wrong with one program run alone, "" if nothing."""
    if excuse(snippet):
        return ""
    program = project.program(snippet)
    ran = run_alone(program.source)
    if (ran.returncode != 0) != ("raises" in snippet.marks):
        return f"exit {ran.returncode}: {ran.stderr[-500:]}"
    entry = project.record("cpu", snippet.module).entries[snippet.name]
    if "measurement" not in snippet.marks and not same_output(entry.stdout, ran.stdout):
        return f"printed {ran.stdout!r}, the page says {entry.stdout!r}"
    return ""


def main() -> int:
    """Run all, or the modules named on the command line."""
    project = Project(Path(__file__).parent.parent)
    snippets = [s for s in project.catalog.snippets() if not sys.argv[1:] or s.module in sys.argv[1:]]
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda s: judge(project, s), snippets))
    failed = 0
    for snippet, verdict in zip(snippets, verdicts, strict=True):
        if verdict:
            failed += 1
            print(f"{snippet.full_name}: {verdict}")
    ran = sum(not excuse(s) for s in snippets)
    print(
        f"{ran - failed} of {ran} programs run alone as the page says, {len(snippets) - ran} cannot run here, {time.perf_counter() - start:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
