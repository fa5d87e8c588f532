"""`torchproof new`: begin a chapter or a block with files that pass as they are, to be changed from there."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from torchproof.catalog import Catalog
from torchproof.files import write_atomically
from torchproof.imports import PACKAGE
from torchproof.problems import Problem

_DEMO = '''
def {name}() -> None:
    """{summary}."""
    numbers = torch.arange(6)

    print("numbers:", numbers.tolist())
    print("sum:    ", numbers.sum().item())
    assert numbers.sum() == 15
'''
_MODULE = '"""{title}: what this module shows."""\n\nimport torch\n\n' + _DEMO
_PAGE = """\
---
description: One sentence on what a reader will be able to do after this chapter.
---

# {title}

Which question does this chapter answer?

## A first block

Why does the reader want to see it?

::: {full_name}

What did it show?

## What to remember

- What a block above has shown.
"""


def new_chapter(root: Path, name: str) -> list[str]:
    """Write a module with one demo and a page that shows it, and add the page to the navigation.

    Args:
        root: The project.
        name: Name of the module and of the page, such as `sorting`.

    Returns:
        What was written, and what to do next.

    Raises:
        Problem: The name cannot be a module's, or the chapter exists.
    """
    _check_name(name)
    module, page = root / PACKAGE / f"{name}.py", root / "docs" / "learn" / f"{name}.md"
    for path in (module, page):
        if path.exists():
            raise Problem(f"{path.relative_to(root)} exists already", fix=f"torchproof new snippet {name}.<demo>")
    title = name.replace("_", " ").capitalize()
    demo = f"first_{name}"
    settings = _with_entry(root / "mkdocs.yml", f"{title}: learn/{name}.md")
    write_atomically(module, _MODULE.format(title=title, name=demo, summary="Numbers and their sum"))
    write_atomically(page, _PAGE.format(title=title, full_name=f"{PACKAGE}.{name}.{demo}"))
    write_atomically(root / "mkdocs.yml", settings)
    return [str(module.relative_to(root)), str(page.relative_to(root)), "mkdocs.yml", _next(name, demo)]


def new_snippet(root: Path, full_name: str) -> list[str]:
    """Add a demo to a module, and show it on the page of that module.

    Args:
        root: The project.
        full_name: Module and demo, such as `sorting.sorted_with_indices`; a leading `snippets.` is fine.

    Returns:
        What was written, and what to do next.

    Raises:
        Problem: The name is not of that form, is taken, or there is no such module or page.
    """
    module_name, _, name = full_name.removeprefix(f"{PACKAGE}.").partition(".")
    _check_name(name)
    module = Catalog.load(root).modules.get(module_name)
    page = root / "docs" / "learn" / f"{module_name}.md"
    if module is None or not page.exists():
        fix = f"torchproof new chapter {module_name}"
        raise Problem(f"there is no chapter {module_name} with both {PACKAGE}/{module_name}.py and its page", fix=fix)
    if name in module.statements or name in module.imports:
        raise Problem(f"{PACKAGE}/{module_name}.py has a {name} already", fix="choose another name")
    source = module.source.rstrip("\n") + "\n\n" + _DEMO.format(name=name, summary=name.replace("_", " ").capitalize())
    if "torch" not in module.imports:
        source = _with_torch(source)
    write_atomically(module.path, source)
    write_atomically(page, _with_block(page.read_text(encoding="utf-8"), f"{PACKAGE}.{module_name}.{name}"))
    return [str(path.relative_to(root)) for path in (module.path, page)] + [_next(module_name, name)]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise Problem(f"{name!r} cannot name it", fix="use lower-case letters, digits and underscores, such as sorted_rows")


def _next(module: str, name: str) -> str:
    return f"change them, then: pytest {PACKAGE}/{module}.py::{name} --record"


def _with_entry(path: Path, entry: str) -> str:
    """The settings of the site with one more page, after the last chapter."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    chapters = [n for n, line in enumerate(lines) if re.match(r"\s*- .*: learn/\w+\.md$", line)]
    if not chapters:
        raise Problem(f"{path.name} has no chapter in its navigation after which a new one could stand")
    last = chapters[-1]
    indent = lines[last][: len(lines[last]) - len(lines[last].lstrip())]
    return "\n".join([*lines[: last + 1], f"{indent}- {entry}", *lines[last + 1 :]])


def _with_torch(source: str) -> str:
    """The module with `import torch` after its docstring and the imports that stand there."""
    lines = source.split("\n")
    imports = [n for n, line in enumerate(lines) if line.startswith(("import ", "from "))]
    at = imports[-1] + 1 if imports else 1
    return "\n".join([*lines[:at], *([] if imports else [""]), "import torch", *lines[at:]])


def _with_block(text: str, full_name: str) -> str:
    """The page with one more block, before what is to be remembered."""
    block = f"::: {full_name}\n\n"
    at = text.find("\n## What to remember")
    if at < 0:
        return text.rstrip("\n") + "\n\n" + block
    return text[: at + 1] + block + text[at + 1 :]
