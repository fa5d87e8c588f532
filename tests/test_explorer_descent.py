"""The explorer of learning rates in a real browser, against walks that torch makes here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.conftest import REPOSITORY
from torchproof.project import Project

PAGE = "learn/optimizers/"
STEPS = 200
NUMBER = re.compile(r"-?\d+\.?\d*")


@pytest.fixture(scope="module")
def page(browser: Any, site_url: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + PAGE)
    start(page)
    yield page
    page.close()


def start(page: Any) -> None:
    page.locator("fig-descent").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('fig-descent').shadowRoot")


def recorded() -> dict[str, list[float]]:
    """The numbers that the block on the page printed."""
    entry = Project(REPOSITORY).record("cpu", "descent").entries["the_steepest_curvature_decides"]
    lines = (line.split(":", 1) for line in entry.stdout.splitlines())
    return {name: [float(number) for number in NUMBER.findall(rest)] for name, rest in lines}


def walks_by_formula(rates: torch.Tensor) -> torch.Tensor:
    """All walks at once in double precision, with the operations and the order of the explorer."""
    numbers = recorded()
    (a, b, c, d), best = numbers["Hessian"], numbers["best"]
    u, v = (torch.full_like(rates, number) for number in numbers["start"])
    visited = [torch.stack([u, v], dim=1)]
    for _ in range(STEPS):
        x, y = u - best[0], v - best[1]
        u, v = u - rates * (a * x + b * y), v - rates * (c * x + d * y)
        visited.append(torch.stack([u, v], dim=1))
    return torch.stack(visited, dim=1)


def walks_by_autograd(rates: torch.Tensor) -> torch.Tensor:
    """All walks at once on the hundred points themselves."""
    torch.manual_seed(0)
    x = torch.arange(0, 10, 0.1)
    y = (3 * x + torch.randn(len(x))).double()
    x = x.double()
    lines = torch.tensor(recorded()["start"], dtype=torch.float64).repeat(len(rates), 1).requires_grad_()
    visited = [lines.detach().clone()]
    for _ in range(STEPS):
        losses = ((lines[:, :1] + lines[:, 1:] * x - y) ** 2).mean(dim=1)
        (gradients,) = torch.autograd.grad(losses.sum(), lines)
        with torch.no_grad():
            lines -= rates[:, None] * gradients
        visited.append(lines.detach().clone())
    return torch.stack(visited, dim=1)


def test_walks_of_all_rates_are_those_of_torch(page: Any) -> None:
    rates = torch.linspace(0.0005, 0.032, 256, dtype=torch.float64)
    shown = page.locator("fig-descent").evaluate(
        "(explorer, rates) => rates.map((rate) => explorer.walk(rate).flat())", rates.tolist()
    )
    walks = torch.tensor(shown, dtype=torch.float64).reshape(len(rates), STEPS + 1, 2)
    assert torch.equal(walks, walks_by_formula(rates)), "equal to the last bit"
    # The page prints its numbers with four decimals, and a walk that explodes magnifies what is cut off.
    torch.testing.assert_close(walks, walks_by_autograd(rates), rtol=2e-3, atol=2e-4)


def test_the_verdict_changes_at_the_threshold(page: Any) -> None:
    explorer = page.locator("fig-descent")
    threshold = recorded()["threshold"][0]
    hessian = torch.tensor(recorded()["Hessian"], dtype=torch.float64).reshape(2, 2)
    assert abs(threshold - 2 / torch.linalg.eigvalsh(hessian)[-1].item()) < 1e-6
    assert f"2/λₘₐₓ ≈ {threshold:.4f}" in explorer.locator(".mark").inner_text()
    for rate, words in {
        "0.0005": "It converges",
        "0.028": "It converges",
        "0.0297": "It converges",
        "0.03": "it explodes",
    }.items():
        explorer.get_by_role("button", name=rate, exact=True).click()
        assert words in explorer.locator("output").inner_text(), rate


def test_the_slider_obeys_the_keyboard(page: Any) -> None:
    explorer = page.locator("fig-descent")
    explorer.get_by_role("button", name="0.028", exact=True).click()
    slider = explorer.get_by_role("slider", name="learning rate")
    slider.focus()
    before = explorer.locator(".path").first.get_attribute("d")
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.0281"
    assert explorer.locator(".path").first.get_attribute("d") != before
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "0.032"
    assert "it explodes" in explorer.locator("output").inner_text()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_moves_when_it_starts_and_nothing_sticks_out(browser: Any, site_url: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(site_url + PAGE)
    explorer = page.locator("fig-descent")
    reserved = explorer.bounding_box()["height"]
    start(page)
    for rate in ("0.0005", "0.0149", "0.03"):
        explorer.get_by_role("button", name=rate, exact=True).click()
        assert explorer.bounding_box()["height"] == reserved
        assert explorer.evaluate("(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"), rate
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_it_starts_again_after_an_instant_navigation(browser: Any, site_url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + PAGE)
    # The theme replaces pages in place once it knows from the sitemap which there are.
    page.wait_for_function("performance.getEntriesByName(`${new URL('/sitemap.xml', location)}`).length > 0")
    page.evaluate("window.stays = true")
    for name in ("dtypes", "optimizers"):
        page.locator(f'.md-nav a[href$="{name}/"]').first.evaluate("(link) => link.click()")
        page.wait_for_url(f"**/learn/{name}/")
        page.wait_for_function("(name) => document.title.toLowerCase().includes(name)", arg=name)
    start(page)
    assert "It converges" in page.locator("fig-descent output").inner_text()
    assert page.evaluate("window.stays"), "the page was replaced in place"
    page.close()


def test_without_scripts_there_is_the_figure_and_a_word(browser: Any, site_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site_url + PAGE)
    assert "This explorer needs JavaScript" in page.locator("fig-descent").inner_text()
    figure = page.locator('[data-snippet="snippets.descent.the_steepest_curvature_decides"] .tp-figure svg').first
    assert figure.bounding_box()["height"] > 100
    context.close()
