"""A block: a snippet as a page shows it, in HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from torchproof.catalog import Snippet
from torchproof.listing import listing
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.project import Project, Standing, current
from torchproof.results import machine, results, variables_html
from torchproof.room import room

REPOSITORY_FILE = "{repository}/blob/main/{path}#L{line}"


@dataclass(frozen=True)
class Block:
    """The one element that a snippet becomes."""

    attributes: dict[str, str]
    inner_html: str


class Renderer:
    """Renders the blocks of a project.

    Args:
        project: Where programs and records come from.
        repository: Address of the repository, for links to the source; "" to link to the module as the site publishes it.
    """

    def __init__(self, project: Project, repository: str) -> None:
        self.project = project
        self.repository = repository

    def block(self, name: str, options: dict[str, list[str]], site_root: str) -> Block:
        """One block.

        Args:
            name: Import path of the snippet.
            options: As the directive gives them: `alt` for each figure, `highlight` for lines, `note` for remarks.
            site_root: Relative address of the site's root as seen from the page, such as "../../".

        Raises:
            Problem: There is no such snippet, its record is missing, stale, failed or damaged, or an option does not fit.
        """
        snippet = self.project.catalog.find(name)
        program = self.project.program(snippet)
        cpu = current(self.project.standing(program, "cpu"), snippet, "cpu")
        gpu = self.project.standing(program, "cuda")
        standings = {"cpu": cpu, "cuda": gpu}
        parts = [
            _head(program),
            listing(program, options.get("highlight", []), options.get("note", [])),
            results(snippet, standings, options.get("alt", [])),
            variables_html(standings),
            self._foot(program, cpu, gpu, site_root),
        ]
        inside = "\n".join(filter(None, parts))
        attributes = {
            "class": "tp-block",
            "id": f"{snippet.module}.{snippet.name}",
            "role": "group",
            "aria-label": f"Program {snippet.name}",
            "data-snippet": snippet.full_name,
            "style": room(inside),
        }
        return Block(attributes, inside)

    def _foot(self, program: Program, cpu: Standing, gpu: Standing, site_root: str) -> str:
        snippet = program.snippet
        address = f"{site_root}programs/{snippet.module}.py"
        if self.repository:
            path = snippet.place.path.relative_to(self.project.root).as_posix()
            address = REPOSITORY_FILE.format(repository=self.repository.rstrip("/"), path=path, line=snippet.place.line)
        links = [
            f'<a href="{site_root}programs/{snippet.module}/{snippet.name}.py" download>Download .py</a>',
            f'<a href="{escape(address)}">Source</a>',
        ]
        where = "".join(f"<span>{escape(text)}</span>" for text in where_it_ran(snippet, cpu, gpu))
        return f'<div class="tp-foot"><span class="tp-where">{where}</span><span class="tp-links">{"".join(links)}</span></div>'


def problem_box(problem: Problem) -> str:
    """What a page shows in place of a block that cannot be shown."""
    return (
        '<div class="tp-problem admonition failure" role="alert"><p class="admonition-title">This block cannot be shown</p>'
        f"<pre>{escape(str(problem))}</pre></div>"
    )


def where_it_ran(snippet: Snippet, cpu: Standing, gpu: Standing) -> list[str]:
    """Plain words on where the program ran, from its records alone."""
    told = []
    if cpu.state == "fresh":
        environment = cpu.environment
        device = f"{machine(cpu)}, " if "measurement" in snippet.marks else ""
        told.append(f"CPU {device}torch {environment['torch']}, Python {environment['python']}")
    if gpu.state == "fresh":
        environment = gpu.environment
        told.append(f"CUDA {environment['device']}, torch {environment['torch']}")
    elif gpu.state == "excused":
        told.append(f"{'CPU only' if 'cpu_only' in snippet.marks else 'Not yet run'}: {gpu.reason}")
    elif "gpus" in snippet.marks:
        count = snippet.marks["gpus"].args[0]
        told.append(f"Needs {count} GPU{'s' * (count > 1)}: not yet run")
    else:
        told.append("Not yet run on a GPU")
    return told


def _head(program: Program) -> str:
    snippet = program.snippet
    lines = program.source.count("\n")
    return (
        f'<div class="tp-head"><a class="tp-name" href="#{snippet.module}.{snippet.name}" title="Permanent link to this block">'
        f'{snippet.name}</a><button type="button" class="tp-copy">Copy program ({lines} line{"s" * (lines > 1)})</button></div>'
    )
