"""`torchproof notebook`: make the notebook of a tutorial with sphinx-gallery's parser and writer, and execute it once."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from torchproof import stored
from torchproof.arithmetic import arithmetic
from torchproof.compare import alike_text
from torchproof.files import write_atomically
from torchproof.kernel import NAME, kernel_directory
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.prose import markdown_leaks
from torchproof.run import ENVIRONMENT
from torchproof.tutorial import Tutorial, alts

# Seconds that one cell may take.
TIME_LIMIT = 180
SVG = "image/svg+xml"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LITERAL_BLOCK = re.compile(r"^(?P<text>.*?)(?P<space>\s*)::[ \t]*$(?=\n[ \t]*\n[ \t]+\S)", re.MULTILINE)
_EQUATION = re.compile(r"\\begin\{align\}(?P<tex>.*?)\\end\{align\}", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """One cell to be: its source, the line of the script where it starts, and alt texts of the figures it will draw."""

    kind: str
    source: str
    line: int
    alts: list[str] = field(default_factory=list)


def cells(tutorial: Tutorial) -> list[Cell]:
    """The cells of a tutorial's notebook.

    Raises:
        Problem: A text block holds reStructuredText that became no Markdown.
    """
    from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import remove_config_comments, remove_ignore_blocks, split_code_and_text_blocks

    _, blocks = split_code_and_text_blocks(tutorial.path)
    blocks = [b._replace(content=remove_config_comments(remove_ignore_blocks(b.content))) for b in blocks]
    notebook = jupyter_notebook(blocks, copy.deepcopy(DEFAULT_GALLERY_CONF), tutorial.path.parent)
    statements = ast.parse(tutorial.source).body[1:]
    found = []
    for block, cell in zip(blocks, notebook["cells"], strict=True):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            found.append(Cell("markdown", _markdown(text, tutorial, block.lineno), block.lineno))
            continue
        text, told = alts(text.strip("\n"))
        count = len(ast.parse(text).body)
        mine, statements = statements[:count], statements[count:]
        if mine:
            found.append(Cell("code", _code(text, mine, tutorial), mine[0].lineno, told))
    return found


def _markdown(text: str, tutorial: Tutorial, line: int) -> str:
    text = _LITERAL_BLOCK.sub(lambda m: m["text"] + ("" if m["space"] or not m["text"] else ":"), text)
    text = _EQUATION.sub(_equation, text).strip("\n")
    for leak in markdown_leaks(text):
        raise Problem(f"{leak.what} is left in the text of the notebook", tutorial.place(line), "write it in another way")
    return text


def _equation(found: re.Match[str]) -> str:
    """Dollar signs are understood by every reader of notebooks, a bare environment is not."""
    tex = "\n".join(line.strip() for line in found["tex"].strip().splitlines())
    if "&" in tex or "\\\\" in tex:
        tex = f"\\begin{{aligned}}\n{tex}\n\\end{{aligned}}"
    return f"$$\n{tex}\n$$"


def _code(text: str, statements: list[ast.stmt], tutorial: Tutorial) -> str:
    """A code cell with the source of what it imports in place of its imports."""
    lines = text.split("\n")
    for own in ast.parse(text).body:
        if isinstance(own, ast.ImportFrom):
            lines[own.lineno - 1 : own.end_lineno] = [""] * ((own.end_lineno or own.lineno) - own.lineno + 1)
    shown = "\n\n\n".join(code for s in statements if (code := tutorial.code.get(s.lineno)))
    rest = "\n".join(lines).strip("\n")
    gap = "\n\n\n" if shown.rpartition("\n")[2].startswith((" ", ")")) else "\n\n"
    return gap.join(filter(None, [shown, rest]))


@dataclass(frozen=True)
class Made:
    """What became of one notebook: whether its code was executed, how long that took, and whether the file changed."""

    tutorial: Tutorial
    executed: bool
    seconds: float
    changed: bool


def make(project: Project, tutorial: Tutorial, again: bool = False) -> Made:
    """Bring the notebook of a tutorial up to date.

    Outputs are kept where the code is that which ran. What differs from them in nothing but noise keeps its old text.

    Args:
        project: What the tutorial is a part of.
        tutorial: What to make the notebook of.
        again: Execute the code even if it has not changed.

    Raises:
        Problem: The tutorial has a fault, or a cell fails.
    """
    for problem in tutorial.problems:
        raise problem
    wanted = cells(tutorial)
    old = _load(tutorial)
    notebook = _assemble(wanted)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ran = [cell for cell in old.cells if cell.cell_type == "code"] if old else []
    unchanged = [cell.source for cell in code] == [cell.source for cell in ran]
    if old and unchanged and not again:
        told = dict(old.metadata.torchproof)
        for cell, before in zip(code, ran, strict=True):
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
    else:
        told = _execute(project, tutorial, notebook, [cell for cell in wanted if cell.kind == "code"])
        if old and unchanged:
            told = _keep_old(code, ran, told, dict(old.metadata.torchproof))
    _match_alts(tutorial, code, [cell for cell in wanted if cell.kind == "code"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"},
        "torchproof": {**told, "sha256": tutorial.sha256, "content": ""},
    }
    text = stored.seal(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    changed = not tutorial.notebook.exists() or tutorial.notebook.read_text(encoding="utf-8") != text
    if changed:
        write_atomically(tutorial.notebook, text)
    return Made(tutorial, not (old and unchanged and not again), told["seconds"], changed)


def _assemble(wanted: list[Cell]) -> Any:
    """The notebook before it runs; a cell's id is a digest of its source, so it stays when its neighbors change."""
    import nbformat.v4 as form

    ids: set[str] = set()
    result = form.new_notebook()
    for cell in wanted:
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        while name in ids:
            name += "x"
        ids.add(name)
        if cell.kind == "markdown":
            result.cells.append(form.new_markdown_cell(cell.source, id=name))
        else:
            result.cells.append(form.new_code_cell(cell.source, id=name, metadata={"alt": cell.alts} if cell.alts else {}))
    return result


