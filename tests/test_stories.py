"""The tutorials in the built site: pages, notebooks to download, cards and search."""

from __future__ import annotations

import gzip
import json
import re
from html import unescape
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from torchproof.project import Project
from torchproof.story import Story, story
from torchproof.tutorial import tutorials

STORIES = [tutorial.name for tutorial in tutorials(Project(REPOSITORY))]


@pytest.fixture(scope="module")
def stories() -> dict[str, Story]:
    return {tutorial.name: story(tutorial) for tutorial in tutorials(Project(REPOSITORY))}


@pytest.mark.parametrize("name", STORIES)
def test_a_page_holds_every_cell_and_nothing_of_jupyter(name: str, site: Path, stories: dict[str, Story]) -> None:
    page = (site / "tutorials" / name / "index.html").read_text()
    article = page[page.index("<article") : page.index("</article>")]
    assert not re.search(r"<style|<script|jp-|highlight-ipynb|clipboard-copy|In \[", article)
    shown = [
        unescape(re.sub(r"<[^>]+>", "", c))
        for c in re.findall(r'<code class="language-python"[^>]*>(.*?)</code>', article, re.DOTALL)
    ]
    cells = [cell for cell in stories[name].notebook["cells"] if cell["cell_type"] == "code"]
    assert [code.strip() for code in shown] == [cell["source"].strip() for cell in cells]
    # The final picture is shown a second time, where the story begins.
    assert article.count("<svg ") == len(stories[name].figures) + 1 == article.count('role="img"')
    assert article.count('xlink:href="#final-picture"') == article.count('id="final-picture"') == 1
    assert f'href="../{name}.ipynb"' in article
    assert stories[name].where in unescape(article)


@pytest.mark.parametrize("name", STORIES)
def test_the_table_of_contents_leads_to_every_heading(name: str, site: Path) -> None:
    page = (site / "tutorials" / name / "index.html").read_text()
    article = page[page.index("<article") : page.index("</article>")]
    headings = re.findall(r'<h2 id="([^"]+)"', article)
    listed = re.findall(r'<a href="#([^"]+)" class="md-nav__link"', page)
    assert headings
    assert set(headings) <= set(listed)
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_light(name: str, site: Path) -> None:
    page = (site / "tutorials" / name / "index.html").read_text()
    words = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert len(gzip.compress(words.encode())) <= 40_000


@pytest.mark.parametrize("name", STORIES)
def test_the_notebook_to_download_is_what_ran_and_its_links_lead_to_the_site(name: str, site: Path) -> None:
    committed = json.loads((REPOSITORY / "tutorials" / f"{name}.ipynb").read_text())
    published = json.loads((site / "tutorials" / f"{name}.ipynb").read_text())
    for ours, theirs in zip(committed["cells"], published["cells"], strict=True):
        if ours["cell_type"] == "code":
            assert ours == theirs
        for target in re.findall(r"\]\(([^)]+)\)", theirs["source"] if theirs["cell_type"] == "markdown" else ""):
            assert re.match(r"https?://", target), target


def test_the_gallery_shows_every_tutorial(site: Path, stories: dict[str, Story]) -> None:
    gallery = (site / "tutorials" / "index.html").read_text()
    for name, told in stories.items():
        card = re.search(rf'<a class="tp-card" href="[^"]*tutorials/{name}/">.*?</a>', gallery, re.DOTALL)
        assert card is not None
        assert told.where in unescape(card[0])
        picture = site / "tutorials" / name / "thumbnail.svg"
        assert picture.read_text().startswith("<svg ")
        assert "currentColor" not in picture.read_text()


def test_search_finds_the_text_of_a_tutorial_below_its_heading(site: Path, stories: dict[str, Story]) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    for name in stories:
        entries = [entry for entry in index["docs"] if entry["location"].partition("#")[0] == f"tutorials/{name}/"]
        assert len(entries) > 2
        assert entries[0]["location"] == f"tutorials/{name}/"
        assert all(entry["title"] and "¶" not in entry["title"] for entry in entries)
        assert any("<code>" in entry["text"] for entry in entries[1:])
        assert not any("In [" in entry["text"] or "{" in entry["title"] for entry in entries)
