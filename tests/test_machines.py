"""What `torchproof finish` makes of records and pages: evidence, Markdown for machines, lists; all from handmade records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.handmade import project_of, record, run_of
from torchproof.evidence import evidence_html, evidence_markdown
from torchproof.finish import finish
from torchproof.pages import Page
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.twin import twin

MODULE = '''
"""Topic."""
import pytest


def helper(x):
    """A definition."""
    return x


def fresh():
    """Show."""
    print(helper(1))


def stale():
    """Show."""
    print(2)


@pytest.mark.measurement
def measured():
    """Show."""
    print(0.5)


@pytest.mark.cpu_only("the `mps` | CPU <alone>")
def on_cpu():
    """Show."""
    print(4)


@pytest.mark.raises(ValueError)
def raises():
    """Show."""
    print("before")
    raise ValueError("bad")


def draws():
    """Show."""
    print(6)


def never():
    """Show."""
    print(7)
'''
PAGE = """
---
description: D.
---

# Topic { #top }

<div class="grid" markdown>
See [home](../index.md), [the other](sub/other.md#part), [a story](../tutorials/story.ipynb), [web](https://a.b/c.md).
</div>

::: snippets.topic.fresh
    note: helper => from above
    note: print => prints `it`

Text.


More.

??? note "Folded"

    Inside.

    ::: snippets.topic.raises

    Still inside.

Outside.

!!! tip "Boxed"
    Boxed text.

::: snippets.topic.draws
    alt: A line.

```text
[not](index.md) a link { .x }
```

::: snippets.topic.measured
::: snippets.topic.stale
"""
TWIN = """
# Topic

See [home](../../index.md), [the other](../sub/other/index.md#part), [a story](../../tutorials/story/index.md), [web](https://a.b/c.md).

Program [topic/fresh.py](../../programs/topic/fresh.py):

```python
print(helper(1))
```

- `print`: prints `it`

- `helper`: from above

Output on CPU and CUDA:

```text
1
```

Ran on: CPU torch 2.15.0, Python 3.12.1. CUDA Some GPU, torch 2.11.0.

Text.

More.

**Folded**

Inside.

Program [topic/raises.py](../../programs/topic/raises.py):

```python
print("before")
raise ValueError("bad")
```

Output on CPU:

```text
before
ValueError: bad
```

Ran on: CPU torch 2.15.0, Python 3.12.1. Not yet run on a GPU.

Still inside.

Outside.

**Boxed**
Boxed text.

Program [topic/draws.py](../../programs/topic/draws.py):

```python
print(6)
```

Output on CPU:

```text
``` six
```

![A line.](../../records/cpu/topic/CPU_FIGURE)

Output on CUDA:

```text
``` six
```

![A line.](../../records/cuda/topic/CUDA_FIGURE)

Ran on: CPU torch 2.15.0, Python 3.12.1. CUDA Some GPU, torch 2.11.0.

```text
[not](index.md) a link { .x }
```

Program [topic/measured.py](../../programs/topic/measured.py):

```python
print(0.5)
```

Measured on A CPU, 1 thread:

```text
0.5
```

Measured on Some GPU:

```text
0.7
```

Ran on: CPU A CPU, 1 thread, torch 2.15.0, Python 3.12.1. CUDA Some GPU, torch 2.11.0.

Program [topic/stale.py](../../programs/topic/stale.py):

```python
print(3)
```

Ran on: Not yet run on a GPU.
"""
SVG = '<svg width="10"><path d="M 1 2"/><text>x</text></svg>'
VERSIONS = "torch 2.15.0, Python 3.12.1"
# Block, address, and the cells after it: what the records below say.
RUNS = [
    ("helper", "learn/#topic.helper", "definition", "CPU, A CPU", VERSIONS, "0.250", "current"),
    ("fresh", "learn/topic/#topic.fresh", "demo", "CPU, A CPU", VERSIONS, "0.250", "current"),
    ("fresh", "learn/topic/#topic.fresh", "demo", "CUDA, Some GPU", "torch 2.11.0, Python 3.12.1", "0.250", "current"),
    ("stale", "learn/topic/#topic.stale", "demo", "CPU, A CPU", VERSIONS, "1.500", "outdated"),
    ("measured", "learn/topic/#topic.measured", "measurement", "CPU, A CPU", VERSIONS, "0.250", "current"),
    (
        "measured",
        "learn/topic/#topic.measured",
        "measurement",
        "CUDA, Some GPU",
        "torch 2.11.0, Python 3.12.1",
        "0.250",
        "current",
    ),
    ("on_cpu", "programs/topic/on_cpu.py", "demo", "CPU, A CPU", VERSIONS, "0.250", "current"),
    ("raises", "learn/topic/#topic.raises", "demo", "CPU, A CPU", VERSIONS, "0.250", "current"),
    ("draws", "learn/topic/#topic.draws", "demo", "CPU, A CPU", VERSIONS, "0.250", "current"),
    ("draws", "learn/topic/#topic.draws", "demo", "CUDA, Some GPU", "torch 2.11.0, Python 3.12.1", "0.250", "current"),
]
COUNTS = ["CPU: 6 blocks ran, 1 outdated, 1 did not run.", "CUDA: 3 blocks ran, 5 did not run."]


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Runs on a CPU and on a GPU; after them one program was changed, and one never ran."""
    files = {
        "snippets/topic.py": MODULE,
        "docs/learn/topic.md": PAGE,
        "docs/index.md": "# Home\n\n::: snippets.topic.fresh\n\n::: evidence\n",
        "docs/learn/README.md": "# R\n\n::: snippets.topic.helper\n",
    }
    project = project_of(tmp_path_factory.mktemp("machines"), files)
    runs = [
        run_of(project, "topic.helper"),
        run_of(project, "topic.fresh", "1\n"),
        run_of(project, "topic.stale", "2\n", seconds=1.5),
        run_of(project, "topic.measured", "0.5\n"),
        run_of(project, "topic.on_cpu", "4\n"),
        run_of(project, "topic.raises", "before\n", exception={"type": "ValueError", "message": "bad"}),
        run_of(project, "topic.draws", "\n``` six\n\n", (SVG,)),
    ]
    project = record(project, "cpu", "topic", *runs)
    gpu = [
        runs[1],
        run_of(project, "topic.measured", "0.7\n"),
        run_of(project, "topic.draws", "\n``` six\n\n", (SVG.replace("1 2", "9 9"),)),
    ]
    project = record(project, "cuda", "topic", *gpu)
    module = project.root / "snippets/topic.py"
    module.write_text(module.read_text().replace("print(2)", "print(3)"))
    return Project(project.root)


def test_the_page_of_evidence_has_every_run_with_its_address(topic: Project) -> None:
    html = evidence_html(topic, "../")
    assert re.findall(r"<li>(.*?)</li>", html) == COUNTS
    runs = html[html.index('<table class="tp-runs">') :]
    assert re.findall(r'<th scope="col">(\w+)</th>', runs) == ["Block", "Kind", "Device", "Versions", "Seconds", "State"]
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", runs)
    assert [row.split("</td><td>") for row in rows] == [
        [f'<a href="../{address}"><code>topic.{name}</code></a>', *cells] for name, address, *cells in RUNS
    ]
    assert html.count('<script src="../assets/evidence.js"></script>') == 1
    assert re.findall(r'<output aria-live="polite" data-noun="(\w+)">', html) == ["runs"]
    assert re.findall(r'<select name="(\w+)">', html) == ["Kind", "Device", "Versions", "State"]


def test_the_page_of_evidence_says_why_something_did_not_run(topic: Project) -> None:
    html = evidence_html(topic, "../")
    gaps = html[: html.index('<h2 id="runs">')]
    rows = [row.split("</td><td>") for row in re.findall(r"<tr><td>(.*?)</td></tr>", gaps)]
    assert [row[:3] for row in rows] == [
        ["CUDA", "no record yet", "4"],
        ["CUDA", "the <code>mps</code> | CPU &lt;alone&gt;", "1"],
        ["CPU", "no record yet", "1"],
    ]
    assert re.findall(r"<code>topic\.(\w+)</code>", rows[0][3]) == ["helper", "stale", "raises", "never"]
    assert rows[0][3].startswith('<details class="tp-which"><summary>Show</summary>')
    assert {row[3] for row in rows[1:]} == {
        '<a href="../programs/topic/on_cpu.py"><code>topic.on_cpu</code></a>',
        '<a href="../programs/topic/never.py"><code>topic.never</code></a>',
    }


def test_the_evidence_without_folders_leads_to_files(topic: Project) -> None:
    html = evidence_html(topic, "", folders=False)
    assert 'href="learn/topic.html#topic.fresh"' in html
    assert 'href="learn/index.html#topic.helper"' in html


def test_the_evidence_as_markdown_says_the_same(topic: Project) -> None:
    text = evidence_markdown(topic, "..")
    assert [line[2:] for line in text.split("\n") if line.startswith("- ")] == COUNTS
    tables = [
        [line.strip("| ").split(" | ") for line in part.split("\n")] for part in text.split("\n\n") if part.startswith("|")
    ]
    assert tables[0][0] == ["Device", "Reason", "Count", "Which"]
    assert tables[0][1] == ["---"] * 4
    assert sorted(row[:3] for row in tables[0][2:]) == [
        ["CPU", "no record yet", "1"],
        ["CUDA", "no record yet", "4"],
        ["CUDA", r"the `mps` \| CPU <alone>", "1"],
    ]
    assert tables[1][2:] == [[f"[topic.{name}](../{address})", *cells] for name, address, *cells in RUNS]


def test_a_page_becomes_markdown_with_code_and_output(topic: Project) -> None:
    figures = {device: topic.record(device, "topic").entries["draws"].figures[0][0] for device in ("cpu", "cuda")}
    expected = TWIN.replace("CPU_FIGURE", figures["cpu"]).replace("CUDA_FIGURE", figures["cuda"])
    # A fence is longer than what it holds.
    expected = expected.replace("```text\n``` six\n```", "````text\n``` six\n````")
    assert twin(topic, Page.read(topic.root / "docs/learn/topic.md")) == expected.lstrip("\n")


def test_a_page_at_the_root_of_the_site_becomes_markdown(topic: Project) -> None:
    text = twin(topic, Page.read(topic.root / "docs/index.md"))
    assert text.startswith("# Home\n\nProgram [topic/fresh.py](./programs/topic/fresh.py):\n\n```python\nprint(helper(1))")
    assert "- CPU: 6 blocks ran" in text
    assert "| [topic.fresh](./learn/topic/#topic.fresh) |" in text


def test_a_page_with_code_that_nothing_ran_becomes_no_markdown(topic: Project, tmp_path: Path) -> None:
    path = topic.root / "docs/learn/topic.md"
    with pytest.raises(
        Problem, match=r"topic\.md:9: a fenced Python block: nothing has run it\n.*to fix: write the code as a demo"
    ) as told:
        twin(topic, Page(path, "# T\n\n```python\n1\n```\n", 6))
    assert told.value.place is not None


NAV = """
site_name: The site
site_description: What it is.
theme:
  custom: !ENV NAME
nav:
  - Home: index.md
  - Learn:
      - About: learn/README.md
      - A topic: learn/topic.md
"""


@pytest.fixture
def built(topic: Project) -> Path:
    """A built site with what `mkdocs build` would put there."""
    Sandbox(topic.root).write("mkdocs.yml", NAV)
    site = topic.root / "site"
    for name in ("", "learn/", "learn/topic/"):
        Sandbox(site).write(
            f"{name}index.html",
            f'<link rel="canonical" href="https://a.b/{name}">'
            + ('<meta name="description" content="It &amp; more.">' if "topic" in name else ""),
        )
    Sandbox(site).write("search/search_index.json", '{"docs":[]}')
    return site


LLMS = """
# The site

> What it is.

Every code block is a program that ran; the output after it was captured. Each page below is Markdown with all code and output.
A link in a block leads to the whole program, imports included, at `programs/<module>/<name>.py`.

## Start

- [Home](https://a.b/index.md)

## Learn

- [About](https://a.b/learn/index.md)
- [A topic](https://a.b/learn/topic/index.md): It & more.
"""


def test_finishing_adds_markdown_a_list_and_search_from_a_disk(built: Path) -> None:
    told = Sandbox(built.parent).torchproof("finish", "site")
    assert told.stdout == f"3 pages as Markdown, llms.txt, search without a server in {built}\n", told.stderr
    assert (built / "llms.txt").read_text() == LLMS.lstrip("\n")
    assert (built / "search/search_index.js").read_text() == 'var __index = {"docs":[]}'
    assert (built / "learn/index.md").read_text().startswith("# R\n")
    assert (built / "learn/topic/index.md").read_text().startswith("# Topic\n")
    assert (built / "index.md").read_text().startswith("# Home\n")


def test_finishing_leaves_out_a_page_that_was_not_built(built: Path, topic: Project) -> None:
    (built / "search/search_index.json").unlink()
    Sandbox(topic.root).write("docs/hidden.md", "# Hidden\n")
    Sandbox(built).write("index.html", "no address")
    assert finish(Project(topic.root), built)[0] == "3 pages as Markdown"
    assert "- [Home](index.md)\n" in (built / "llms.txt").read_text()
    (topic.root / "docs/hidden.md").unlink()
    assert not (built / "hidden").exists()


@pytest.mark.parametrize("settings", ["site_name: [", "site_name: A\n", "- 1\n"])
def test_finishing_needs_the_settings(settings: str, built: Path, topic: Project) -> None:
    Sandbox(topic.root).write("mkdocs.yml", settings)
    with pytest.raises(Problem, match=r"mkdocs\.yml:1: cannot read the site's name, description and navigation"):
        finish(Project(topic.root), built)


def test_finishing_needs_a_site(topic: Project, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="holds no built site\n    to fix: mkdocs build --strict, then torchproof finish"):
        finish(Project(topic.root), tmp_path)
