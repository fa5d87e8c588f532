"""Tutorials: read `tutorials/*.py` with `ast` alone, say what is wrong with them, and gather the code they show."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from torchproof.imports import PACKAGE, sibling
from torchproof.pages import Directive, Page, scan
from torchproof.problems import Place, Problem
from torchproof.program import Gathering
from torchproof.project import Project
from torchproof.prose import leaks, links

FOLDER = "tutorials"
PREFIX = f"{FOLDER}."
_TEXT = re.compile(r"^# ?%%.*$")
_ALT = re.compile(r"^# alt: (?P<text>.*\S)\s*$")
_CELL = f"a code cell holds imports from {PACKAGE} and calls of what they name, nothing else"
_REST = "write the code as a function in snippets/, import it in the cell and call it"


@dataclass
class Tutorial:
    """One story of `tutorials/`, read but not executed.

    Attributes:
        path: The script.
        source: Its text.
        code: For the line of each import from `snippets`, the source that stands in its place in the notebook.
        uses: Full names of the snippets whose source the notebook holds.
        problems: What is wrong with it.
    """

    path: Path
    source: str
    code: dict[int, str] = field(default_factory=dict)
    uses: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its script and its notebook."""
        return self.path.stem

    @property
    def notebook(self) -> Path:
        """Where its notebook lies."""
        return self.path.with_suffix(".ipynb")

    @property
    def command(self) -> str:
        """What makes its notebook."""
        return f"torchproof notebook {self.name}"

    @cached_property
    def sha256(self) -> str:
        """Its identity: it changes with its text and with all code that it shows."""
        return hashlib.sha256(json.dumps([self.source, self.code]).encode()).hexdigest()

    def place(self, line: int) -> Place:
        """A line of its script, counted from 1."""
        return Place(self.path, line)


def is_card(item: Directive) -> bool:
    """Whether a page asks for the card of a tutorial: `::: tutorials.name`."""
    return item.name.startswith(PREFIX)


@lru_cache(maxsize=4)
def tutorials(project: Project) -> list[Tutorial]:
    """Every tutorial of a project, in alphabetical order."""
    return [read(project, path) for path in sorted((project.root / FOLDER).glob("*.py")) if not path.name.startswith("_")]


def chosen(project: Project, names: list[str]) -> list[Tutorial]:
    """The tutorials of these names, all if there are none.

    Raises:
        Problem: There is no tutorial of a name.
    """
    known = {tutorial.name: tutorial for tutorial in tutorials(project)}
    for name in names:
        if name not in known:
            raise Problem(f"there is no {FOLDER}/{name}.py", fix=f"the tutorials are {', '.join(known) or 'not yet written'}")
    return [known[name] for name in names] or list(known.values())


def read(project: Project, path: Path) -> Tutorial:
    """One tutorial; what is wrong is in its `problems`."""
    try:
        with tokenize.open(path) as file:
            source = file.read()
        tree = ast.parse(source, str(path))
    except SyntaxError as error:
        return Tutorial(path, "", problems=[Problem(f"not valid Python: {error.msg}", Place(path, error.lineno or 1))])
    except (UnicodeDecodeError, ValueError) as error:
        return Tutorial(path, "", problems=[Problem(f"cannot be read as UTF-8 text ({error})", Place(path, 1))])
    tutorial = Tutorial(path, source)
    if not ast.get_docstring(tree):
        fix = "start with a docstring: title, underline, the question it answers"
        tutorial.problems.append(Problem("the tutorial has no docstring", Place(path, 1), fix))
        return tutorial
    _read_cells(project, tutorial, tree)
    for first, text in prose(source, tree):
        tutorial.problems += [
            Problem(f"{leak.what} does not survive in a notebook", tutorial.place(first + leak.line), _SURVIVES)
            for leak in leaks(text)
        ]
        for link in links(text):
            if fault := broken(project.root, path, link.target):
                tutorial.problems.append(
                    Problem(f"the link to {link.target} is broken: {fault}", tutorial.place(first + link.line))
                )
    return tutorial


_SURVIVES = "use headings, lists, links with their address, math, note, warning and plain code blocks"


