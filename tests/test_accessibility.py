"""Everybody can read every page: axe-core, contrast of code, narrow screens. One browser, every page of the site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCHEMES = ("default", "slate")
WIDTHS = (360, 1280)
# The pages that hold every kind of thing; the others are looked at in one combination each, in turn.
THOROUGH = ("index.html", "learn/tensors/index.html")
# Tokens of code and parts of figures are nine elements of ten. A figure is one image with an alternative text, and the
# contrast of code is computed below, once for each pair of colors. The rows of the table of runs are all alike.
PLAIN = """() => {
  for (const row of document.querySelectorAll(".tp-runs tr:nth-child(n + 20), .tp-which a:nth-of-type(n + 10)")) row.remove();
  for (const code of document.querySelectorAll("pre > code")) code.textContent = code.textContent;
  for (const figure of document.querySelectorAll("svg[role=img]")) figure.replaceChildren();
}"""
AXE = "axe.run({resultTypes: ['violations']})"
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const ground = (e) => {
    const color = e ? parse(getComputedStyle(e).backgroundColor) : [255, 255, 255];
    return color.length < 4 ? color : color[3] === 0 ? ground(e.parentElement) : over(color, ground(e.parentElement));
  };
  const light = (color) => {
    const [r, g, b] = color.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratios = {};
  for (const e of document.querySelectorAll(".tp-block pre > *, .tp-block pre > * *")) {
    const name = `${e.localName}.${e.className}${e.closest(".hll") ? " highlighted" : ""}`;
    // The theme's own button is an icon without text.
    if (name in ratios || e.closest("nav")) continue;
    const under = ground(e), ink = over(parse(getComputedStyle(e).color), under);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    ratios[name] = (a + 0.05) / (b + 0.05);
  }
  return ratios;
}"""

OUT_OF_REACH = """() => [...document.querySelectorAll("article *")].filter((e) =>
  e.clientWidth && e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX)
  && e.tabIndex < 0 && !e.querySelector("a, button, [tabindex='0']")).map((e) => e.outerHTML.slice(0, 80))"""


def pages(site: Path) -> list[str]:
    return [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def visit(page: Any, address: str) -> None:
    page.goto(address)
    # On its way from light to dark a color has no contrast to speak of.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important }")


def show(page: Any, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme)


def test_axe_finds_nothing(page: Any, site: Path, site_url: str) -> None:
    from axe_playwright_python.base import AXE_SCRIPT

    combinations = [(scheme, width) for width in WIDTHS for scheme in SCHEMES]
    found = []
    for number, address in enumerate(pages(site)):
        visit(page, site_url + address)
        page.evaluate(PLAIN)
        page.evaluate(AXE_SCRIPT)
        for scheme, width in combinations if address in THOROUGH else [combinations[number % len(combinations)]]:
            show(page, scheme, width)
            for violation in page.evaluate(AXE)["violations"]:
                for node in violation["nodes"]:
                    found.append(f"{address} {scheme} {width}: {violation['id']} {node['target']} {node['html'][:120]}")
    assert not found, "\n".join(found)


def test_code_and_output_have_contrast(page: Any, site: Path, site_url: str) -> None:
    colors = set()
    for address in pages(site):
        visit(page, site_url + address)
        for scheme in SCHEMES:
            show(page, scheme, 1280)
            ratios = page.evaluate(CONTRAST)
            colors |= set(ratios)
            weak = {name: ratio for name, ratio in ratios.items() if ratio < 4.5}
            assert not weak, f"{address} {scheme}: {weak}"
    # Keywords, strings, numbers and comments, output and highlighted lines: the check has seen them.
    assert {"span.k", "span.s2", "span.mi", "span.c1", "samp."} < colors
    assert any("highlighted" in name for name in colors)


def test_a_small_phone_scrolls_no_page_sideways_and_by_keyboard_what_is_wide(page: Any, site: Path, site_url: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    found = {}
    for address in pages(site):
        page.goto(site_url + address)
        page.wait_for_timeout(300)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320 or page.evaluate(OUT_OF_REACH):
            found[address] = (width, page.evaluate(OUT_OF_REACH))
    assert not found
