"""The site in a real browser."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conftest import REPOSITORY
from tests.standalone import run_alone
from torchproof.compare import same_output
from torchproof.project import Project


def test_every_copy_button_of_the_storage_page_gives_a_program_that_prints_what_the_page_shows(
    browser: Any, site_url: str
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(site_url + "learn/storage/")
    copied: dict[str, tuple[str, str]] = {}
    for block in page.locator(".tp-block").all():
        # A block may stand in a folded solution, as it does for the reader who unfolds it.
        block.evaluate("e => { for (let d = e.closest('details'); d; d = d.parentElement.closest('details')) d.open = true }")
        page.evaluate("navigator.clipboard.writeText('nothing was copied')")
        block.locator("button.tp-copy").click()
        page.wait_for_function("navigator.clipboard.readText().then(t => t !== 'nothing was copied')")
        name = block.get_attribute("data-snippet")
        shown = block.locator("samp")
        text = page.evaluate("navigator.clipboard.readText()")
        lines = re.search(r"\((\d+) line", block.locator("button.tp-copy").inner_text())
        assert lines is not None
        assert int(lines[1]) == text.count("\n")
        copied[name] = (text, shown.inner_text() if shown.count() else "")
    context.close()
    assert len(copied) >= 12
    catalog = Project(REPOSITORY).catalog
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = dict(zip(copied, pool.map(lambda item: run_alone(item[0]), copied.values()), strict=True))
    for name, ran in runs.items():
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        if "measurement" not in catalog.find(name).marks:
            assert same_output(copied[name][1].rstrip("\n"), ran.stdout.rstrip("\n")), f"{name}: {ran.stdout}"


def test_copying_works_after_an_instant_navigation(browser: Any, site_url: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(site_url)
    page.get_by_role("article").get_by_role("link", name="Storage").first.click()
    page.wait_for_url("**/learn/storage/")
    button = page.locator("button.tp-copy").first
    button.wait_for()
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText().then(t => t !== 'nothing was copied')")
    assert page.evaluate("navigator.clipboard.readText()") == button.get_attribute("data-clipboard-text")
    context.close()


def test_no_page_scrolls_sideways_on_a_phone(browser: Any, site_url: str) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 700})
    for address in ("", "learn/tensors/", "learn/storage/"):
        page.goto(site_url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
    page.close()
