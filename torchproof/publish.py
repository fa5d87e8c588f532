"""Put every program, and the module it comes from, where the site serves them: below `docs/programs/`."""

from __future__ import annotations

from torchproof.files import write_if_changed
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.story import page, story, thumbnail
from torchproof.tutorial import FOLDER, tutorials


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
    return count, problems + publish_tutorials(project)


def publish_tutorials(project: Project) -> list[Problem]:
    """Write the pages of the tutorials and their notebooks for download to `docs/tutorials/`, and remove all others.

    Returns:
        The tutorials that cannot be shown, and why.
    """
    folder = project.root / "docs" / FOLDER
    wanted = set()
    problems = []
    for tutorial in tutorials(project):
        try:
            for problem in tutorial.problems:
                raise problem
            told = story(tutorial)
            texts = {
                folder / tutorial.name / "index.ipynb": page(told),
                folder / tutorial.name / "thumbnail.svg": thumbnail(told),
                folder / tutorial.notebook.name: tutorial.notebook.read_text(encoding="utf-8"),
            }
        except Problem as problem:
            problems.append(problem)
            continue
        for path, text in texts.items():
            write_if_changed(path, text)
            wanted.add(path)
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    return problems