def prose(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The text blocks of a script, each with the number of its first line."""
    lines = source.split("\n")
    number = tree.body[0].end_lineno or 1
    yield tree.body[0].lineno, "\n".join(lines[tree.body[0].lineno - 1 : number]).lstrip("r").strip("\"'")
    while number < len(lines):
        number += 1
        if not _TEXT.match(lines[number - 1]):
            continue
        first = number + 1
        while number < len(lines) and lines[number].startswith("#"):
            number += 1
        yield first, "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[first - 1 : number])


def alts(cell: str) -> tuple[str, list[str]]:
    """A code cell without its `# alt:` lines, and what they say."""
    lines = cell.split("\n")
    found = [match["text"] for line in lines if (match := _ALT.match(line))]
    return "\n".join(line for line in lines if not _ALT.match(line)), found


def _read_cells(project: Project, tutorial: Tutorial, tree: ast.Module) -> None:
    gathering = Gathering(project.builder)
    known: set[str] = set()
    statements = tree.body[1:]
    for group in import_groups(tutorial.source, statements):
        place = tutorial.place(group[0].lineno)
        try:
            if isinstance(group[0], ast.ImportFrom):
                wanted = [
                    pair for statement in group for pair in _imported(project, statement, tutorial.place(statement.lineno))
                ]
                tutorial.code[group[0].lineno] = gathering.take(wanted)
                known.update(name for _, name in wanted)
            else:
                _read_statement(group[0], gathering, known, tutorial)
        except Problem as problem:
            elsewhere = problem.place and problem.place.path != tutorial.path
            tutorial.problems.append(
                Problem(f"{problem.what} (at {problem.place})", place, problem.fix) if elsewhere else problem
            )
    tutorial.uses = gathering.uses()


def import_groups(source: str, statements: list[ast.stmt]) -> list[list[ast.stmt]]:
    """The statements of a script one by one, but neighboring imports of one cell together."""
    lines = source.split("\n")
    groups: list[list[ast.stmt]] = []
    for statement in statements:
        last = groups[-1][-1] if groups else None
        together = isinstance(statement, ast.ImportFrom) and isinstance(last, ast.ImportFrom)
        if together and last and not any(map(_TEXT.match, lines[last.lineno - 1 : statement.lineno - 1])):
            groups[-1].append(statement)
        else:
            groups.append([statement])
    return groups


def _read_statement(statement: ast.stmt, gathering: Gathering, known: set[str], tutorial: Tutorial) -> None:
    place = tutorial.place(statement.lineno)
    match statement:
        case ast.Expr(value=ast.Call() as call):
            _check_call(call, known, tutorial)
        case ast.Assign(value=ast.Call() as call):
            _check_call(call, known, tutorial)
            for name in _targets(statement, place):
                gathering.bind(name, place)
                known.add(name)
        case _:
            raise Problem(_CELL, place, _REST)


def _imported(project: Project, statement: ast.stmt, place: Place) -> list[tuple[str, str]]:
    assert isinstance(statement, ast.ImportFrom)
    module = sibling(statement.module) if not statement.level else None
    if not module or any(alias.asname or alias.name == "*" for alias in statement.names):
        raise Problem(_CELL, place, f"write `from {PACKAGE}.<module> import <name>`")
    if module not in project.catalog.modules:
        raise Problem(f"there is no snippet module {PACKAGE}/{module}.py that can be read", place)
    for alias in statement.names:
        if alias.name not in project.catalog.modules[module].statements:
            try:
                project.catalog.find(f"{PACKAGE}.{module}.{alias.name}")
            except Problem as problem:  # Says which names are near.
                raise Problem(problem.what, place, problem.fix) from None
    return [(module, alias.name) for alias in statement.names]


def _targets(statement: ast.Assign, place: Place) -> list[str]:
    (target, *others) = statement.targets
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    if others or len(names) != len(parts):
        raise Problem(
            "what a call returns can be given to names only", place, "write `name = call(...)` or `one, two = call(...)`"
        )
    return names


def _check_call(call: ast.Call, known: set[str], tutorial: Tutorial) -> None:
    place = tutorial.place(call.lineno)
    if not isinstance(call.func, ast.Name):
        raise Problem(_CELL, place, _REST)
    _check_name(call.func, known, tutorial)
    if any(keyword.arg is None for keyword in call.keywords):
        raise Problem("a call in a tutorial spells out its arguments", place, "write `name=value` for each")
    for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
        _check_argument(argument, known, tutorial)


def _check_argument(node: ast.expr, known: set[str], tutorial: Tutorial) -> None:
    match node:
        case ast.Call():
            _check_call(node, known, tutorial)
        case ast.Name():
            _check_name(node, known, tutorial)
        case ast.List() | ast.Tuple() | ast.Set():
            for element in node.elts:
                _check_argument(element, known, tutorial)
        case ast.Dict():
            if None in node.keys:
                raise Problem(
                    "a dict in a tutorial spells out its items", tutorial.place(node.lineno), "write `key: value` for each"
                )
            for element in [*filter(None, node.keys), *node.values]:
                _check_argument(element, known, tutorial)
        case _:
            try:
                ast.literal_eval(node)
            except ValueError:
                what = "an argument in a tutorial is a literal, a name that an earlier line bound, or a call"
                raise Problem(what, tutorial.place(node.lineno), _REST) from None


def _check_name(name: ast.Name, known: set[str], tutorial: Tutorial) -> None:
    if name.id not in known:
        fix = f"import it from {PACKAGE} or bind it first"
        raise Problem(f"nothing before this line says what {name.id} is", tutorial.place(name.lineno), fix)


def broken(root: Path, script: Path, target: str) -> str:
    """What is wrong with a link of a tutorial, "" if nothing."""
    if re.match(r"https?://", target):
        return ""
    file, _, anchor = target.partition("#")
    path = (script.parent / file).resolve()
    docs = root / "docs"
    if not path.is_relative_to(docs) and not (path.parent == script.parent and path.suffix == ".ipynb"):
        return "it leads neither to a page in docs/ nor to a notebook"
    source = path.with_suffix(".py") if path.suffix == ".ipynb" else path
    if not source.exists():
        return f"there is no {source.relative_to(root)}"
    if "." in anchor and path.suffix == ".md":
        shown = {i.name.removeprefix(f"{PACKAGE}.") for i in scan(Page.read(path).body.split("\n")) if isinstance(i, Directive)}
        if anchor not in shown:
            return f"the page shows no block {anchor}"
    return ""
