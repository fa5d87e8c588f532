"""How long the same blocks take here and elsewhere: `python tests/benchmarks/compare.py [module ...]`, on a quiet machine.

Prints medians of five runs: `pytest snippets` against its floor, against nbval and sphinx-gallery; `mkdocs build` against
plain Material with the same pages as static Markdown; `torchproof check`.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from torchproof.child import BACKEND  # noqa: E402
from torchproof.lists import LISTS  # noqa: E402
from torchproof.pages import Directive, pages, scan  # noqa: E402
from torchproof.program import Program  # noqa: E402
from torchproof.project import Project  # noqa: E402
from torchproof.remembered import FOLDER  # noqa: E402
from torchproof.story import named  # noqa: E402
from torchproof.tutorial import is_card  # noqa: E402

RUNS = 5
# Cannot be cells: they start processes that import the main file, or end in an exception.
NOT_CELLS = {"spawns", "raises", "gpus", "needs"}
WARM = """
import contextlib, io, json, os, sys, time, types
start = time.perf_counter()
import torch
total = time.perf_counter() - start
for source in json.load(open(sys.argv[1])):
    code = compile(source, "<program>", "exec")
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, main.__dict__)
    total += time.perf_counter() - start
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
print(total)
"""


def run(*command: str, cwd: Path, backend: str = "agg") -> str:
    """Run a command that must succeed."""
    environment = {**os.environ, "MPLBACKEND": backend, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "ignore"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def median(action: Callable[[], object]) -> float:
    """Median wall time of five runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def floor(programs: list[Program], folder: Path) -> float:
    """One import of torch and the programs' own time, in one warm process that keeps their figures too."""
    import json

    (folder / "programs.json").write_text(json.dumps([p.source for p in programs]))
    (folder / "warm.py").write_text(WARM)
    command = (sys.executable, "warm.py", "programs.json")
    return statistics.median(float(run(*command, cwd=folder, backend=BACKEND)) for _ in range(RUNS))


def notebooks(programs: list[Program], folder: Path) -> float:
    """The programs as cells of one notebook a module, checked by nbval."""
    for module in {p.snippet.module for p in programs}:
        book = nbformat.v4.new_notebook()
        book.cells = [nbformat.v4.new_code_cell(p.source) for p in programs if p.snippet.module == module]
        NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
        nbformat.write(book, folder / f"{module}.ipynb")
    return median(
        lambda: run(sys.executable, "-m", "pytest", "-q", "-p", "nbval", "--nbval-lax", "-c", "/dev/null", ".", cwd=folder)
    )


def gallery(programs: list[Program], folder: Path) -> float:
    """The programs as scripts under sphinx-gallery."""
    (folder / "examples").mkdir()
    (folder / "examples" / "GALLERY_HEADER.rst").write_text("Gallery\n=======\n")
    for p in programs:
        title = p.snippet.name.replace("_", " ")
        text = f'"""\n{title}\n{"=" * len(title)}\n\n{p.snippet.summary}\n"""\n\n{p.source}'
        (folder / "examples" / f"plot_{p.snippet.module}_{p.snippet.name}.py").write_text(text)
    (folder / "index.rst").write_text("Index\n=====\n\n.. toctree::\n\n   auto_examples/index\n")
    (folder / "conf.py").write_text(
        'extensions = ["sphinx_gallery.gen_gallery"]\n'
        'sphinx_gallery_conf = {"examples_dirs": "examples", "gallery_dirs": "auto_examples", "abort_on_example_error": True}\n'
    )

    def build() -> None:
        shutil.rmtree(folder / "auto_examples", ignore_errors=True)
        shutil.rmtree(folder / "out", ignore_errors=True)
        run(sys.executable, "-m", "sphinx", "-q", ".", "out", cwd=folder)

    return median(build)


def plain_material(project: Project, folder: Path) -> float:
    """The same pages with code and output typed in, in Material alone."""
    for page in pages(ROOT / "docs"):
        lines = page.body.split("\n")
        text: list[str] = []
        done = 0
        for item in (found for found in scan(lines) if isinstance(found, Directive)):
            text += lines[done : item.start]
            done = item.stop
            if item.name in LISTS:
                text.append(LISTS[item.name].markdown(project, ".."))
                continue
            if is_card(item):
                text.append(named(project, item.name).summary)
                continue
            snippet = project.catalog.find(item.name)
            entry = project.record("cpu", snippet.module).entries.get(snippet.name)
            shown = f"```python\n{project.program(snippet).body}\n```\n"
            if entry and entry.stdout:
                shown += f"\n```text\n{entry.stdout}\n```\n"
            text += [item.indent + line for line in shown.split("\n")]
        target = folder / "docs" / page.path.relative_to(ROOT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(text + lines[done:]))
    for other in ("assets", "tutorials", "programs"):
        shutil.copytree(ROOT / "docs" / other, folder / "docs" / other)
    config = (ROOT / "mkdocs.yml").read_text().replace("  custom_dir: torchproof/theme\n", "")
    config = re.sub(r"  - torchproof:\n(?:      .*\n)+", "", config).replace("  - torchproof.math\n", "")
    config = config.replace("watch:\n  - torchproof/theme\n", "")
    (folder / "mkdocs.yml").write_text(config)
    return median(lambda: run(sys.executable, "-m", "mkdocs", "build", "-q", cwd=folder))


def first_check() -> None:
    """`torchproof check` when something has changed."""
    shutil.rmtree(ROOT / FOLDER, ignore_errors=True)
    run(sys.executable, "-m", "torchproof.cli", "check", cwd=ROOT)


def main() -> None:
    """Measure and print."""
    project = Project(ROOT)
    modules = sys.argv[1:] or list(project.catalog.modules)
    programs = [project.program(s) for s in project.catalog.snippets() if s.module in modules]
    cells = [p for p in programs if not NOT_CELLS & set(p.snippet.marks)]
    files = [f"snippets/{module}.py" for module in modules]
    with tempfile.TemporaryDirectory() as directory:
        folders = {name: Path(directory) / name for name in ("floor", "nbval", "gallery", "plain", "site")}
        for folder in folders.values():
            folder.mkdir()
        ours = median(lambda: run(sys.executable, "-m", "pytest", "-q", "--device", "cpu", *files, cwd=ROOT))
        least = floor(cells, folders["floor"])
        print(f"{len(programs)} programs of {len(modules)} modules, {len(cells)} of them in the comparisons")
        print(f"pytest snippets       {ours:7.2f} s")
        print(f"floor                 {least:7.2f} s   ratio {ours / least:.2f}")
        books = notebooks(cells, folders["nbval"])
        print(f"nbval                 {books:7.2f} s   {books / ours:.1f} times pytest snippets")
        scripts = gallery(cells, folders["gallery"])
        print(f"sphinx-gallery        {scripts:7.2f} s   {scripts / ours:.1f} times pytest snippets")
        site = median(lambda: run(sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(folders["site"]), cwd=ROOT))
        plain = plain_material(project, folders["plain"])
        print(f"mkdocs build          {site:7.2f} s")
        print(f"plain Material        {plain:7.2f} s   ratio {site / plain:.2f}")
        again = median(lambda: run(sys.executable, "-m", "torchproof.cli", "check", cwd=ROOT))
        first = median(first_check)
        print(f"torchproof check      {again:7.2f} s with nothing changed since the last one, {first:.2f} s after a change")


if __name__ == "__main__":
    main()
