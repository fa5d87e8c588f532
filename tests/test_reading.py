"""How the site reads in a browser: every page's requests, weight and stillness; search, palette, tables; without a server."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

# Bytes of a chapter with everything it loads, compressed, nothing of it in a cache.
HEAVIEST = 350_000
# Adds up every movement of the layout which no touch explains.
_SHIFTS = (
    "window.shifted = 0; new PerformanceObserver(list => { for (const entry of list.getEntries()) "
    "if (!entry.hadRecentInput) window.shifted += entry.value }).observe({ type: 'layout-shift', buffered: true })"
)


@dataclass
class Visit:
    """What happened while a page was open."""

    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    shifted: float = 0.0


@pytest.fixture(scope="module")
def visits(browser: Any, site: Path, site_url: str) -> dict[str, Visit]:
    """Every page of the sitemap, and the one for wrong addresses, opened on a phone from an empty cache."""
    paths = [urlparse(url).path.lstrip("/") for url in re.findall(r"<loc>([^<]+)</loc>", (site / "sitemap.xml").read_text())]
    found = {}
    for path in [*paths, "404.html"]:
        visit = found[path] = Visit()
        context = browser.new_context(viewport={"width": 360, "height": 640})
        context.add_init_script(_SHIFTS)
        page = context.new_page()
        page.on("request", lambda request, visit=visit: visit.requests.append(request.url))
        page.on("requestfailed", lambda request, visit=visit: visit.failures.append(request.url))
        page.on("response", lambda answer, visit=visit: answer.ok or visit.failures.append(f"{answer.status} {answer.url}"))
        page.on("pageerror", lambda error, visit=visit: visit.failures.append(str(error)))
        page.goto(site_url + path, wait_until="networkidle")
        visit.shifted = page.evaluate("window.shifted")
        context.close()
    return found


def test_no_page_asks_another_host_for_anything(visits: dict[str, Visit], site_url: str) -> None:
    assert len(visits) > 20
    for path, visit in visits.items():
        foreign = [url for url in visit.requests if not url.startswith((site_url, "data:", "blob:"))]
        assert not foreign, f"{path}: {foreign}"
        assert not visit.failures, f"{path}: {visit.failures}"


def test_every_chapter_is_light_and_does_not_wait_for_the_search_index(
    visits: dict[str, Visit], site: Path, site_url: str
) -> None:
    chapters = {path: visit for path, visit in visits.items() if path.startswith("learn/")}
    assert len(chapters) > 15
    for path, visit in chapters.items():
        assert not [url for url in visit.requests if "search_index" in url], path
        weight = 0
        for url in {url for url in visit.requests if url.startswith(site_url)}:
            file = site / unquote(urlparse(url).path.lstrip("/"))
            weight += len(gzip.compress((file / "index.html" if file.is_dir() else file).read_bytes()))
        assert weight <= HEAVIEST, f"{path} weighs {weight:,} bytes"


def test_no_page_moves_while_it_loads(visits: dict[str, Visit]) -> None:
    assert {path: visit.shifted for path, visit in visits.items() if visit.shifted > 0.01} == {}


@pytest.mark.parametrize("width", [1280, 360])
def test_a_link_to_a_block_leads_there_though_what_is_above_it_was_not_laid_out(
    browser: Any, site_url: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{site_url}learn/autograd/#autograd.per_sample_gradients", wait_until="networkidle")
    page.wait_for_function("""() => {
      const blocks = [...document.querySelectorAll(".tp-block:not(details *)")];
      const laidOut = blocks.map((e) => e.firstElementChild.checkVisibility({ contentVisibilityAuto: true }));
      return !laidOut[0] && laidOut.some(Boolean);
    }""")
    header = page.locator(".md-header").bounding_box()["height"]
    top = "document.getElementById('autograd.per_sample_gradients').getBoundingClientRect().top"
    assert header <= page.evaluate(top) <= header + 40
    # The reader is free to go on.
    page.mouse.wheel(0, -2000)
    page.wait_for_function(f"{top} > 1500")
    page.close()


@pytest.fixture
def page(browser: Any, site_url: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=site_url)
    yield context.new_page()
    context.close()


def search(page: Any, query: str, place: str) -> None:
    """Type a query and wait until the first hit leads to a place; the first link of a hit is its page, the next its best section."""
    field = page.get_by_role("textbox", name="Search")
    field.fill(query)
    field.press("Shift")
    hits = (
        "[...document.querySelectorAll('.md-search-result__link')].slice(0, 2).map(link => link.href.replace(/[?]h=[^#]*/, ''))"
    )
    try:
        page.wait_for_function(f"place => {hits}.some(address => address.includes(place))", arg=place, timeout=10_000)
    except Exception:
        pytest.fail(f"{query!r} should lead to {place}, and leads to {page.evaluate(hits)}")


FOUND = {
    "as_strided": "learn/storage/#any-header-you-like-as_strided",
    "torch.as_strided": "learn/storage/#any-header-you-like-as_strided",
    "zero_grad": "learn/autograd/#what-zero_grad-leaves",
    "register_buffer": "learn/modules/#parameters-buffers-and-the-state-dict",
    "channels_last": "learn/storage/#channels-last",
    "OneCycleLR": "learn/schedulers/#",
    "view size is not compatible with input tensor's size and stride": "errors/#view-size-is-not-compatible",
    "RuntimeError: Trying to backward through the graph a second time": "errors/#trying-to-backward-through-the-graph",
    "The size of tensor a (3) must match the size of tensor b (7) at non-singleton dimension 2": "errors/#the-size-of-tensor-a",
    "zero_grad writes zeros": "claims/#zero_grad-writes-zeros",
    "reshape always shares memory": "claims/#reshape-always-shares-memory",
}


def test_search_finds_names_errors_and_claims(page: Any) -> None:
    page.goto("learn/tensors/")
    page.keyboard.press("/")
    for query, place in FOUND.items():
        search(page, query, place)


def test_the_palette_follows_the_reader_through_the_pages(page: Any) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("")
    scheme = "document.body.getAttribute('data-md-color-scheme')"
    assert page.evaluate(scheme) == "default"
    page.get_by_title("Switch to dark mode").click()
    page.wait_for_function(f"{scheme} === 'slate'")
    page.get_by_role("article").get_by_role("link", name="Storage").first.click()
    page.wait_for_url("**/learn/storage/")
    assert page.evaluate(scheme) == "slate"
    page.reload()
    assert page.evaluate(scheme) == "slate"


def test_the_palette_is_that_of_the_system_until_the_reader_chooses(page: Any) -> None:
    scheme = "document.body.getAttribute('data-md-color-scheme')"
    page.emulate_media(color_scheme="dark")
    page.goto("learn/storage/")
    assert page.evaluate(scheme) == "slate"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{scheme} === 'default'")
    dark, light = page.get_by_title("Switch to dark mode"), page.get_by_title("Switch to light mode")
    dark.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(scheme) == "slate"
    assert light.evaluate("e => e === document.activeElement") and not dark.is_visible()
    page.emulate_media(color_scheme="dark")
    page.keyboard.press("Enter")
    assert page.evaluate(scheme) == "default"
    page.reload()
    assert page.evaluate(scheme) == "default"


def test_a_page_printed_from_a_dark_screen_is_dark_on_white(page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("learn/storage/")
    light = (
        "(name, key) => getComputedStyle(document.querySelector(name))[key].match(/[0-9.]+/g).slice(0, 3).every(c => c > 200)"
    )
    assert not page.evaluate(f"({light})('.tp-head', 'backgroundColor')")
    page.emulate_media(media="print")
    for name in (".tp-head", ".tp-output"):
        page.wait_for_function(f"({light})('{name}', 'backgroundColor') && !({light})('{name}', 'color')")


def test_the_table_of_runs_is_sorted_and_filtered_by_keyboard_after_an_instant_navigation(page: Any) -> None:
    # Without its list of pages the theme loads a page anew.
    page.goto("", wait_until="networkidle")
    page.evaluate("window.still = true")
    page.get_by_role("article").get_by_role("link", name="The evidence").click()
    page.wait_for_url("**/evidence/")
    assert page.evaluate("window.still"), "the page was loaded anew"
    head = page.get_by_role("columnheader", name="Seconds")
    head.get_by_role("button").focus()
    seconds = "[...document.querySelectorAll('.tp-runs tbody tr:not([hidden]) td:nth-child(5)')].map(td => +td.textContent)"
    for order, reverse in (("ascending", False), ("descending", True)):
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        values = page.evaluate(seconds)
        assert values == sorted(values, reverse=reverse) and len(values) > 500

    page.get_by_label("Words").focus()
    page.keyboard.type("storage view")
    names = page.locator(".tp-runs tbody tr:not([hidden]) td:first-child").all_inner_texts()
    assert "storage.transpose_is_a_view" in names
    told = page.locator(".tp-filter output").inner_text()
    assert told.startswith(f"{len(names)} of ") and told.endswith(" runs")
    page.get_by_label("Kind").select_option("measurement")
    assert page.locator(".tp-runs tbody tr:not([hidden])").count() < len(names)
    page.keyboard.press("Escape")
    page.get_by_label("Words").fill("no such block")
    assert page.locator(".tp-filter output").inner_text().startswith("0 of ")


def test_without_scripts_the_evidence_is_a_plain_table(browser: Any, site_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site_url + "evidence/")
    assert page.locator(".tp-runs tbody tr").count() > 500
    assert page.locator(".tp-runs tbody tr").first.is_visible()
    assert not page.locator(".tp-filter").is_visible()
    context.close()


def test_a_wrong_address_is_answered_with_a_way_on(page: Any) -> None:
    page.goto("404.html")
    assert page.get_by_role("heading", level=1).inner_text() == "This page does not exist"
    page.get_by_role("article").get_by_role("link", name="the list of all chapters").click()
    page.get_by_role("heading", level=1).filter(has_text="Learn PyTorch").wait_for()


def test_the_site_can_be_read_from_a_disk(browser: Any, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or problems.append(request.url))
    page.goto(site.as_uri() + "/index.html")
    page.get_by_role("article").get_by_role("link", name="Storage").first.click()
    page.wait_for_url("**/learn/storage/index.html")
    page.keyboard.press("/")
    search(page, "zero_grad", "learn/autograd/#what-zero_grad-leaves")
    page.locator(".md-search-result__link", has_text="zero_grad").first.click()
    page.wait_for_url("**/learn/autograd/index.html**")
    page.goto((site / "evidence/index.html").as_uri())
    page.get_by_label("Words").fill("storage.four_views")
    assert re.match(r"[12] of ", page.locator(".tp-filter output").inner_text())
    assert problems == []
    context.close()
