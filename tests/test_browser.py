"""The site in a real browser."""

from __future__ import annotations

import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from tests.blocks import blocks_of, parts_of
from tests.conftest import REPOSITORY
from tests.standalone import excuse, run_alone
from torchproof.compare import same_output
from torchproof.project import Project

SAMPLE = 40


def sample(site: Path, project: Project) -> dict[str, list[str]]:
    """Names of snippets on each page, forty in all, from every page that has one which can run here."""
    shuffled = random.Random(0)
    found: dict[str, list[str]] = {}
    for page in sorted(site.rglob("*.html")):
        names = [
            name
            for name in blocks_of(page.read_text())
            if not excuse(project.catalog.find(name)) and "slow" not in project.catalog.find(name).marks
        ]
        if names:
            found[page.relative_to(site).as_posix()] = shuffled.sample(names, len(names))
    # One of each page, then a second of each, until there are forty.
    turns = zip_longest(*([(page, name) for name in names] for page, names in found.items()))
    chosen = [pair for pair in chain.from_iterable(turns) if pair][: max(SAMPLE, len(found))]
    return {page: [name for other, name in chosen if other == page] for page in found}


def copied_from(page: Any, name: str) -> tuple[str, str]:
    """What the copy button of a block puts on the clipboard, and the output that the block shows."""
    block = page.locator(f'[data-snippet="{name}"]').first
    # A block may stand in a folded solution, as it does for the reader who unfolds it.
    block.evaluate("e => { for (let d = e.closest('details'); d; d = d.parentElement.closest('details')) d.open = true }")
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    button = block.locator("button.tp-copy")
    button.click()
    page.wait_for_function("navigator.clipboard.readText().then(t => t !== 'nothing was copied')")
    text = page.evaluate("navigator.clipboard.readText()")
    lines = re.search(r"\((\d+) line", button.inner_text())
    assert lines is not None
    assert int(lines[1]) == text.count("\n")
    shown = block.locator("samp").first
    return text, shown.text_content() if shown.count() else ""


def test_forty_programs_copied_from_all_pages_print_alone_what_the_pages_show(browser: Any, site: Path, site_url: str) -> None:
    project = Project(REPOSITORY)
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    copied = {}
    for address, names in sample(site, project).items():
        page.goto(site_url + address)
        for name in names:
            copied[name] = copied_from(page, name)
    context.close()
    assert len(copied) >= SAMPLE
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = dict(zip(copied, pool.map(lambda item: run_alone(item[0]), copied.values()), strict=True))
    for name, ran in runs.items():
        text, shown = copied[name]
        snippet = project.catalog.find(name)
        assert text == project.program(snippet).source
        assert (ran.returncode != 0) == ("raises" in snippet.marks), f"{name}: {ran.stderr}"
        printed = ran.stdout.rstrip("\n")
        if "raises" in snippet.marks:
            assert shown.startswith(printed), name
        elif "measurement" not in snippet.marks:
            assert same_output(shown.rstrip("\n"), printed), f"{name}: {ran.stdout}"


def test_blocks_work_after_an_instant_navigation(browser: Any, site: Path, site_url: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    # The theme asks for the sitemap first: before it has it, a link is followed as on any site.
    page.goto(site_url, wait_until="networkidle")
    page.evaluate("window.stays = true")
    page.get_by_role("article").get_by_role("link", name="Storage").first.click()
    page.wait_for_url("**/learn/storage/")
    button = page.locator("[data-snippet='snippets.storage.transpose_is_a_view'] button.tp-copy")
    button.wait_for()
    assert page.evaluate("window.stays"), "the page was loaded anew"
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText().then(t => t !== 'nothing was copied')")
    blocks = blocks_of((site / "learn/storage/index.html").read_text())
    expected = "".join(parts_of(blocks["snippets.storage.transpose_is_a_view"]))
    assert page.evaluate("navigator.clipboard.readText()") == expected
    assert page.get_by_role("status").filter(has_text="Copied").count() == 1
    context.close()
