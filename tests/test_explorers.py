"""What every explorer promises, found wherever a page has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PLACES = [
    (page.relative_to(DOCS).with_suffix("").as_posix() + "/", tag)
    for page in sorted(DOCS.rglob("*.md"))
    for tag in re.findall(r"<(fig-[a-z-]+) data-explorer", page.read_text(encoding="utf-8"))
]
every_explorer = pytest.mark.parametrize(("address", "tag"), PLACES)


def reach(page: Any, tag: str) -> Any:
    """Scroll to an explorer, as a reader does, and wait until it is there."""
    explorer = page.locator(tag)
    explorer.scroll_into_view_if_needed()
    explorer.locator("output").first.wait_for()
    return explorer


@every_explorer
def test_an_explorer_is_small(address: str, tag: str) -> None:
    source = DOCS / "assets" / "explorers" / (tag.removeprefix("fig-") + ".js")
    assert source.stat().st_size < 12_000


@every_explorer
def test_it_takes_its_place_without_moving_anything_and_asks_no_other_host(
    browser: Any, site_url: str, address: str, tag: str
) -> None:
    for width in (1280, 360):
        page = browser.new_page(viewport={"width": width, "height": 800})
        asked, errors = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("pageerror", lambda error, errors=errors: errors.append(error))
        page.goto(site_url + address)
        assert not page.locator(tag).evaluate("e => Boolean(e.shadowRoot)"), "it is fetched when it comes near"
        before = page.locator(tag).bounding_box()["height"]
        explorer = reach(page, tag)
        box = explorer.bounding_box()
        assert box["height"] == before
        # It stays as it is whatever is done in it.
        for number in range(4):
            explorer.get_by_role("button").nth(number).click()
        assert explorer.bounding_box()["height"] == box["height"]
        assert not errors
        assert all(url.startswith(site_url) for url in asked)
        page.close()


@every_explorer
def test_it_starts_again_after_an_instant_navigation(browser: Any, site_url: str, address: str, tag: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url)
    page.evaluate("window.same = true")
    link = page.locator(f'a[href$="{address}"]').first
    link.evaluate("link => link.click()")
    # The address names the section in view too.
    page.wait_for_url(f"**/{address}**")
    said = reach(page, tag).locator("output").first.inner_text()
    page.go_back()
    page.wait_for_url(site_url)
    page.wait_for_function("tag => !document.querySelector(tag)", arg=tag)
    page.go_forward()
    page.wait_for_url(f"**/{address}**")
    page.wait_for_function("tag => document.querySelector(tag)", arg=tag)
    assert reach(page, tag).locator("output").first.inner_text() == said
    assert page.evaluate("window.same"), "the page was loaded anew, so nothing was tested"
    page.close()


@every_explorer
def test_it_starts_from_a_disk_and_leaves_no_names_behind(
    browser: Any, site: Path, site_url: str, address: str, tag: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said = []
    for start in (site_url + address, (site / address / "index.html").as_uri()):
        page.goto(start)
        page.evaluate("window.before = Object.getOwnPropertyNames(window)")
        explorer = reach(page, tag)
        explorer.get_by_role("button").nth(1).click()
        said.append(explorer.locator("output").all_inner_texts())
        assert page.evaluate("Object.getOwnPropertyNames(window).filter(name => !before.includes(name))") == ["before"]
    assert said[0] == said[1] and all(said[0])
    page.close()


@every_explorer
def test_without_scripts_words_and_a_recorded_figure_stand_there(browser: Any, site_url: str, address: str, tag: str) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(site_url + address)
    words = page.locator(f"{tag} > p")
    assert "needs JavaScript" in words.inner_text()
    # No hole is left where the explorer would be.
    assert page.locator(tag).bounding_box()["height"] < 3 * words.bounding_box()["height"]
    assert page.locator(f".tp-block:has(svg):above({tag})").first.is_visible()
    page.close()


@every_explorer
def test_every_control_has_a_name_that_holds_its_text(browser: Any, site_url: str, address: str, tag: str) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 700})
    page.goto(site_url + address)
    explorer = reach(page, tag)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    outside = explorer.evaluate(
        """e => [...e.shadowRoot.querySelectorAll("button, input, select")].filter((control) => {
            const label = control.getAttribute("aria-label");
            const text = control.textContent.trim();
            return !(label ? label.includes(text) : text || control.labels?.length);
        }).map((control) => control.outerHTML)"""
    )
    assert outside == []
    assert explorer.locator('output[aria-live="polite"]').count() >= 1
    page.close()
