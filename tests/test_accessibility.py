"""Everybody can read every page: axe-core, contrast of code, narrow screens. One browser, every page of the site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass
class Seen:
    """What was found on every page: contrasts by scheme, what a small phone cannot show or reach, and what axe reports."""

    contrasts: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    sideways: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(page: Any, site: Path, site_url: str) -> Seen:
    """Every page is loaded once, since that takes longer than to look at it."""
    from axe_playwright_python.base import AXE_SCRIPT

    result = Seen()
    combinations = [(scheme, width) for width in WIDTHS for scheme in SCHEMES]
    for number, address in enumerate(pages(site)):
        page.set_viewport_size({"width": 320, "height": 700})
        page.goto(site_url + address)
        # On its way from light to dark a color has no contrast to speak of.
        page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
        page.wait_for_timeout(300)
        width = page.evaluate("document.documentElement.scrollWidth")
        out_of_reach = page.evaluate(OUT_OF_REACH)
        if width > 320 or out_of_reach:
            result.sideways.append(f"{address}: {width} pixels wide, out of the keyboard's reach: {out_of_reach}")
        for scheme in SCHEMES:
            show(page, scheme, 1280)
            result.contrasts[address, scheme] = page.evaluate(CONTRAST)
        page.evaluate(PLAIN)
        page.evaluate(AXE_SCRIPT)
        for scheme, width in combinations if address in THOROUGH else [combinations[number % len(combinations)]]:
            show(page, scheme, width)
            for violation in page.evaluate(AXE)["violations"]:
                for node in violation["nodes"]:
                    where = f"{address} {scheme} {width}"
                    result.violations.append(f"{where}: {violation['id']} {node['target']} {node['html'][:120]}")
    assert len(result.contrasts) >= 70
    return result


def show(page: Any, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme)


def test_axe_finds_nothing(seen: Seen) -> None:
    assert not seen.violations, "\n".join(seen.violations)


def test_code_and_output_have_contrast(seen: Seen) -> None:
    weak = {where: {n: ratio for n, ratio in found.items() if ratio < 4.5} for where, found in seen.contrasts.items()}
    assert not {where: names for where, names in weak.items() if names}
    # Keywords, strings, numbers and comments, output and highlighted lines: the check has seen them.
    colors = {name for found in seen.contrasts.values() for name in found}
    assert {"span.k", "span.s", "span.m", "span.c", "samp."} < colors
    assert any("highlighted" in name for name in colors)


def test_a_small_phone_scrolls_no_page_sideways_and_by_keyboard_what_is_wide(seen: Seen) -> None:
    assert not seen.sideways, "\n".join(seen.sideways)
