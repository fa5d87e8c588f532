"""`torchproof check`: what is fresh, stale, missing or failed, and what no page shows. Imports neither torch nor a renderer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from torchproof.catalog import Snippet
from torchproof.lists import LISTS
from torchproof.pages import Directive, line_of, match_alts, notes_of, pages, scan
from torchproof.problems import Place, Problem
from torchproof.program import Program
from torchproof.project import Project, State, current
from torchproof.record import DEVICES
from torchproof.stored import current as current_notebook
from torchproof.tutorial import PREFIX, Tutorial, chosen, is_card, tutorials
from torchproof.versions import COMMAND, Versions

# So many names of programs fit on a line.
_NAMED = 5


@dataclass
class Report:
    """What a check found.

    Attributes:
        problems: What must be mended.
        states: For each device, how many snippets are in which state.
        notebooks: How many notebooks of tutorials are fresh.
        versions: How many programs are those that ran with every version of torch; None where no version was tried.
        changed: Names of the others.
    """

    problems: list[Problem]
    states: dict[str, Counter[State]] = field(default_factory=dict)
    notebooks: int = 0
    versions: int | None = None
    changed: list[str] = field(default_factory=list)


def check(project: Project, required: tuple[str, ...] = ("cpu",)) -> Report:
    """Check a project; the records of the required devices must all be there and fresh."""
    report = Report(problems=list(project.catalog.problems))
    programs = []
    for snippet in project.catalog.snippets():
        try:
            programs.append(project.program(snippet))
        except Problem as problem:
            report.problems.append(problem)
    for device in dict.fromkeys([*required, *project.recorded_devices()]):
        report.states[device] = _check_device(project, programs, device, device in required, report)
    _check_versions(project, programs, report)
    shown = _check_pages(project, report)
    used = {name for program in programs for name in program.uses}
    stories = tutorials(project)
    report.notebooks = _check_tutorials(project, stories, shown, report)
    shown |= {name for tutorial in stories for name in tutorial.uses}
    for program in programs:
        snippet = program.snippet
        if snippet.full_name in shown:
            continue
        if snippet.kind == "demo":
            fix = f"write `::: {snippet.full_name}` on a page"
            report.problems.append(Problem(f"no page shows {snippet.full_name}", snippet.place, fix))
        elif snippet.full_name not in used and not _tested(project, snippet):
            fix = "use it in a demo or a test, show it on a page, or remove it"
            report.problems.append(Problem(f"nothing uses {snippet.full_name}", snippet.place, fix))
    return report


def _check_device(project: Project, programs: list[Program], device: str, required: bool, report: Report) -> Counter[State]:
    states: Counter[State] = Counter()
    damaged = set()
    for program in programs:
        try:
            standing = project.standing(program, device)
        except Problem as problem:
            # One message for a damaged file, not one for each snippet in it.
            if program.snippet.module not in damaged:
                report.problems.append(problem)
            damaged.add(program.snippet.module)
            continue
        states[standing.state] += 1
        try:
            current(standing, program.snippet, device)
            for file, _ in standing.entry.figures if standing.entry else ():
                standing.record.figure(file)
        except Problem as problem:
            if required:
                report.problems.append(problem)
    report.problems += _orphans(project, device)
    return states


def _orphans(project: Project, device: str) -> list[Problem]:
    """Records of no snippet and figures of no record."""
    problems = []
    folder = project.root / "docs" / "records" / device
    for path in sorted(folder.glob("*.json")):
        module = project.catalog.modules.get(path.stem)
        if module is None:
            problems.append(Problem(f"the record {path.stem}.json is of no snippet module", Place(path, 1), "delete it"))
            continue
        try:
            entries = project.record(device, path.stem).entries
        except Problem:
            continue
        for name in sorted(set(entries) - set(module.snippets)):
            fix = f"record the module again: pytest snippets/{path.stem}.py --device {device} --record"
            problems.append(Problem(f"the record of {path.stem}.{name} is of no snippet", Place(path, 1), fix))
        named = {file for entry in entries.values() for file, _ in entry.figures}
        for figure in sorted((folder / path.stem).glob("*.svg")):
            if figure.name not in named:
                problems.append(Problem("the figure belongs to no record", Place(figure, 1), "delete it"))
    return problems


def _check_versions(project: Project, programs: list[Program], report: Report) -> None:
    """Name the programs that changed since they ran with every version of torch.

    That is no problem: the page marks them itself, and to run everything again takes an hour and 18 GB, too much for each edit.
    """
    try:
        found = Versions.load(project.root)
    except Problem as problem:
        report.problems.append(problem)
        return
    if found.environments:
        snippets = [program.snippet for program in programs]
        report.changed = [f"{s.module}.{s.name}" for s in snippets if not found.is_current(project, s)]
        report.versions = len(snippets) - len(report.changed)


def _check_pages(project: Project, report: Report) -> set[str]:
    """Names that pages show; directives of no snippet and fenced Python are problems."""
    shown: dict[str, Place] = {}
    try:
        found = pages(project.root / "docs")
    except Problem as problem:
        report.problems.append(problem)
        return set()
    for page in found:
        for item in scan(page.body.split("\n")):
            if not isinstance(item, Directive):
                report.problems.append(Problem(item.what, page.place(item.start), item.fix))
                continue
            report.problems += [Problem(fault.what, page.place(fault.start), fault.fix) for fault in item.faults]
            if item.name in LISTS:
                continue
            try:
                _check_options(project, item)
            except Problem as problem:
                if not problem.place:
                    report.problems.append(Problem(problem.what, page.place(item.start), problem.fix))
            shown[item.name] = page.place(item.start)
    return set(shown)


def _check_tutorials(project: Project, stories: list[Tutorial], shown: set[str], report: Report) -> int:
    """How many tutorials have a notebook that is theirs; the others, and those no page leads to, are problems."""
    fresh = 0
    for tutorial in stories:
        if f"{PREFIX}{tutorial.name}" not in shown:
            fix = f"write `::: {PREFIX}{tutorial.name}` on docs/tutorials.md, and add its page to the navigation in mkdocs.yml"
            report.problems.append(Problem("no page has a card of this tutorial", tutorial.place(1), fix))
        report.problems += tutorial.problems
        try:
            # What is wrong with the script comes first: its notebook could not be made.
            fresh += not tutorial.problems and bool(current_notebook(tutorial))
        except Problem as problem:
            report.problems.append(problem)
    scripts = {tutorial.notebook for tutorial in stories}
    for path in sorted((project.root / "tutorials").glob("*.ipynb")):
        if path not in scripts:
            report.problems.append(Problem("the notebook belongs to no tutorial", Place(path, 1), "delete it"))
    return fresh


def _check_options(project: Project, item: Directive) -> None:
    """Whether the snippet or tutorial is there, and the options fit; what is wrong with its record has been said elsewhere."""
    if is_card(item):
        chosen(project, [item.name.removeprefix(PREFIX)])
        return
    snippet = project.catalog.find(item.name)
    program = project.program(snippet)
    for text in item.options.get("highlight", []):
        line_of(program.body, text)
    notes_of(program.body, item.options.get("note", []))
    for device in ("cpu", "cuda"):
        standing = project.standing(program, device)
        if standing.state == "fresh" and standing.entry:
            match_alts(len(standing.entry.figures), item.options.get("alt", []))


def _tested(project: Project, snippet: Snippet) -> bool:
    tests = (project.root / "snippets").glob("test_*.py")
    return any(snippet.name in path.read_text(encoding="utf-8") for path in tests)


def summary(report: Report) -> str:
    """The states of each device in one line each."""
    lines = []
    for device in DEVICES:
        if states := report.states.get(device):
            lines.append(f"{device}: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    if report.notebooks:
        lines.append(f"notebooks: {report.notebooks} fresh")
    if report.versions is not None:
        lines.append(f"versions: {report.versions} fresh")
    if report.changed:
        named = ", ".join(report.changed[:_NAMED]) + (", …" if len(report.changed) > _NAMED else "")
        lines[-1] += f", {len(report.changed)} changed since ({named}); to run them: {COMMAND}"
    return "\n".join(lines)
