"""Pages: what a block shows, and what stops the build with the page's line and the command that mends it."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.dom.minidom import parseString

import pytest
from markdown import Markdown

from tests.blocks import blocks_of, parts_of
from tests.conftest import REPOSITORY, Sandbox, make_sandbox
from torchproof.listing import code_html
from torchproof.results import picture

MODULE = '''
"""Topic."""
import matplotlib.pyplot as plt
import pytest

SIZE = 3


class Shape:
    """A definition."""

    sides = SIZE


def demo():
    """Show."""
    name = 'a "quoted" & <b>bold</b> name'
    print(name, Shape.sides)
    print("<script>alert(1)</script>")


def draws():
    """Show."""
    plt.plot([1, 2])
    plt.show()


@pytest.mark.raises(ValueError)
def raises():
    """Show."""
    print("before")
    raise ValueError("<bad>")


@pytest.mark.cpu_only("it is about the CPU's memory")
def on_cpu():
    """Show."""
    print(1)


@pytest.mark.measurement
def measures():
    """Show."""
    print(0.5)
'''
PAGE = """
---
description: A page.
---

# Topic

::: snippets.topic.demo
    highlight: print(name
    note: Shape.sides => defined above
    note: <b>bold => read as `text`, not as <b>

Text.

::: snippets.topic.draws
    alt: A line that "rises" from 1 to 2

::: snippets.topic.raises
    highlight: raise ValueError

1. An item

    ??? note "Folded"

        ::: snippets.topic.on_cpu

::: snippets.topic.measures

::: snippets.topic.Shape

```text
::: snippets.topic.inside_a_fence
```
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = make_sandbox(tmp_path_factory.mktemp("pages"))
    sandbox.write("snippets/topic.py", MODULE)
    sandbox.write("docs/learn/topic.md", PAGE)
    sandbox.write("docs/index.md", "# Home\n")
    recorded = sandbox.pytest("snippets", "--record")
    assert recorded.returncode == 0, recorded.stdout
    assert sandbox.torchproof("publish").returncode == 0
    return sandbox


@pytest.fixture
def pages(original: Sandbox, tmp_path: Path) -> Sandbox:
    shutil.copytree(original.root, tmp_path / "copy")
    return Sandbox(tmp_path / "copy")


@pytest.fixture(scope="module")
def page(original: Sandbox) -> str:
    built = original.mkdocs("--strict")
    assert built.returncode == 0, built.stderr
    return (original.root / "site/learn/topic/index.html").read_text()


def block(page: str, name: str) -> str:
    return blocks_of(page)[f"snippets.topic.{name}"]


def test_every_directive_is_one_element(page: str) -> None:
    assert re.findall(r'data-snippet="snippets\.topic\.(\w+)"', page) == [
        "demo",
        "draws",
        "raises",
        "on_cpu",
        "measures",
        "Shape",
    ]
    assert "::: snippets.topic.inside_a_fence" in page


def test_the_code_of_a_block_is_the_whole_program(page: str, original: Sandbox) -> None:
    for name in ("demo", "draws", "raises", "on_cpu", "measures", "Shape"):
        program = original.torchproof("program", f"snippets.topic.{name}").stdout
        text = block(page, name)
        assert "".join(parts_of(text)) == program
        assert f"Copy program ({program.count(chr(10))} line" in text
        assert (original.root / f"site/programs/topic/{name}.py").read_text() == program
        assert f'href="../../programs/topic/{name}.py"' in text
        assert 'href="../../programs/topic.py"' in text
    assert (original.root / "site/programs/topic.py").read_text() == (original.root / "snippets/topic.py").read_text()


def test_what_a_demo_does_not_show_is_folded(page: str) -> None:
    text = block(page, "demo")
    folded, shown = parts_of(text)
    assert text.index("<details") < text.index("class Shape") < text.index("</details>")
    assert folded.startswith("SIZE = 3\n\n\nclass Shape:")
    assert folded.endswith("\n\n\n")
    assert shown.startswith("name = ")
    assert "The program starts with 7 more lines" in text
    assert "tp-more" not in block(page, "raises")


def test_output_is_escaped(page: str) -> None:
    text = block(page, "demo")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text
    assert "ValueError: &lt;bad&gt;" in block(page, "raises")
    assert "before" in block(page, "raises")


def test_figures_have_alt_text(page: str) -> None:
    assert 'role="img" aria-label="A line that &quot;rises&quot; from 1 to 2"' in block(page, "draws")


def test_a_highlight_marks_the_line_that_holds_the_text(page: str) -> None:
    (marked,) = re.findall(r'<span class="hll">(.*?)</span>\n?(?=<|$)', block(page, "demo"), re.DOTALL)
    assert "print" in re.sub(r"<[^>]+>", "", marked)


def test_notes_are_numbered_by_line_and_name_their_code(page: str) -> None:
    text = block(page, "demo")
    notes = re.findall(r"<li>(.*?)</li>", text)
    assert notes == [
        "<code>&lt;b&gt;bold</code>: read as <code>text</code>, not as &lt;b&gt;",
        "<code>Shape.sides</code>: defined above",
    ]
    lines = re.findall(r'<code class="language-python"[^>]*>(.*?)</code>', text, re.DOTALL)[-1].split("\n")
    assert [re.findall(r'data-note="(\d)"', line) for line in lines[:3]] == [["1"], ["2"], []]
    # The numbers are no part of the code.
    assert parts_of(text)[-1].split("\n")[1] == "print(name, Shape.sides)"


def test_a_block_says_where_it_ran(page: str) -> None:
    version = r"CPU torch \d+\.\d+\.\d+"
    assert re.search(version, block(page, "demo"))
    assert "Not yet run on a GPU" in block(page, "demo")
    assert "CPU only: it is about the CPU&#x27;s memory" in block(page, "on_cpu")
    assert "Measured on " in block(page, "measures")
    assert "Measured on " not in block(page, "demo")


def change_page(old: str, new: str) -> object:
    return lambda s: s.write("docs/learn/topic.md", PAGE.replace(old, new))


def change_module(old: str, new: str) -> object:
    return lambda s: s.write("snippets/topic.py", MODULE.replace(old, new))


RECORD = "docs/records/cpu/topic.json"
BROKEN = {
    "unknown snippet": (
        change_page("topic.demo", "topic.demi"),
        7,
        "there is no snippet snippets.topic.demi",
        "did you mean snippets.topic.demo",
    ),
    "stale record": (
        change_module("SIZE = 3", "SIZE = 4"),
        7,
        "the record of snippets.topic.demo is stale",
        "pytest snippets/topic.py::demo --record",
    ),
    "missing record": (
        lambda s: (s.root / RECORD).unlink(),
        7,
        "snippets.topic.demo has no record on the cpu",
        "pytest snippets/topic.py::demo --record",
    ),
    "damaged record": (
        lambda s: (s.root / RECORD).write_text("{"),
        7,
        "the record is not valid JSON",
        "pytest snippets/topic.py --record",
    ),
    "lost figure": (
        lambda s: next(s.root.glob("docs/records/cpu/topic/*.svg")).unlink(),
        14,
        "a recorded figure is missing",
        "--record",
    ),
    "failed": (
        change_module("@pytest.mark.raises(ValueError)\n", ""),
        17,
        "one says that it raises, the other does not",
        "--record",
    ),
    "no alt text": (
        change_page('    alt: A line that "rises" from 1 to 2\n', ""),
        14,
        "draws 1 figures and the block has 0 alt texts",
        "alt:",
    ),
    "highlight nowhere": (change_page("highlight: print(name", "highlight: print(nam3"), 7, "occurs nowhere", "occurs once"),
    "highlight twice": (change_page("highlight: print(name", "highlight: name"), 7, "occurs 3 times", "occurs once"),
    "note nowhere": (change_page("note: Shape.sides", "note: Shape.side5"), 7, "the text to annotate", "occurs once"),
    "note of nothing": (change_page("Shape.sides => ", ""), 7, "says not what it is about", "note: code of the block => words"),
    "unknown option": (
        change_page("highlight: print(name", "hide: all"),
        7,
        "'hide: all' is no option of a block",
        "use alt or highlight or note",
    ),
    "fenced python": (change_page("```text", "```python"), 30, "a fenced Python block", "write the code as a demo"),
    "fenced with options": (
        change_page("```text", '``` { .py title="x" }'),
        30,
        "a fenced Python block",
        "write the code as a demo",
    ),
    "name found nowhere": (
        change_module("print(name, Shape", "print(nome, Shape"),
        7,
        "the name nome is found nowhere",
        "import or define it",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_stops_the_strict_build_with_line_and_remedy(case: str, pages: Sandbox) -> None:
    damage, line, what, remedy = BROKEN[case]
    damage(pages)  # type: ignore[operator]
    strict = pages.mkdocs("--strict")
    assert strict.returncode == 1
    assert f"docs/learn/topic.md:{line}: " in strict.stderr
    assert what in strict.stderr
    assert remedy in strict.stderr
    assert "Traceback" not in strict.stderr
    assert (
        not (pages.root / "site/learn/topic/index.html").exists()
        or "tp-problem" in (pages.root / "site/learn/topic/index.html").read_text()
    )
    # While writing, the page shows the same in place of the block.
    assert pages.mkdocs().returncode == 0
    page = (pages.root / "site/learn/topic/index.html").read_text()
    assert what in html.unescape(page)
    assert "This block cannot be shown" in page
    checked = pages.torchproof("check")
    assert checked.returncode == 1
    assert what in checked.stdout
    assert "Traceback" not in checked.stderr


def test_works_in_any_markdown_host(original: Sandbox) -> None:
    host = Markdown(
        extensions=["torchproof.extension"], extension_configs={"torchproof.extension": {"root": str(original.root)}}
    )
    rendered = host.convert("Text.\n\n::: snippets.topic.demo\n\nMore.")
    assert 'data-snippet="snippets.topic.demo"' in rendered
    assert 'href="/programs/topic/demo.py"' in rendered
    assert rendered.startswith("<p>Text.</p>")
    assert rendered.endswith("<p>More.</p>")


def test_the_source_is_linked_where_the_repository_is_known(original: Sandbox) -> None:
    settings = {"root": str(original.root), "repository": "https://git.example/torchproof/"}
    host = Markdown(extensions=["torchproof.extension"], extension_configs={"torchproof.extension": settings})
    line = MODULE[: MODULE.index("def demo")].lstrip("\n").count("\n") + 1
    assert f"https://git.example/torchproof/blob/main/snippets/topic.py#L{line}" in host.convert("::: snippets.topic.demo")


def test_a_formula_becomes_mathml_and_a_bad_one_is_named(pages: Sandbox) -> None:
    config = (pages.root / "mkdocs.yml").read_text()
    pages.write("mkdocs.yml", config + "  - pymdownx.arithmatex:\n      generic: true\n  - torchproof.math\n")
    pages.write("docs/index.md", "# Home\n\nThe mean \\(\\frac{1}{n}\\).\n")
    assert pages.mkdocs("--strict").returncode == 0
    assert "<mfrac>" in (pages.root / "site/index.html").read_text()
    pages.write("docs/index.md", "# Home\n\nThe mean \\(\\frac\\).\n")
    failed = pages.mkdocs("--strict")
    assert failed.returncode == 1
    assert "cannot be read" in failed.stderr


def test_check_names_what_nobody_shows_and_what_belongs_to_nothing(pages: Sandbox) -> None:
    assert pages.torchproof("check").stdout == "cpu: 6 fresh\n"
    pages.write(
        "docs/learn/topic.md", PAGE.replace("::: snippets.topic.raises\n", "").replace("::: snippets.topic.Shape\n", "")
    )
    shutil.copy(pages.root / RECORD, pages.root / "docs/records/cpu/gone.json")
    record = json.loads((pages.root / RECORD).read_text())
    record["snippets"]["forgotten"] = record["snippets"]["demo"]
    (pages.root / RECORD).write_text(json.dumps(record))
    (pages.root / "docs/records/cpu/topic/stray.svg").write_text("<svg/>")
    checked = pages.torchproof("check")
    assert checked.returncode == 1
    assert "no page shows snippets.topic.raises" in checked.stdout
    assert "topic.Shape" not in checked.stdout
    assert "the record gone.json is of no snippet module" in checked.stdout
    assert "the record of topic.forgotten is of no snippet" in checked.stdout
    assert "stray.svg:1: the figure belongs to no record" in checked.stdout
    pages.write("snippets/topic.py", MODULE.replace("Shape.sides", "SIZE"))
    assert "nothing uses snippets.topic.Shape" in pages.torchproof("check").stdout


def test_publishing_removes_what_is_no_more(pages: Sandbox) -> None:
    stray = pages.write("docs/programs/topic/old.py", "print(1)\n")
    assert pages.torchproof("publish").stdout == "6 programs in docs/programs/\n"
    assert not stray.exists()


def test_a_wrong_place_is_a_clear_error(tmp_path: Path) -> None:
    failed = Sandbox(tmp_path).torchproof("check")
    assert failed.returncode == 2
    assert "holds no snippets/" in failed.stderr


def test_code_has_one_element_for_each_run_of_a_color() -> None:
    shown = code_html('total = sum(x for x in [1, 2])  # of "two"\nprint("a" "b", f"{total!r}")\n')
    assert re.findall(r'<span class="(\w+)">(.*?)</span>', shown.replace("&quot;", '"')) == [
        ("nb", "sum"),
        ("k", "for"),
        ("m", "1"),
        ("m", "2"),
        ("c", '# of "two"'),
        ("nb", "print"),
        ("s", '"a"'),
        ("s", '"b"'),
        ("s", '"{'),
        ("s", '!r}"'),
    ]


def test_a_figure_draws_the_same_with_fewer_elements() -> None:
    recorded = sorted((REPOSITORY / "docs/records/cpu").rglob("*.svg"))[::10]
    assert len(recorded) > 3
    for path in recorded:
        before = parseString(path.read_text()).documentElement
        after = parseString(picture(path.read_text(), "A figure")).documentElement
        for name in ("path", "use", "text", "tspan", "image", "clipPath"):
            told = [[e.getAttribute("d"), e.getAttribute("style"), text_in(e)] for e in before.getElementsByTagName(name)]
            assert told == [
                [e.getAttribute("d"), e.getAttribute("style"), text_in(e)] for e in after.getElementsByTagName(name)
            ]
        assert len(after.getElementsByTagName("*")) < len(before.getElementsByTagName("*"))


def text_in(element: Any) -> str:
    return "".join(node.data for node in element.childNodes if node.nodeType == node.TEXT_NODE).strip()
