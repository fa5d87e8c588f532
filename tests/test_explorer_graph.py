"""The explorer of a recorded graph shows the gradients that torch computes."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from snippets.autograd import record_backward

GRADIENTS = "e => Object.fromEntries(e.steps.map(({ of }, row) => [of, e.gradients[row].textContent.replace('gradient ', '')]))"


@pytest.fixture(scope="module")
def explorer(browser: Any, site_url: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + "learn/autograd/")
    explorer = page.locator("fig-graph")
    explorer.scroll_into_view_if_needed()
    explorer.locator("output").first.wait_for()
    yield explorer
    page.close()


def random_run(chance: random.Random) -> dict[str, torch.Tensor]:
    """Leaves and results by name, the loss last; float32, with factors that round."""
    tensors = {
        "weight": torch.tensor(chance.uniform(-2, 2), requires_grad=True),
        "bias": torch.tensor([chance.uniform(-2, 2) for _ in range(3)], requires_grad=True),
    }
    for number in range(chance.randint(2, 6)):
        left, right = chance.choice(list(tensors.values())), chance.choice(list(tensors.values()))
        operation = chance.choice([torch.add, torch.sub, torch.mul, torch.maximum])
        tensors[f"step{number}"] = operation(left, right)
    tensors["loss"] = (tensors[f"step{number}"] * tensors["weight"] - tensors["bias"]).mean()
    return tensors


def same(shown: str, expected: torch.Tensor) -> bool:
    """Equal to the last bit, the sign of a zero included."""
    numbers = torch.tensor(json.loads(shown), dtype=torch.float64)
    return torch.equal(numbers, expected.double()) and torch.equal(torch.signbit(numbers), torch.signbit(expected))


def test_shown_gradients_equal_those_of_torch(explorer: Any) -> None:
    chance = random.Random(0)
    texts, expected = [], []
    for _ in range(200):
        tensors = random_run(chance)
        gradients = torch.autograd.grad(tensors["loss"], list(tensors.values()), retain_graph=True, allow_unused=True)
        expected.append(dict(zip(tensors, gradients, strict=True)))
        values = {name: tensor.tolist() for name, tensor in tensors.items()}
        texts.append("\n".join(map(json.dumps, [values, *record_backward(tensors["loss"], tensors)])))
        for leaf in ("weight", "bias"):
            assert torch.equal(tensors[leaf].grad, expected[-1][leaf])
    seen = explorer.evaluate(
        f"(e, texts) => texts.map((text) => {{ e.load(text, text.split('\\n').length - 2); return ({GRADIENTS})(e); }})", texts
    )
    compared = 0
    for shown, gradients in zip(seen, expected, strict=True):
        for name, gradient in gradients.items():
            assert (name in shown) == (gradient is not None)
            if gradient is not None:
                assert same(shown[name], gradient), (name, shown[name], gradient)
                compared += 1
    assert compared > 800


def test_it_shows_the_output_of_the_block_on_the_page(explorer: Any) -> None:
    explorer.page.reload()
    explorer.scroll_into_view_if_needed()
    explorer.get_by_role("button", name="all", exact=True).click()
    printed = explorer.page.locator('[data-snippet="snippets.autograd.backward_recorded"] samp').first.inner_text()
    values, *steps = map(json.loads, printed.splitlines())
    shown = explorer.evaluate(GRADIENTS)
    assert {name: json.loads(text) for name, text in shown.items()} == {step["of"]: step["arrives"] for step in steps}
    assert explorer.get_by_role("button", name="AccumulateGrad slope").inner_text().startswith("AccumulateGrad")
    assert math.isclose(values["loss"], 2.125)


def test_a_reader_steps_through_the_flow_with_the_keyboard(explorer: Any) -> None:
    # Another test may have left the steps of another graph.
    explorer.page.reload()
    explorer.scroll_into_view_if_needed()
    story, keyboard = explorer.locator("output"), explorer.page.keyboard
    explorer.get_by_role("button", name="start", exact=True).click()
    assert "Every backward starts with the gradient 1" in story.inner_text()
    assert explorer.get_by_text("no gradient yet").count() == 5
    explorer.get_by_role("button", name="next", exact=True).focus()
    keyboard.press("Enter")
    assert "squares = residual * residual, where residual is [-2, -0.5]" in story.inner_text()
    assert "Sends [-1, -0.25] to SubBackward0 of residual." in story.inner_text()
    explorer.get_by_role("button", name="MulBackward0 squares").focus()
    keyboard.press("ArrowDown")
    assert "sum of 2 that came along its edges: [-1, -0.25] and [-1, -0.25]" in story.inner_text()
    keyboard.press("End")
    assert "adds what arrives to the .grad of its leaf" in story.inner_text()
    explorer.get_by_role("button", name="back", exact=True).click()
    assert explorer.get_by_text("step 6 of 7").is_visible()


def test_a_missing_record_is_named(explorer: Any) -> None:
    said = explorer.evaluate(
        """e => {
            const other = document.createElement("fig-graph");
            other.dataset.from = "snippets.autograd.gone";
            document.body.append(other);
            const said = other.shadowRoot.querySelector("output").textContent;
            other.remove();
            return said;
        }"""
    )
    assert said == "The recorded run snippets.autograd.gone is not on this page."
