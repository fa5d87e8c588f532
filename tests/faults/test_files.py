"""Faults of files: each one put into a project with good records is named in one message, and the records stay as they are.

Faults of running programs are in `test_programs.py`; interrupted and simultaneous recordings in `tests/test_record.py`.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Sandbox, make_sandbox

TOPIC = '''
"""T."""
import random

import matplotlib.pyplot as plt
import pytest

from snippets.tools import double


def drawn() -> None:
    """Show."""
    plt.plot([1, double(1)])
    plt.show()
    print("line", double(1))


def told() -> None:
    """Show."""
    print("<script>alert(1)</script>")
'''
TOOLS = '"""T."""\n\nSIZE = 2\n\n\ndef double(x):\n    """Twice."""\n    return SIZE * x\n'
PAGE = "# Topic\n\n::: snippets.topic.drawn\n    alt: A line.\n\n::: snippets.topic.told\n"


@dataclass(frozen=True)
class Fault:
    """What is done to the project, the command that must notice, and what it must say."""

    name: str
    inject: Callable[[Path], object]
    says: str
    command: str = "check"


def edit(path: str, old: str, new: str) -> Callable[[Path], object]:
    def inject(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new, 1))

    return inject


def add(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(((root / path).read_text() if (root / path).exists() else "") + text)


def raw(path: str, data: bytes) -> Callable[[Path], object]:
    return lambda root: (root / path).write_bytes(data)


def figure(root: Path) -> Path:
    return next((root / "docs/records/cpu/topic").glob("*.svg"))


def shorten(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text((root / path).read_text()[:200])


# A kind of device that this machine cannot have.
ELSEWHERE = "cuda" if sys.platform == "darwin" else "mps"


def another_program(root: Path) -> None:
    record = json.loads((root / RECORD).read_text())
    record["snippets"]["told"]["sha256"] = "0" * 64
    (root / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


RECORD = "docs/records/cpu/topic.json"
FAULTS = [
    Fault("source is not UTF-8", raw("snippets/topic.py", b'"""T\xe9."""\n'), r"topic\.py:1: cannot be read as UTF-8"),
    Fault("syntax error", add("snippets/topic.py", "def broken(:\n"), r"topic\.py:\d+: not valid Python"),
    Fault(
        "cyclic imports",
        edit("snippets/tools.py", "\nSIZE", "\nfrom snippets.topic import told\n\nSIZE"),
        r"import each other in a cycle: (topic -> tools -> topic|tools -> topic -> tools)",
    ),
    Fault("star import", edit("snippets/topic.py", "import double", "import *"), "a star import hides"),
    Fault("import of what is not there", edit("snippets/tools.py", "def double", "def twice"), r"defines no double"),
    Fault("missing module", lambda root: (root / "snippets/tools.py").unlink(), r"no snippet module snippets/tools\.py"),
    Fault("name found nowhere", edit("snippets/topic.py", "double(1))", "triple(1))"), "the name triple is found nowhere"),
    Fault(
        "two meanings of one name",
        edit("snippets/topic.py", 'print("line"', 'SIZE = 3\n    print("line"'),
        "SIZE means two different things in this program",
    ),
    Fault("name defined twice", add("snippets/topic.py", "\n\ntold = 1\n"), "told is defined twice"),
    Fault("no docstring", edit("snippets/topic.py", '    """Show."""\n', ""), "drawn has no docstring"),
    Fault("demo that returns", add("snippets/topic.py", "    return 1\n"), "`return` is used in the demo told"),
    Fault("unknown mark", edit("snippets/topic.py", "def told", "@pytest.mark.fast\ndef told"), "there is no mark fast"),
    Fault("mark without reason", edit("snippets/topic.py", "def told", "@pytest.mark.cpu_only\ndef told"), "wrong arguments"),
    Fault("changed definition", edit("snippets/tools.py", "SIZE = 2", "SIZE = 3"), "the record of snippets.topic.drawn is stale"),
    Fault("truncated record", shorten(RECORD), r"topic\.json:\d+: the record is not valid JSON"),
    Fault("conflicted record", lambda root: edit(RECORD, "{", "<<<<<<< ours\n{")(root), "the record is not valid JSON"),
    Fault("record without a key", edit(RECORD, '"sha256"', '"sha"'), "the record lacks what a record holds"),
    Fault("record of another program", another_program, "the record of snippets.topic.told is stale"),
    Fault("lost record", lambda root: (root / RECORD).unlink(), "snippets.topic.drawn has no record on the cpu"),
    Fault("record of no module", lambda root: shutil.copy(root / RECORD, root / RECORD.replace("topic", "gone")), "no snippet module"),
    Fault("lost figure", lambda root: figure(root).unlink(), "a recorded figure is missing"),
    Fault("edited figure", lambda root: figure(root).write_text("<svg/>"), "a figure is not the one that was recorded"),
    Fault("figure of no record", lambda root: shutil.copy(figure(root), figure(root).with_name("x.svg")), "belongs to no record"),
    Fault("output edited by hand", edit(RECORD, "line 2", "line 4"), "-line 4\n.line 2", "pytest snippets/topic.py"),
    Fault("raise that was recorded as none", edit("snippets/topic.py", "def told", "@pytest.mark.raises(ValueError)\ndef told"), "does not fit its mark"),
    Fault("unknown snippet", add("docs/index.md", "\n::: snippets.topic.drawm\n"), r"index\.md:8: there is no snippet"),
    Fault("unshown demo", edit("docs/index.md", "::: snippets.topic.told", ""), "no page shows snippets.topic.told"),
    Fault("unused definition", add("snippets/tools.py", '\n\ndef triple(x):\n    """T."""\n    return 3 * x\n'), "nothing uses snippets.tools.triple"),
    Fault("fenced Python", add("docs/index.md", "\n```python\nprint(1)\n```\n"), r"index\.md:8: a fenced Python block"),
    Fault("page is not UTF-8", raw("docs/other.md", b"# \xff\n"), r"other\.md:1: the page is not UTF-8"),
    Fault("figure without words", edit("docs/index.md", "    alt: A line.\n", ""), r"index\.md:3: the program draws 1 figures"),
    Fault("highlight of nothing", edit("docs/index.md", "    alt", "    highlight: gone\n    alt"), "occurs nowhere in the block"),
    Fault("unknown option", edit("docs/index.md", "    alt", "    size: big\n    alt"), r"index\.md:4: 'size: big' is no option"),
    Fault(
        "no GPU here",
        lambda root: None,
        rf"ERROR: torch can use no {ELSEWHERE} device here \(torch finds .+\)\n",
        f"pytest snippets/topic.py --device {ELSEWHERE} --record",
    ),
    Fault("no module to run", lambda root: None, "file or directory not found", "pytest snippets/gone.py --record"),
    Fault("not a project", lambda root: shutil.rmtree(root / "snippets"), "holds no snippets/"),
]  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = make_sandbox(tmp_path_factory.mktemp("faults"))
    sandbox.write("snippets/topic.py", TOPIC)
    sandbox.write("snippets/tools.py", TOOLS)
    sandbox.write("docs/index.md", PAGE)
    recorded = sandbox.pytest("snippets", "--record")
    assert recorded.returncode == 0, recorded.stdout
    checked = sandbox.torchproof("check")
    assert checked.returncode == 0, checked.stdout
    return sandbox


@pytest.fixture
def project(original: Sandbox, tmp_path: Path) -> Sandbox:
    shutil.copytree(original.root, tmp_path / "copy")
    return Sandbox(tmp_path / "copy")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_fault_is_named_and_records_stay(fault: Fault, project: Sandbox) -> None:
    fault.inject(project.root)
    before = project.records()
    tool, *arguments = fault.command.split()
    ran = project.python("-m", "pytest", *arguments) if tool == "pytest" else project.torchproof(tool, *arguments)
    told = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert re.search(fault.says, told), told
    assert "Traceback" not in told
    assert project.records() == before


def test_output_is_text_on_the_page(project: Sandbox) -> None:
    built = project.mkdocs("--strict")
    assert built.returncode == 0, built.stderr
    page = (project.root / "site/index.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_a_record_that_cannot_be_written_leaves_the_old_one(project: Sandbox) -> None:
    """A file system that takes no more: the write fails half-way, as on a full disk."""
    names = [f"demo{n}" for n in range(40)]
    demos = (f'def {name}() -> None:\n    """Show."""\n    print("{name}")\n' for name in names)
    project.write("snippets/many.py", '"""M."""\n\n\n' + "\n\n".join(demos))
    before = project.records()

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    command = [sys.executable, "-m", "pytest", "snippets/many.py", "--device", "cpu", "--record", "-p", "no:cacheprovider"]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    full = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, preexec_fn=small_files, timeout=300
    )
    assert full.returncode == 1, full.stdout + full.stderr
    assert "the record of many cannot be written" in full.stdout
    assert "Traceback" not in full.stdout + full.stderr
    assert project.records() == before
    assert not list(project.root.glob("docs/records/cpu/.many*"))
    assert project.pytest("snippets/many.py", "--record").returncode == 0
    assert len(json.loads((project.root / "docs/records/cpu/many.json").read_text())["snippets"]) == 40
