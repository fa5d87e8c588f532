"""Which tests run a line of torchproof: recorded once for each file of tests, and kept below `build/mutation/`."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.mutation import warm
from torchproof.files import write_if_changed

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / "build" / "mutation"
# They run every demo, compare explorers with torch, build the whole site, or are about workflows.
_OTHERS = ("test_functions.py", "test_explorer", "test_site.py", "test_workflows.py")
# Seconds of a test; the few that take longer, with many processes or the whole site, would take most of the time.
LONGEST = 40.0
_OPTIONS = """
    -o addopts= --import-mode=importlib -q --color=no -rfE --tb=short -p no:cacheprovider -p tests.mutation.limits
"""


@dataclass(frozen=True)
class Lane:
    """A copy of the tree, in which one mutant at a time is tested."""

    root: Path
    servers: Path

    @classmethod
    def make(cls, root: Path, servers: Path) -> Lane:
        """Copy the tree; every process that starts in it imports torchproof from it."""
        ignored = shutil.ignore_patterns(
            ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "site", "build", "programs", "*.egg-info"
        )
        shutil.copytree(ROOT, root, ignore=ignored)
        # Tests that ask git which files there are.
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True)
        (root / "sitecustomize.py").write_text(
            "import os\n"
            "if path := os.environ.get('TORCHPROOF_TRACE'):\n"
            "    from tests.mutation.warm import trace_to\n"
            "    trace_to(path)\n"
        )
        return cls(root, servers)

    def pytest(self, *arguments: str, limits: dict[str, float] | None = None, recording: Path | None = None) -> tuple[int, str]:
        """Exit code and output of pytest in this copy."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        temporary = self.root.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        environment |= {"PYTHONPATH": str(self.root), "NO_MKDOCS_2_WARNING": "1", "TMPDIR": str(temporary)}
        # Plugins take longer to load than many a test; `limits.py` takes this back for what the tests start.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        if limits is not None:
            path = self.root.with_suffix(".limits")
            path.write_text(json.dumps(limits))
            environment["TORCHPROOF_LIMITS"] = str(path)
        if recording:
            environment["TORCHPROOF_RECORDING"] = str(recording)
        command = ["-m", "pytest", *_OPTIONS.split(), f"--basetemp={temporary}/tests", *arguments]
        return warm.run(self.servers, self.root.name, command, self.root, environment)


@dataclass(frozen=True)
class Recorded:
    """One test: how long it took, without and with its file's fixtures, and which lines of torchproof ran."""

    name: str
    seconds: float
    setup: float
    lines: frozenset[tuple[str, int]]

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.name.partition("::")[0]


def record(lanes: list[Lane]) -> list[Recorded]:
    """Every test that passes and is short enough; what is left out is printed."""
    code = [*ROOT.glob("torchproof/*.py"), ROOT / "tests/conftest.py"]
    helpers = [path for path in ROOT.glob("tests/*.py") if not path.name.startswith(("test_", "conftest"))]
    files = {}
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        used = [helper for helper in helpers if f"tests.{helper.stem} " in path.read_text(encoding="utf-8")]
        files[path] = CACHE / f"{path.stem}-{_digest([path, *code, *used])[:12]}.json"
    files = {path: cache for path, cache in files.items() if not path.name.startswith(_OTHERS)}
    CACHE.mkdir(parents=True, exist_ok=True)
    waiting = [path for path, cache in files.items() if not cache.exists()]

    def work(lane: Lane) -> None:
        while waiting:
            path = waiting.pop(0)
            recorded = _record_file(lane, path)
            write_if_changed(files[path], json.dumps(recorded))

    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(work, lanes))
    found: list[Recorded] = []
    for cache in files.values():
        tests = json.loads(cache.read_text())
        # The first one waits for the fixtures of the file.
        setup = max((told["setup"] for told in tests), default=0.0)
        for told in tests:
            if told["seconds"] > LONGEST or not told["passed"]:
                print(f"left out: {told['name']} ({told['seconds']:.0f} s{'' if told['passed'] else ', fails here'})")
                continue
            found.append(Recorded(told["name"], told["seconds"], setup, frozenset((f, n) for f, n in told["lines"])))
    return found


def _record_file(lane: Lane, path: Path) -> list[dict[str, object]]:
    folder = lane.root.with_suffix(".lines")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    code, told = lane.pytest(str(path.relative_to(ROOT)), recording=folder)
    if code not in (0, 1, 5):
        raise OSError(f"{path} was not recorded (exit code {code})\n{told}")
    if not (folder / "recorded.json").exists():
        return []
    shared = _lines(folder / "shared")
    return [
        {
            "name": name,
            "seconds": test.get("call", 0.0),
            "setup": test.get("setup", 0.0),
            "passed": test["passed"],
            "lines": sorted(shared | _lines(folder / str(test["number"]))),
        }
        for name, test in json.loads((folder / "recorded.json").read_text()).items()
    ]


def _lines(path: Path) -> set[tuple[str, int]]:
    pairs = (line.rpartition(":") for line in (path.read_text().splitlines() if path.exists() else ()))
    return {(file, int(number)) for file, _, number in pairs}


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()


class Code:
    """The modules of torchproof, and where what a line changes would be noticed."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.trees = {file: ast.parse(source) for file, source in sources.items()}

    @cached_property
    def _users(self) -> dict[str, set[tuple[str, int]]]:
        """For each name or attribute the lines that use it."""
        users: dict[str, set[tuple[str, int]]] = {}
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                match node:
                    case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                        users.setdefault(name, set()).add((file, node.lineno))
        return users

    def lines(self, file: str, line: int) -> set[tuple[str, int]]:
        """The lines whose tests can notice a change in this line.

        A line in a function: itself. A line that runs at import: those in functions that use what it defines.
        """
        return self._lines(file, line, set())

    def _lines(self, file: str, line: int, done: set[tuple[str, int]]) -> set[tuple[str, int]]:
        if (file, line) in done:
            return set()
        done.add((file, line))
        around = list(_around(self.trees[file], line))
        statement = around[-1]
        functions = [s for s in around if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
        if functions and statement is not functions[-1]:
            if hasattr(statement, "body") or isinstance(statement, ast.Match):
                return {(file, line), (file, statement.lineno)}
            return {(file, n) for n in range(statement.lineno, (statement.end_lineno or line) + 1)}
        if functions:  # Its decorators and defaults.
            return {(file, n) for n in range(statement.body[0].lineno, (statement.end_lineno or line) + 1)}  # type: ignore[attr-defined]
        names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names |= {s.name for s in around if isinstance(s, ast.ClassDef)} if not self._used(names) else set()
        users = {place for name in names for place in self._users.get(name, ())}
        return {found for place in users for found in self._lines(*place, done)}

    def _used(self, names: set[str]) -> bool:
        return any(name in self._users for name in names)


def _around(tree: ast.Module, line: int) -> Iterator[ast.stmt]:
    """The statements that hold a line, from the outermost to the innermost."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            if first <= line <= (node.end_lineno or first):
                yield node
