"""Commands, called within this process: what they write, print and answer."""

from __future__ import annotations

import gc
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.handmade import project_of, record, run_of
from torchproof.cli import main
from torchproof.project import Project

MODULE = '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n\n\ndef other():\n    """Show."""\n    print(2)\n'
CONFIG = "site_name: S\nnav:\n  - Home: index.md\n  - Learn:\n      - Topic: learn/topic.md\n      - Second: learn/second.md\n  - Last: last.md\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    files = {
        "mkdocs.yml": CONFIG,
        "snippets/topic.py": MODULE,
        "docs/learn/topic.md": "# T\n\n::: snippets.topic.demo\n\n::: snippets.topic.other\n\n## What to remember\n\n- One.\n",
    }
    made = project_of(tmp_path, files)
    return record(made, "cpu", "topic", run_of(made, "topic.demo", "1\n"), run_of(made, "topic.other", "2\n"))


@pytest.fixture
def call(project: Project, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(["--root", str(project.root), *arguments])
        return code, *capfd.readouterr()

    yield called
    gc.enable()


def test_check_answers_with_its_exit_code(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    assert call("check") == (0, "cpu: 2 fresh\n", "")
    code, told, _ = call("check", "--require", "cuda")
    assert (code, told.split("\n")[-3:]) == (1, ["cuda: 2 missing", "2 problems", ""])
    path = project.root / "docs/learn/topic.md"
    path.write_text(path.read_text().replace("::: snippets.topic.other\n", ""))
    code, told, _ = call("check")
    assert code == 1
    assert re.fullmatch(r".*topic\.py:9: no page shows snippets\.topic\.other\n    to fix: .*\ncpu: 2 fresh\n1 problem\n", told)


def test_program_prints_the_program(call: Callable[..., tuple[int, str, str]]) -> None:
    assert call("program", "snippets.topic.demo") == (0, "print(1)\n", "")
    assert call("program", "snippets.topic.dem") == (
        1,
        "",
        "there is no snippet snippets.topic.dem\n    to fix: did you mean snippets.topic.demo or snippets.topic.other?\n",
    )


def test_publish_says_what_has_no_program(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    assert call("publish") == (0, "2 programs in docs/programs/\n", "")
    (project.root / "snippets/topic.py").write_text(MODULE.replace("print(2)", "print(gone)"))
    code, told, error = call("publish")
    assert (code, told) == (1, "1 programs in docs/programs/\n")
    assert "topic.py:9: the name gone is found nowhere" in error
    assert [p.name for p in (project.root / "docs/programs").rglob("*.py")] == ["topic.py", "demo.py"]


def test_what_is_no_call_is_answered_with_the_usage(
    call: Callable[..., tuple[int, str, str]], project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, told in [
        (("check", "--fast"), "unrecognized arguments: --fast"),
        (
            ("--root", str(tmp_path / "empty"), "check"),
            "/empty holds no snippets/: change into the project, or name it with --root",
        ),
        ((), "the following arguments are required: command"),
        (("check", "--require", "tpu"), "invalid choice: 'tpu'"),
        (("new", "page", "x"), "invalid choice: 'page'"),
    ]:
        with pytest.raises(SystemExit) as stop:
            call(*arguments)
        assert stop.value.code == 2
        assert told in capfd.readouterr().err


def test_a_new_chapter_is_a_module_a_page_and_an_entry(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    code, told, _ = call("new", "chapter", "row_sums")
    assert (code, told) == (
        0,
        "snippets/row_sums.py\ndocs/learn/row_sums.md\nmkdocs.yml\n"
        "change them, then: pytest snippets/row_sums.py::first_row_sums --record\n",
    )
    root = project.root
    assert (root / "mkdocs.yml").read_text() == CONFIG.replace(
        "second.md\n", "second.md\n      - Row sums: learn/row_sums.md\n"
    )
    module = (root / "snippets/row_sums.py").read_text()
    assert module.startswith(
        '"""Row sums: what this module shows."""\n\nimport torch\n\n\ndef first_row_sums() -> None:\n    """Numbers and their sum."""\n'
    )
    page = (root / "docs/learn/row_sums.md").read_text()
    assert page.startswith("---\ndescription: One sentence") and "\n# Row sums\n" in page
    assert "\n::: snippets.row_sums.first_row_sums\n" in page
    code, _, error = call("new", "chapter", "row_sums")
    assert (code, error) == (1, "snippets/row_sums.py exists already\n    to fix: torchproof new snippet row_sums.<demo>\n")
    assert Project(root).catalog.problems == []


@pytest.mark.parametrize(
    ("module", "start"),
    [
        ('"""T."""\n', '"""T."""\n\nimport torch\n\n\ndef third'),
        (
            '"""T."""\nimport os\nfrom abc import ABC\n\nONE = 1\n',
            '"""T."""\nimport os\nfrom abc import ABC\nimport torch\n\nONE = 1\n\n\ndef third',
        ),
        ('"""T."""\n\nimport torch\n\nONE = 1\n\n\n', '"""T."""\n\nimport torch\n\nONE = 1\n\n\ndef third'),
    ],
)
def test_a_new_snippet_brings_torch_along(
    module: str, start: str, call: Callable[..., tuple[int, str, str]], project: Project
) -> None:
    (project.root / "snippets/topic.py").write_text(module)
    code, told, _ = call("new", "snippet", "topic.third_one")
    assert (code, told) == (
        0,
        "snippets/topic.py\ndocs/learn/topic.md\nchange them, then: pytest snippets/topic.py::third_one --record\n",
    )
    text = (project.root / "snippets/topic.py").read_text()
    assert text.startswith(f'{start}_one() -> None:\n    """Third one."""\n    numbers = torch.arange(6)\n')
    page = (project.root / "docs/learn/topic.md").read_text()
    assert page.endswith("\n\n::: snippets.topic.other\n\n::: snippets.topic.third_one\n\n## What to remember\n\n- One.\n")


def test_a_new_snippet_ends_a_page_without_a_summary(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    page = project.root / "docs/learn/topic.md"
    page.write_text("# T\n\nText.\n\n\n")
    assert call("new", "snippet", "snippets.topic.third")[0] == 0
    assert page.read_text() == "# T\n\nText.\n\n::: snippets.topic.third\n\n"


@pytest.mark.parametrize(
    ("what", "name", "told"),
    [
        ("snippet", "topic.demo", "snippets/topic.py has a demo already\n    to fix: choose another name\n"),
        (
            "snippet",
            "other.x",
            "there is no chapter other with both snippets/other.py and its page\n    to fix: torchproof new chapter other\n",
        ),
        (
            "snippet",
            "topic",
            "'' cannot name it\n    to fix: use lower-case letters, digits and underscores, such as sorted_rows\n",
        ),
        ("chapter", "Upper", "'Upper' cannot name it\n"),
        ("chapter", "a-b", "'a-b' cannot name it\n"),
        ("chapter", "1a", "'1a' cannot name it\n"),
        ("chapter", "import", "'import' cannot name it\n"),
    ],
)
def test_a_name_that_cannot_be_is_refused(what: str, name: str, told: str, call: Callable[..., tuple[int, str, str]]) -> None:
    code, out, error = call("new", what, name)
    assert (code, out) == (1, "")
    assert error.startswith(told)


def test_a_chapter_needs_a_place_in_the_navigation(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    (project.root / "docs/learn/topic.md").unlink()
    assert call("new", "snippet", "topic.x")[0] == 1
    for write in (lambda path: path.write_text("site_name: S\n"), lambda path: path.unlink()):
        write(project.root / "mkdocs.yml")
        code, _, error = call("new", "chapter", "rows")
        assert (code, error) == (1, "mkdocs.yml has no chapter in its navigation after which a new one could stand\n")
        assert not (project.root / "snippets/rows.py").exists()


def test_changes_since_a_revision(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "Nothing")
    assert call("changes")[1].startswith(
        "**2 outputs changed**, and 0 programs changed that do the same.\n\n- `snippets.topic.demo` on cpu is new\n"
    )
    git("add", "-A")
    git("commit", "-q", "-m", "All")
    assert call("changes") == (0, "No output changed.\n", "")
    (project.root / "docs/records/cpu/topic.json").unlink()
    again = Project(project.root)
    more = run_of(again, "topic.demo", "one\n1\n", ("<svg/>",), exception={"type": "E", "message": "m"})
    record(again, "cpu", "topic", more)
    code, told, _ = call("changes", "HEAD")
    assert (code, told) == (
        0,
        "**2 outputs changed**, and 0 programs changed that do the same.\n\n- `snippets.topic.demo` on cpu prints something else\n\n"
        "  ```diff\n  --- recorded\n  +++ now\n  @@ -1 +1,3 @@\n  +one\n   1\n  +E: m\n  ```\n\n- `snippets.topic.other` on cpu is gone\n\n"
        "  ```diff\n  --- recorded\n  +++ now\n  @@ -1 +0,0 @@\n  -2\n  ```\n\n",
    )
    code, _, error = call("changes", "no-such")
    assert code == 1
    assert re.match(r"git cannot show the records of no-such: .*\n    to fix: name a commit, a branch or a tag\n", error)


def test_notebooks_need_tutorials(call: Callable[..., tuple[int, str, str]], project: Project) -> None:
    assert call("notebook") == (0, "", "")
    assert call("notebook", "tale") == (1, "", "there is no tutorials/tale.py\n    to fix: the tutorials are not yet written\n")
    Sandbox(project.root).write("tutorials/story.py", '"""T"""\nx = 1\n')
    Sandbox(project.root).write("tutorials/_hidden.py", "x = 1\n")
    code, out, error = call("notebook")
    assert (code, out) == (1, "")
    assert re.match(
        r".*story\.py:2: a code cell holds imports from snippets and calls of what they name, nothing else\n", error
    )