def _execute(project: Project, tutorial: Tutorial, notebook: Any, wanted: list[Cell]) -> dict[str, Any]:
    """Run all cells in a fresh kernel and an empty directory; returns where it ran and how long it took."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    lines = {
        cell.id: item.line for cell, item in zip((c for c in notebook.cells if c.cell_type == "code"), wanted, strict=True)
    }
    running = ""

    def started(cell: Any, **_: Any) -> None:
        nonlocal running
        running = cell.id

    with kernel_directory(project.root, tutorial.name) as folder:
        manager = AsyncKernelManager(
            kernel_name=NAME,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")]),
            transport="ipc",
            connection_file=str(folder / "connection.json"),
        )
        resources = {"metadata": {"path": str(folder / "cwd")}}
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=TIME_LIMIT,
            resources=resources,
            store_widget_state=False,
            record_timing=False,
            # A cell's prints are one output, however slowly they came.
            coalesce_streams=True,
            on_cell_execute=started,
        )
        client.owns_km = True  # So that it ends the kernel.
        start = time.perf_counter()
        try:
            client.execute()
        except CellExecutionError as error:
            told = "\n".join(_ANSI.sub("", error.traceback).rstrip().splitlines()[-25:])
            raise Problem(
                f"the cell raises {error.ename}: {_ANSI.sub('', error.evalue)}\n{told}", tutorial.place(lines[running])
            ) from None
        except CellTimeoutError:
            raise Problem(f"the cell did not end within {TIME_LIMIT} s", tutorial.place(lines[running])) from None
        except DeadKernelError:
            raise Problem("the process that ran the cell has died", tutorial.place(lines.get(running, 1))) from None
        seconds = time.perf_counter() - start
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                raise Problem(f"the cell writes to standard error:\n{output.text.rstrip()}", tutorial.place(lines[cell.id]))
    return {"environment": _environment(), "seconds": round(seconds, 1)}


@lru_cache
def _environment() -> dict[str, Any]:
    """Where notebooks run: the kernel has one thread and no GPU."""
    program = [sys.executable, "-c", ENVIRONMENT.format(kind="cpu")]
    asked = subprocess.run(program, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=True, text=True)
    told: dict[str, Any] = json.loads(asked.stdout)
    return {**told, "arithmetic": arithmetic()}


def _keep_old(code: list[Any], ran: list[Any], told: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Give cells whose new outputs differ from the old in noise alone their old ones back; what ran where and how long.

    How long it takes is the best that was seen, since a busy machine says nothing about a tutorial: a run that was much
    faster also replaces the outputs that show durations.
    """
    everything = True
    faster = told["seconds"] < 0.8 * before["seconds"]
    for cell, old in zip(code, ran, strict=True):
        measured = any(re.search(r"\btook\b", _shown(output)) for output in cell.outputs)
        if alike(old.outputs, cell.outputs) and not (faster and measured):
            cell.outputs = old.outputs
        else:
            everything = False
    return before if everything and not faster and told["environment"] == before["environment"] else told


def alike(recorded: list[Any], printed: list[Any]) -> bool:
    """Whether the outputs of a cell show the same: numbers with a tolerance, durations not at all."""
    if [_kind(output) for output in recorded] != [_kind(output) for output in printed]:
        return False
    return all(alike_text(_shown(one), _shown(other)) for one, other in zip(recorded, printed, strict=True))


def _kind(output: Any) -> tuple[str, ...]:
    return (output.output_type, *output.get("data", {}))


def _shown(output: Any) -> str:
    data = output.get("data", {})
    return str(data.get(SVG) or data.get("text/plain") or output.get("text", ""))


def _match_alts(tutorial: Tutorial, code: list[Any], wanted: list[Cell]) -> None:
    for cell, item in zip(code, wanted, strict=True):
        count = sum(SVG in output.get("data", {}) for output in cell.outputs)
        if count != len(item.alts):
            what = f"the cell draws {count} figures and has {len(item.alts)} alt texts"
            raise Problem(
                what, tutorial.place(item.line), "write one line `# alt: what the figure shows` in the cell for each figure"
            )


def _load(tutorial: Tutorial) -> Any:
    """The notebook as it is; None if there is none that is whole."""
    import nbformat

    try:
        stored.load(tutorial.notebook, tutorial.command)
    except Problem:
        return None
    return nbformat.read(tutorial.notebook, as_version=4)
