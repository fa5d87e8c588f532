"""The Markdown extension in a host of this process: what a page becomes, what is warned of, and what a change of files does."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from markdown import Markdown

from tests.conftest import Sandbox
from tests.handmade import code_cell, notebook, printed, project_of, record, run_of, text_cell
from torchproof.project import Project

MODULE = '"""T."""\n\n\ndef demo():\n    """Show."""\n    print(1)\n'
PAGE = "---\na: b\n---\n# T\n\n::: snippets.topic.demo\n\nText.\n\n::: evidence\n\n::: tutorials.story\n\n- Item\n\n    ::: snippets.topic.demo\n"
FILES = {
    "snippets/topic.py": MODULE,
    "docs/learn/topic.md": PAGE,
    "docs/learn/index.md": "# Learn\n\n::: snippets.topic.demo\n",
    "tutorials/story.py": '"""\nT\n=\n\nQ\n"""\n\nfrom snippets.topic import demo\n\ndemo()\n',
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = project_of(tmp_path, FILES)
    made = record(made, "cpu", "topic", run_of(made, "topic.demo", "1\n"))
    return notebook(made, "story", [text_cell(0, "# T\n\nWhat?"), code_cell(1, "demo()", printed("1\n"))])


def convert(project: Project, text: str, **settings: Any) -> str:
    host = Markdown(
        extensions=["torchproof.extension", "pymdownx.superfences"],
        extension_configs={"torchproof.extension": {"root": str(project.root), **settings}},
    )
    html: str = host.convert(text)
    assert host.convert(text) == html
    return html


def body(page: str) -> str:
    return page.split("---\n")[-1]


def test_a_page_becomes_blocks_cards_and_tables(project: Project) -> None:
    html = convert(project, body(PAGE))
    assert html.count('<div aria-label="Program demo" class="tp-block" data-snippet="snippets.topic.demo"') == 2
    assert (
        html.index("<h1")
        < html.index("tp-block")
        < html.index("<p>Text.</p>")
        < html.index("tp-evidence")
        < html.index("tp-card")
    )
    assert re.search(r"<li>\s*<p>Item</p>\s*<div aria-label", html)
    assert ":::" not in html


@pytest.mark.parametrize(
    ("page", "folders", "root"),
    [
        (PAGE, True, "../../"),
        (PAGE, False, "../"),
        (FILES["docs/learn/index.md"], True, "../"),
        ("::: snippets.topic.demo\n\nNo file.", True, "/"),
    ],
)
def test_addresses_lead_to_the_root_of_the_site(page: str, folders: bool, root: str, project: Project) -> None:
    html = convert(project, body(page), use_directory_urls=folders)
    assert set(re.findall(r'href="([^"]*)programs/topic/demo\.py"', html)) == {root}
    assert f'href="{root}programs/topic.py"' in html


def test_a_fault_is_shown_and_warned_of_with_its_line(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    page = "# T\n\n::: snippets.topic.dem\n\n::: snippets.topic.demo\n    size: 1\n\n```python\n1\n```\n\n::: tutorials.tale\n\n::: snippets.topic.demo\n"
    Sandbox(project.root).write("docs/faults.md", page)
    with caplog.at_level(logging.WARNING):
        html = convert(project, page)
    where = project.root / "docs/faults.md"
    told = [record.getMessage() for record in caplog.records if record.name == "mkdocs.torchproof"]
    assert [message.split("\n")[0] for message in told[: len(told) // 2]] == [
        f"{where}:3: there is no snippet snippets.topic.dem",
        f"{where}:5: 'size: 1' is no option of a block",
        f"{where}:8: a fenced Python block: nothing has run it",
        f"{where}:12: there is no tutorials/tale.py",
    ]
    assert html.count("This block cannot be shown") == 4
    assert html.count('class="tp-block"') == 1


def test_a_fault_elsewhere_names_both_places(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    Sandbox(project.root).write("snippets/topic.py", MODULE.replace("print(1)", "print(2)"))
    with caplog.at_level(logging.WARNING):
        convert(project, body(PAGE))
    assert caplog.messages[0].startswith(
        f"{project.root}/docs/learn/topic.md:6: the record of snippets.topic.demo is stale: its program has changed since it ran "
        f"(at {project.root}/snippets/topic.py:4)\n    to fix: pytest snippets/topic.py::demo --record"
    )


@pytest.mark.parametrize("suffix", [".py", ".json"])
def test_a_changed_file_changes_the_page(suffix: str, project: Project) -> None:
    text = FILES["docs/learn/index.md"]
    assert "<samp>1</samp>" in convert(project, text)
    if suffix == ".py":
        Sandbox(project.root).write("snippets/topic.py", MODULE.replace("print(1)", "print(22)"))
        assert "This block cannot be shown" in convert(project, text)
    else:
        again = Project(project.root)
        record(again, "cpu", "topic", run_of(again, "topic.demo", "22\n"))
        assert "<samp>22</samp>" in convert(project, text)


def test_a_page_without_directives_is_left_alone(project: Project) -> None:
    assert convert(project, "# T\n\nText.\n") == "<h1>T</h1>\n<p>Text.</p>"
