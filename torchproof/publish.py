"""Put every program, and the module it comes from, where the site serves them: below `docs/programs/`."""

from __future__ import annotations

from torchproof.files import write_if_changed
from torchproof.problems import Problem
from torchproof.project import Project


def publish(project: Project) -> tuple[int, list[Problem]]:
    """Write the programs and remove those of snippets that are no more.

    Returns:
        How many programs there are, and the snippets that have none because of a fault.
    """
    folder = project.root / "docs" / "programs"
    wanted = set()
    problems = list(project.catalog.problems)
    for module in project.catalog.modules.values():
        path = folder / f"{module.name}.py"
        write_if_changed(path, module.source)
        wanted.add(path)
    count = 0
    for snippet in project.catalog.snippets():
        try:
            source = project.program(snippet).source
        except Problem as problem:
            problems.append(problem)
            continue
        path = folder / snippet.module / f"{snippet.name}.py"
        write_if_changed(path, source)
        wanted.add(path)
        count += 1
    for path in folder.rglob("*.py"):
        if path not in wanted:
            path.unlink()
    return count, problems
