"""A tutorial as the site shows it, from a handmade notebook: page, card, Markdown, download, and the cleaned page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.blocks import text_of
from tests.conftest import Sandbox
from tests.handmade import code_cell, drawn, notebook, printed, project_of, text_cell
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.publish import publish
from torchproof.story import Story, card, card_markdown, download, markdown, page, story, thumbnail
from torchproof.tutorial import tutorials
from torchproof.twin import fence
from torchproof.unwrap import finish_tutorials

SVG = '<svg width="20" viewBox="0 0 20.6 10"><path stroke="currentColor"/></svg>'
LAST = SVG.replace("20", "30")
FIRST = """\
# A [line](../docs/learn/lines.md) of `x`

What is
it, with `code` and [text](../docs/index.md)?

More $a_1$ and

$$
x^2
$$

Costs $5 and $6.

<div class="alert alert-info"><h4>Note</h4><p>Hm.</p></div>

`$not$`"""
MORE = "## More\n\nSee [web](https://a.b), [block](../docs/learn/lines.md#lines.line), [other](other.ipynb).\n"
CELLS = [
    text_cell(0, FIRST),
    code_cell(1, "line(1)\nline(2)", printed("a < b\n"), drawn(SVG), alt=('One "line"',)),
    text_cell(2, MORE),
    code_cell(3, "line(3)", drawn(SVG), drawn(LAST), alt=("Two", 'Thr"ee')),
    code_cell(4, "line(4)", {"output_type": "execute_result", "data": {"text/plain": ["7\n", "8"]}, "metadata": {}}),
]
WHERE = "Ran in 12 s on CPU A CPU, 1 thread, torch 2.15.0, Python 3.12.1"
FILES = {
    "snippets/lines.py": '"""L."""\n\n\ndef line(x):\n    """A line."""\n    return x\n',
    "tutorials/story.py": '"""\nT\n=\n\nQ\n"""\n\nfrom snippets.lines import line\n\nline(1)\n',
    "docs/learn/lines.md": "# L\n\n::: snippets.lines.line\n",
    "docs/index.md": "# H\n\n::: tutorials.story\n",
}


def told_by(root: Path, cells: list[dict[str, Any]], **more: Any) -> Story:
    project = notebook(project_of(root, FILES), "story", cells, **more)
    return story(tutorials(project)[0])


@pytest.fixture
def told(tmp_path: Path) -> Story:
    return told_by(tmp_path, CELLS)


def shown(told: Story) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(page(told))["cells"]
    return cells


def test_text_of_a_page_has_its_links_math_and_notes_as_html(told: Story) -> None:
    cells = shown(told)
    assert [cell["cell_type"] for cell in cells] == ["markdown"] * 5
    assert [cell["id"] for cell in cells] == ["id0", "id1", "id2", "id3", "id4"]
    assert cells[0]["source"] == (
        "# A [line](../../learn/lines/) of `x`\n\n"
        '<p class="tp-about" data-search-exclude><a class="md-button" href="../story.ipynb" download>Download notebook</a> '
        f"<small>{WHERE}</small></p>\n\nWhat is\nit, with `code` and [text](../../)?\n\nMore "
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><msub><mi>a</mi><mn>1</mn></msub></mrow></math> and\n\n'
        '<math tabindex="0" xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow>'
        '</math>\n\nCosts $5 and $6.\n\n<div class="admonition note"><p class="admonition-title">Note</p><p>Hm.</p></div>\n\n`$not$`\n\n'
        '<figure class="tp-promise" data-search-exclude><svg id="final-picture" role="img" aria-label="Thr&quot;ee" '
        'width="30" viewBox="0 0 30.6 10"><path stroke="currentColor"/></svg>'
        "<figcaption>What you will see at the end</figcaption></figure>"
    )
    assert cells[2]["source"] == (
        "## More\n\nSee [web](https://a.b), [block](../../learn/lines/#lines.line), [other](../../tutorials/other/).\n"
    )


def test_a_code_cell_is_one_line_of_html(told: Story) -> None:
    cells = [cell["source"] for cell in shown(told)]
    assert "\n" not in cells[1] + cells[3] + cells[4]
    assert [re.match('<div class="tp-block tp-cell" id="cell-(.*?)"', cells[n])[1] for n in (1, 3, 4)] == ["id1", "id3", "id4"]  # type: ignore[index]
    assert text_of(cells[1]) == "line(1)\nline(2)\nOutputa < b"
    assert re.findall('aria-label="(.*?)"', cells[1]) == ["One &quot;line&quot;"]
    assert text_of(cells[4]) == "line(4)\nOutput7\n8"
    # The picture at the end is drawn where the story begins.
    first, last = re.findall("<svg .*?</svg>", cells[3])
    assert "<path" in first and "final-picture" not in first + cells[1]
    assert last.endswith('viewBox="0 0 30.6 10"><use xlink:href="#final-picture" width="30.6" height="10"></use></svg>')
    assert 'aria-label="Thr&quot;ee"' in last


def test_a_story_without_figures_promises_none(tmp_path: Path) -> None:
    told = told_by(tmp_path, [text_cell(0, "# T\n\nWhat?"), code_cell(1, "line(1)", printed("1\n"))])
    assert shown(told)[0]["source"].endswith("</small></p>\n\nWhat?\n\n")
    assert thumbnail(told) == ""
    assert "<img" not in card(told, "")


def test_a_card_names_the_tutorial_and_shows_its_last_figure(told: Story) -> None:
    assert card(told, "../") == (
        '<a class="tp-card" href="../tutorials/story/"><span class="tp-thumbnail">'
        '<img src="../tutorials/story/thumbnail.svg" width="31" height="10" alt="" loading="lazy"></span>'
        '<span class="tp-card-text"><strong>A line of <code>x</code></strong> <span>What is it, with <code>code</code> and text?</span> '
        f"<small>{WHERE}</small></span></a>"
    )
    assert thumbnail(told) == LAST.replace("currentColor", "#808080")


def test_a_tutorial_as_markdown_has_code_output_and_words_for_figures(told: Story) -> None:
    assert card_markdown(told, "..").startswith("\n- [A [line]")
    assert f"(../tutorials/story/index.md): What is it, with `code` and [text](../docs/index.md)? {WHERE}.\n" in card_markdown(
        told, ".."
    )
    text = markdown(told, fence)
    assert text.startswith(
        "# A [line](../../learn/lines/index.md) of `x`\n\nWhat is\nit, with `code` and [text](../../index.md)?\n\nMore $a_1$"
    )
    assert text.endswith(
        '```python\nline(1)\nline(2)\n```\n\nOutput:\n\n```text\na < b\n```\n\nFigure: One "line"\n\n## More\n\n'
        "See [web](https://a.b), [block](../../learn/lines/index.md#lines.line), [other](../../tutorials/other/index.md).\n\n\n"
        '```python\nline(3)\n```\n\nFigure: Two\n\nFigure: Thr"ee\n\n```python\nline(4)\n```\n\nOutput:\n\n```text\n7\n8\n```\n\n'
        f"{WHERE}.\n"
    )


def test_a_notebook_to_download_leads_to_the_site(told: Story) -> None:
    cells = json.loads(download(told, "https://a.b/"))["cells"]
    assert cells[0]["source"] == FIRST.replace("../docs/learn/lines.md", "https://a.b/learn/lines/").replace(
        "../docs/index.md", "https://a.b/"
    )
    assert cells[2]["source"] == (
        "## More\n\nSee [web](https://a.b), [block](https://a.b/learn/lines/#lines.line), [other](https://a.b/tutorials/other/).\n"
    )
    assert [cells[n] for n in (1, 3, 4)] == [CELLS[n] for n in (1, 3, 4)]


def test_where_it_ran_counts_the_threads(tmp_path: Path) -> None:
    environment = {"device": "Fast & small", "threads": 4, "torch": "2.11.0", "python": "3.11.2"}
    told = told_by(tmp_path, CELLS, environment=environment, seconds=0.6)
    assert told.where == "Ran in 1 s on CPU Fast & small, 4 threads, torch 2.11.0, Python 3.11.2"
    assert "Fast &amp; small" in card(told, "")


@pytest.mark.parametrize("text", ["No title\n\nText.", "# Title\n\n", "## Title\n\nText."])
def test_a_story_starts_with_a_title_and_a_paragraph(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"story\.py:1: the tutorial does not start with a title and a paragraph\n.*start the docstring"
    ):
        told_by(tmp_path, [text_cell(0, text)])


def test_a_changed_script_makes_its_notebook_stale(told: Story) -> None:
    path = told.tutorial.path
    path.write_text(path.read_text() + "\nline(2)\n")
    with pytest.raises(Problem, match=r"story\.py:1: the notebook is stale.*\n    to fix: torchproof notebook story$"):
        story(tutorials(Project(path.parent.parent))[0])


def test_publishing_writes_pages_and_removes_what_is_no_more(told: Story) -> None:
    root = told.tutorial.path.parent.parent
    stray = Sandbox(root).write("docs/tutorials/gone/index.ipynb", "{}")
    assert publish(Project(root)) == (1, [])
    assert not stray.exists()
    folder = root / "docs/tutorials"
    assert (folder / "story/index.ipynb").read_text() == page(told)
    assert (folder / "story/thumbnail.svg").read_text() == thumbnail(told)
    assert (folder / "story.ipynb").read_text() == told.tutorial.notebook.read_text()


def test_publishing_says_what_cannot_be_shown(told: Story) -> None:
    root = told.tutorial.path.parent.parent
    assert publish(Project(root)) == (1, [])
    told.tutorial.path.write_text(FILES["tutorials/story.py"] + "x = 1\n")
    Sandbox(root).write(
        "snippets/lines.py", FILES["snippets/lines.py"] + '\n\ndef other():\n    """O."""\n    print(missing)\n'
    )
    count, problems = publish(Project(root))
    assert count == 1
    assert [problem.what for problem in problems] == [
        "the name missing is found nowhere",
        "a code cell holds imports from snippets and calls of what they name, nothing else",
    ]
    assert not (root / "docs/tutorials/story/index.ipynb").exists()


def wrapped(*cells: str) -> str:
    """What mkdocs-jupyter makes of the cells of a notebook."""
    inside = "".join(
        f'<div class="jp-Cell jp-MarkdownCell"> <div class="jp-Cell-inputWrapper" tabindex="0"> <div class="jp-Collapser jp-X"> </div> '
        f'<div class="jp-InputArea"><div class="jp-RenderedHTMLCommon jp-Y"> {cell} </div> </div> </div> </div>\n'
        for cell in cells
    )
    return (
        '<head><link rel="canonical" href="https://a.b/tutorials/story/"><meta name="description" content="old"></head>'
        '<article class="md-content"><style>p {}</style><p>before</p><div class="jupyter-wrapper"> <div class="jp-Notebook" x="1">'
        f"{inside}</div> <!-- jp-Notebook -->\n</div><script>1</script><p>after</p></article> end"
    )


@pytest.fixture
def built(told: Story) -> Path:
    root = told.tutorial.path.parent.parent
    site = root / "site"
    heading = '<h2 id="more">More<a class="anchor-link" href="#more">¶</a></h2>'
    cells = [
        '<h1 id="top">A line</h1>',
        "<p>code</p>",
        f'{heading}<a href="../../learn/lines/#lines.line">block</a>',
        "<p>3</p>",
        "<p>4</p>",
    ]
    Sandbox(site).write("tutorials/story/index.html", wrapped(*cells))
    Sandbox(site).write("learn/lines/index.html", '<p id="lines.line">')
    old = [{"location": "", "title": "H", "text": ""}, {"location": "tutorials/story/#x", "title": "In [1]:", "text": ""}]
    Sandbox(site).write("search/search_index.json", json.dumps({"docs": old}))
    return site


def finished(built: Path) -> list[str]:
    return finish_tutorials(Project(built.parent), built)


def test_the_page_of_a_tutorial_holds_nothing_of_jupyter(built: Path, told: Story) -> None:
    assert finished(built) == ["1 tutorials"]
    text = (built / "tutorials/story/index.html").read_text()
    assert text == (
        '<head><link rel="canonical" href="https://a.b/tutorials/story/"><meta name="description" content="What is it, with code and text?">'
        '</head><article class="md-content">\n<p>before</p>\n<h1 id="top">A line</h1>\n<p>code</p>\n<h2 id="more">More'
        '<a class="headerlink" href="#more" title="Permanent link">¶</a></h2><a href="../../learn/lines/#lines.line">block</a>\n'
        "<p>3</p>\n<p>4</p>\n<p>after</p>\n</article> end"
    )
    assert (built / "tutorials/story/index.md").read_text() == markdown(told, fence)
    assert (built / "tutorials/story.ipynb").read_text() == download(told, "https://a.b/")
    # What is clean stays as it is.
    assert finished(built) == ["1 tutorials"]
    assert (built / "tutorials/story/index.html").read_text() == text


def test_search_finds_a_cell_below_its_heading(built: Path) -> None:
    finished(built)
    assert json.loads((built / "search/search_index.json").read_text())["docs"] == [
        {"location": "", "title": "H", "text": ""},
        {"location": "tutorials/story/", "title": "A line", "text": "<p>code</p>"},
        {"location": "tutorials/story/#more", "title": "More", "text": "block <p>3</p> <p>4</p> <p>after</p>"},
    ]
    (built / "search/search_index.json").unlink()
    finished(built)
    assert not (built / "search/search_index.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("../../learn/lines/#lines.line", "../../learn/none/", "the link to ../../learn/none/ leads nowhere"),
        ("../../learn/lines/#lines.line", "../../../docs/index.md", "the link to ../../../docs/index.md leads nowhere"),
        ("#lines.line", "#lines.none", "the page ../../learn/lines/ has no place named lines.none"),
        ("../../learn/lines/#lines.line", "#none", "the page  has no place named none"),
        ("jp-InputArea", "jp-Other", "mkdocs-jupyter wraps cells in another way than torchproof/unwrap.py knows"),
        ("</div> </div> </div> </div>\n", "</div> </div>\n", "mkdocs-jupyter wraps cells in another way"),
        ('x="1">', 'x="1">lead', "mkdocs-jupyter wraps cells in another way"),
    ],
)
def test_a_broken_page_of_a_tutorial_is_named(old: str, new: str, message: str, built: Path) -> None:
    path = built / "tutorials/story/index.html"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(Problem, match=rf"story\.py:1: {re.escape(message)}"):
        finished(built)


def test_a_tutorial_without_a_page_is_named(built: Path) -> None:
    (built / "tutorials/story/index.html").unlink()
    with pytest.raises(Problem, match=r"story\.py:1: the site has no page of story\n    to fix: torchproof publish"):
        finished(built)


def test_without_an_address_the_notebook_leads_up(built: Path, told: Story) -> None:
    path = built / "tutorials/story/index.html"
    path.write_text(path.read_text().replace('<link rel="canonical"', "<link"))
    finished(built)
    assert (built / "tutorials/story.ipynb").read_text() == download(told, "../")


@pytest.mark.parametrize(
    ("summary", "described"),
    [
        ("One. " + "Two " * 30 + "is long. Three is " + "x " * 60 + "long.", "One. " + "Two " * 30 + "is long."),
        ("Word " * 50 + "is too long.", "Word " * 39 + "…"),
        ("Costs `$1`? " + "Yes! " * 10, "Costs 1? " + ("Yes! " * 10).strip()),
    ],
)
def test_a_description_holds_whole_sentences(summary: str, described: str, built: Path) -> None:
    project = notebook(Project(built.parent), "story", [text_cell(0, f"# T\n\n{summary}"), *CELLS[1:]])
    finish_tutorials(project, built)
    found = re.search(r'name="description" content="(.*?)"', (built / "tutorials/story/index.html").read_text())
    assert found is not None
    assert found[1] == described.strip()
