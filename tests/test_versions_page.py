"""The page of versions from a record that is written by hand: each list, in HTML and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.handmade import CPU, project_of, snippet_of
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.versions import Gap, Versions, versions_path
from torchproof.versions_page import versions_html, versions_markdown

NAMES = ("same", "prints", "fails", "asks", "changed")
MODULE = '"""Topic."""\n\nimport pytest\n\n\n' + "\n\n".join(
    f'{"@pytest.mark.gpus(1)" if name == "asks" else ""}\ndef {name}():\n    """Show."""\n    print("{name}")\n'
    for name in NAMES
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five programs that ran with two versions of torch; one of them has changed since."""
    page = "# Topic\n\n" + "\n\n".join(f"::: snippets.topic.{name}" for name in NAMES if name != "fails")
    project = project_of(tmp_path, {"snippets/topic.py": MODULE, "docs/topic.md": page})
    programs = {name: project.program(snippet_of(project, f"topic.{name}")).sha256 for name in NAMES}
    lost = Gap("skipped", "needs a GPU")
    gaps = {
        "prints": {"1.9.0": Gap("differs", "prints something else", ("-*one*", "+<two>"))},
        "fails": {"1.9.0": Gap("fails", "it raised ValueError"), "1.10.0": Gap("fails", "it raised TypeError")},
        "asks": {"1.9.0": lost, "1.10.0": lost},
    }
    environments = {version: CPU | {"torch": version, "torchvision": "0.1"} for version in ("1.10.0", "1.9.0")}
    versions_path(tmp_path).parent.mkdir(parents=True)
    versions_path(tmp_path).write_text(Versions(environments, {"topic": programs | {"changed": "0"}}, {"topic": gaps}).text())
    return Project(tmp_path)


def test_html(project: Project) -> None:
    html = versions_html(project, "../")
    assert html.startswith(
        '<div class="tp-evidence" data-search-exclude><ul><li>torch 1.9.0 (torchvision 0.1, Python 3.12.1, A CPU)'
    )
    assert "of 4 programs, 1 the same, 1 different, 1 failed, 1 skipped.</li><li>torch 1.10.0 " in html
    headings = re.findall(r'<h2 id="(\w+)">', html)
    assert headings == ["programs", "changed", "skipped", "same"]
    listed = dict(zip(headings, re.split(r"<h2 id", html)[1:], strict=True))
    heads = re.findall(r'<th scope="col">(.*?)</th>', listed["programs"])
    assert heads == ["Block", "torch 1.9.0", "torch 1.10.0", "Reason"]
    assert '<table class="tp-runs tp-reasons">' in listed["programs"]
    rows = dict(re.findall(r"<tr><td><a [^>]+><code>topic\.(\w+)</code></a></td>(.*?)</tr>", listed["programs"]))
    assert rows == {
        "prints": "<td>differs</td><td>same</td><td>prints something else<br>-*one*<br>+&lt;two&gt;</td>",
        "fails": "<td>fails</td><td>fails</td><td>1.9.0: it raised ValueError<br>1.10.0: it raised TypeError</td>",
    }
    assert "<p>1 program</p>" in listed["changed"] and "topic.changed" in listed["changed"]
    assert "<td>needs a GPU</td><td>1</td>" in listed["skipped"] and "topic.asks" in listed["skipped"]
    assert '<a href="../topic/"><code>topic</code></a></td><td>1</td>' in listed["same"]


def test_markdown(project: Project) -> None:
    told = versions_markdown(project, "..")
    lists = [line for line in told.split("\n") if line.startswith("Programs that")]
    assert [line.partition(":")[0].removeprefix("Programs that ") for line in lists] == [
        "do not do the same",
        "have changed since",
        "were skipped",
        "do the same",
    ]
    assert "| Block | torch 1.9.0 | torch 1.10.0 | Reason |" in told
    assert re.search(r"\| \[.*topic\.prints.*\| differs \| same \| prints something else; -\\\*one\\\*; \+\\<two\\> \|", told)
    assert re.search(r"\| needs a GPU \| 1 \| \[.*topic\.asks", told)
    assert "| Module | Programs |" in told and "| topic | 1 |" in told


@pytest.mark.parametrize("page", [versions_html, versions_markdown])
def test_without_a_record_the_command_that_makes_it_is_named(page: Callable[[Project, str], str], tmp_path: Path) -> None:
    project = project_of(tmp_path, {"snippets/topic.py": MODULE, "docs/topic.md": "# Topic\n"})
    with pytest.raises(Problem, match=r"no program was run with several versions of torch\n +to fix: make compat"):
        page(project, "../")
