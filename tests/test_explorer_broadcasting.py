"""The explorer of broadcasting agrees with torch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch


@pytest.fixture(scope="module")
def explorer(browser: Any, site_url: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + "learn/tensors/")
    explorer = page.locator("fig-broadcasting")
    explorer.scroll_into_view_if_needed()
    explorer.locator("output").first.wait_for()
    yield explorer
    page.close()


def random_pairs(count: int) -> list[tuple[list[int], list[int]]]:
    """Pairs of shapes with up to four axes, half of them made to fit."""
    chance = random.Random(0)
    pairs = []
    for number in range(count):
        left = [chance.choice([0, 1, 1, 2, 3, 4]) for _ in range(chance.randint(0, 4))]
        right = [chance.choice([0, 1, 1, 2, 3, 4]) for _ in range(chance.randint(0, 4))]
        if number % 2:
            right = [chance.choice([1, size]) for size in left][chance.randint(0, len(left)) :]
        pairs.append((left, right) if chance.random() < 0.5 else (right, left))
    return pairs


def test_shapes_and_messages_are_those_of_torch(explorer: Any) -> None:
    pairs = random_pairs(500)
    seen = explorer.evaluate("(e, pairs) => pairs.map(([a, b]) => { e.show(a, b); return e.reading; })", pairs)
    refused = 0
    for (left, right), reading in zip(pairs, seen, strict=True):
        try:
            shape, message = list((torch.zeros(left) + torch.zeros(right)).shape), ""
        except RuntimeError as error:
            shape, message = None, str(error)
            refused += 1
        assert (reading["result"], reading["message"]) == (shape, message), (left, right)
    assert 50 < refused < 300


def test_each_drawn_element_is_the_sum_that_torch_computes(explorer: Any) -> None:
    pairs = [(left, right) for left, right in random_pairs(600) if max(len(left), len(right)) <= 3]
    seen = explorer.evaluate(
        """(e, pairs) => pairs.map(([a, b]) => {
            e.show(a, b);
            const panels = [...e.shadowRoot.querySelectorAll(".picture > div")];
            return panels.map((panel) => [...panel.querySelectorAll(".grid > *")].map((cell) => Number(cell.textContent)));
        })""",
        pairs,
    )
    drawn = 0
    for (left, right), panels in zip(pairs, seen, strict=True):
        if not panels:
            continue
        drawn += 1
        a = 10 * torch.arange(torch.Size(left).numel()).reshape(left)
        b = torch.arange(torch.Size(right).numel()).reshape(right) + 1
        expected = [*torch.broadcast_tensors(a, b), a + b]
        assert panels == [tensor.flatten().tolist() for tensor in expected], (left, right)
    assert drawn >= 200


def test_a_reader_types_shapes_and_walks_through_the_result(explorer: Any) -> None:
    explorer.get_by_role("button", name="column + row").click()
    output = explorer.locator("output")
    assert output.first.inner_text().startswith("The result has the shape (3, 4)")
    explorer.get_by_label("shape of b").fill("(5,)")
    assert "shape (3, 5)" in output.first.inner_text()
    explorer.get_by_label("shape of a").fill("2, x")
    assert "whole numbers" in output.first.inner_text()
    assert explorer.get_by_label("shape of a").get_attribute("aria-invalid") == "true"
    explorer.get_by_role("button", name="refused").click()
    assert "The size of tensor a (4) must match the size of tensor b (3)" in output.first.inner_text()

    explorer.get_by_role("button", name="column + row").click()
    explorer.get_by_role("button", name="1, result at [0, 0]").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        explorer.page.keyboard.press(key)
    assert output.last.inner_text() == "result[2, 1] = a[2, 0] + b[1] = 20 + 2 = 22"
    explorer.page.keyboard.press("End")
    assert output.last.inner_text().startswith("result[2, 3]")
