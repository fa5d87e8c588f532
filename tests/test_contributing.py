"""CONTRIBUTING.md, followed step by step in a copy of the repository; and what `torchproof new` refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, Sandbox


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tracked files as they are in the working tree, beside the installation of this run."""
    root = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    # The linter leaves out what git ignores.
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def commands(section: str) -> list[str]:
    """The lines of a section's `bash` blocks; what gets and installs the code is in `sh` blocks."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    part = text.split(f"## {section}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```bash\n(.*?)```", part, re.DOTALL) for line in block.strip().split("\n")]


def follow(lines: list[str], root: Path) -> None:
    path = os.pathsep.join([str(root / ".venv" / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(root), "NO_MKDOCS_2_WARNING": "1"}
    # What mypy has found out about the libraries holds for the copy too.
    environment["MYPY_CACHE_DIR"] = str(REPOSITORY / ".mypy_cache")
    for line in lines:
        # The installation is that of this run, whatever its age.
        line = re.sub(r"^make ", "make -o .venv/.installed ", line)
        done = subprocess.run(line, shell=True, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_guide_leads_to_a_page_of_your_own(clone: Path) -> None:
    lines = commands("A page of your own")
    assert len(lines) == 5
    follow(lines, clone)
    page = (clone / "site" / "learn" / "sorting" / "index.html").read_text()
    for name in ("first_sorting", "sorted_with_indices"):
        assert f'data-snippet="snippets.sorting.{name}"' in page
        assert (clone / "site" / "programs" / "sorting" / f"{name}.py").exists()
    assert "sum:     15" in page
    assert 'href="../sorting/"' in (clone / "site" / "learn" / "tensors" / "index.html").read_text()
    # What the scaffold writes passes what CI runs.
    follow(commands("Before you push"), clone)


def test_pre_commit_calls_what_the_tests_call() -> None:
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    entries = {hook["entry"].removeprefix(".venv/bin/") for repo in config["repos"] for hook in repo["hooks"]}
    makefile = (REPOSITORY / "Makefile").read_text()
    for entry in entries:
        assert f"$(BIN)/{entry}" in makefile, entry
    assert entries == {"ruff format --check", "ruff check", "mypy", "torchproof check"}


@pytest.fixture
def chapter(sandbox: Sandbox) -> Sandbox:
    """A project with a chapter whose module does not import torch yet."""
    sandbox.write("mkdocs.yml", "site_name: Sandbox\nnav:\n  - Topic: learn/topic.md\n  - Last: last.md\n")
    sandbox.write("snippets/topic.py", '"""T."""\n\n\ndef demo() -> None:\n    """Show."""\n    print(1)\n')
    sandbox.write("docs/learn/topic.md", "::: snippets.topic.demo\n\n## What to remember\n\n- One.\n")
    return sandbox


def test_a_new_snippet_comes_before_what_is_to_be_remembered(chapter: Sandbox) -> None:
    made = chapter.torchproof("new", "snippet", "snippets.topic.second")
    assert made.returncode == 0
    assert "pytest snippets/topic.py::second --record" in made.stdout
    assert chapter.pytest("snippets", "--record").returncode == 0
    assert chapter.torchproof("check").returncode == 0
    page = (chapter.root / "docs/learn/topic.md").read_text()
    assert page.index("::: snippets.topic.second") < page.index("## What to remember")


def test_a_new_chapter_comes_after_the_last_one(chapter: Sandbox) -> None:
    assert chapter.torchproof("new", "chapter", "row_sums").returncode == 0
    nav = yaml.safe_load((chapter.root / "mkdocs.yml").read_text())["nav"]
    assert nav == [{"Topic": "learn/topic.md"}, {"Row sums": "learn/row_sums.md"}, {"Last": "last.md"}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("chapter", "topic"), "snippets/topic.py exists already"),
        (("chapter", "Topic 2"), "'Topic 2' cannot name it"),
        (("chapter", "class"), "'class' cannot name it"),
        (("snippet", "topic.demo"), "has a demo already"),
        (("snippet", "nowhere.demo"), "torchproof new chapter nowhere"),
        (("snippet", "topic"), "'' cannot name it"),
    ],
)
def test_new_refuses_without_writing(arguments: tuple[str, ...], says: str, chapter: Sandbox) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in chapter.root.rglob("*") if path.is_file()}

    before = files()
    refused = chapter.torchproof("new", *arguments)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert files() == before
