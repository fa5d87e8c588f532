"""Projects whose records and notebooks are written by hand: what reads them is tested within milliseconds, and nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import make_sandbox
from torchproof.catalog import Snippet
from torchproof.project import Project
from torchproof.record import Run, store
from torchproof.stored import seal
from torchproof.tutorial import tutorials

CPU: dict[str, Any] = {
    "python": "3.12.1",
    "torch": "2.15.0",
    "matplotlib": "3.10.0",
    "platform": "Linux x86_64",
    "device": "A CPU",
    "count": 1,
    "threads": 1,
}
CUDA = CPU | {"torch": "2.11.0", "device": "Some GPU"}


def project_of(root: Path, files: dict[str, str]) -> Project:
    """A project of these files."""
    sandbox = make_sandbox(root)
    for path, text in files.items():
        sandbox.write(path, text)
    return Project(root)


def run_of(project: Project, name: str, stdout: str = "", figures: tuple[str, ...] = (), **more: Any) -> Run:
    """What a program is said to have done."""
    snippet = project.catalog.find(f"snippets.{name}")
    fields = {"exception": None, "seconds": 0.25, "measurement": "measurement" in snippet.marks}
    return Run(snippet.name, project.program(snippet).sha256, stdout, figures, **(fields | more))


def record(project: Project, device: str, module: str, *runs: Run) -> Project:
    """The project with the record of a module on a device."""
    known = set(project.catalog.modules[module].snippets)
    store(project.root, device, module, CPU if device == "cpu" else CUDA, list(runs), known)
    return Project(project.root)


def snippet_of(project: Project, name: str) -> Snippet:
    """The snippet of a name such as `topic.demo`."""
    return project.catalog.find(f"snippets.{name}")


def notebook(project: Project, name: str, cells: list[dict[str, Any]], **more: Any) -> Project:
    """The project with the notebook of a tutorial; its script is at rest from here on."""
    (tutorial,) = (tutorial for tutorial in tutorials(project) if tutorial.name == name)
    told = {"environment": CPU, "seconds": 12.3, "sha256": tutorial.sha256, "content": ""} | more
    data = {"cells": cells, "metadata": {"torchproof": told}, "nbformat": 4, "nbformat_minor": 5}
    tutorial.notebook.write_text(seal(json.dumps(data, indent=1)), encoding="utf-8")
    return Project(project.root)


def text_cell(number: int, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": f"id{number}", "metadata": {}, "source": source}


def code_cell(number: int, source: str, *outputs: dict[str, Any], alt: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"alt": list(alt)} if alt else {}
    return {
        "cell_type": "code",
        "id": f"id{number}",
        "metadata": metadata,
        "source": source,
        "execution_count": number,
        "outputs": list(outputs),
    }


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def drawn(svg: str) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": svg, "text/plain": "<Figure>"}}
