"""The explorer of float formats in a real browser, against numbers that torch computes here."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch

PAGE = "learn/dtypes/"
FORMATS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float8_e5m2": torch.float8_e5m2,
    "float8_e4m3fn": torch.float8_e4m3fn,
}
INTEGER_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


@pytest.fixture(scope="module")
def page(browser: Any, site_url: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + PAGE)
    page.locator("fig-floats").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('fig-floats').shadowRoot")
    yield page
    page.close()


def numbers() -> list[float]:
    """Edges of every format and what lies around them, halves of steps, and random numbers of all sizes."""
    found = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        0.1,
        1 / 3,
        1e-50,
        1e300,
        1 + 2**-11 + 2**-30,
        464.0,
        464.1,
        65519.0,
        65520.0,
    ]
    for dtype in FORMATS.values():
        info = torch.finfo(dtype)
        smallest = info.smallest_normal * info.eps
        for edge in (info.max, info.tiny, smallest, smallest / 2, 1.0, 2.0, 1 + info.eps / 2, 1 + 1.5 * info.eps):
            found += [edge, -edge, edge * (1 + 2**-20), edge * (1 - 2**-20)]
        found.append(info.max * (1 + info.eps / 4))
    found += [2.0**power for power in range(-151, 129)]
    chance = random.Random(0)
    found += [chance.choice([-1, 1]) * chance.uniform(1, 2) * 2.0 ** chance.randint(-30, 18) for _ in range(300)]
    return found


def pattern_of(stored: torch.Tensor) -> int:
    """The bits of a float tensor, as a number without a sign."""
    size = stored.element_size()
    return int(stored.view(INTEGER_OF_SIZE[size]).item()) % 2 ** (8 * size)


def neighbors(dtype: torch.dtype) -> dict[float, list[float | None]]:
    """For each number of a format of at most 16 bits, the one below and the one above, by sorting all that there are."""
    integers = torch.arange(2 ** (8 * dtype.itemsize)).to(INTEGER_OF_SIZE[dtype.itemsize])
    values = integers.view(dtype).double()
    ordered = [None, *sorted(set(values[~values.isnan()].tolist())), None]
    return {
        here: [below, above] for below, here, above in zip(ordered, ordered[1:], ordered[2:], strict=False) if here is not None
    }


def float32_neighbors(number: float) -> list[float | None]:
    ends = torch.tensor([-math.inf, math.inf])
    below, above = torch.nextafter(torch.tensor(number), ends).tolist()
    return [None if number == -math.inf else below, None if number == math.inf else above]


def same(left: float, right: float) -> bool:
    """Equal to the last bit, the sign of zero included; every nan is the same."""
    return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))


def typed(page: Any, texts: list[str]) -> list[list[dict[str, Any]]]:
    """What the explorer reads after each of these texts was put into its field."""
    return page.locator("fig-floats").evaluate(
        """(explorer, texts) => texts.map((text) => {
          const input = explorer.shadowRoot.querySelector("input");
          input.value = text;
          input.dispatchEvent(new Event("input"));
          return explorer.reading;
        })""",
        texts,
    )


def test_every_format_holds_what_torch_stores(page: Any) -> None:
    vectors = numbers()
    assert len(vectors) >= 200
    for number, rows in zip(vectors, typed(page, [repr(number) for number in vectors]), strict=True):
        assert [row["name"] for row in rows] == list(FORMATS)
        for row in rows:
            stored = torch.tensor(number).to(FORMATS[row["name"]])
            assert row["pattern"] == pattern_of(stored), (number, row)
            assert same(float(row["value"]), stored.double().item()), (number, row)


def test_the_next_numbers_are_those_of_torch(page: Any) -> None:
    tables = {name: neighbors(dtype) for name, dtype in FORMATS.items() if dtype.itemsize <= 2}
    for rows in typed(page, [repr(number) for number in numbers()]):
        for row in rows:
            here = float(row["value"])
            if math.isnan(here):
                expected: list[float | None] = [None, None]
            elif row["name"] == "float32":
                expected = float32_neighbors(here)
            else:
                expected = tables[row["name"]][here]
            shown = [None if text == "none" else float(text) for text in row["next"]]
            assert shown == expected, row


def test_all_patterns_of_a_float8_can_be_made_bit_by_bit(page: Any) -> None:
    """Flipping goes through all 256 patterns in the order of a Gray code, one bit at a time."""
    order = [n ^ n >> 1 for n in range(256)]
    flips = [8 - (a ^ b).bit_length() for a, b in pairwise(order)]
    typed(page, ["0"])
    rows = page.locator("fig-floats").evaluate(
        """(explorer, flips) => {
          const cells = [...explorer.shadowRoot.querySelectorAll('[aria-label="bits of float8_e4m3fn"] button')];
          return flips.map((at) => {
            cells[at].click();
            return explorer.reading.at(-1);
          });
        }""",
        flips,
    )
    assert [row["pattern"] for row in rows] == order[1:]
    values = torch.tensor(order[1:], dtype=torch.uint8).view(torch.float8_e4m3fn).double().tolist()
    for row, value in zip(rows, values, strict=True):
        assert same(float(row["value"]), value), row


def test_a_keyboard_is_enough(page: Any) -> None:
    explorer = page.locator("fig-floats")
    field = explorer.get_by_label("number")
    field.fill("1")
    bits = explorer.get_by_role("group", name="bits of float16")
    bits.get_by_role("button").first.focus()
    page.keyboard.press("Space")
    assert field.input_value() == "-1.0"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.shadowRoot.activeElement.ariaLabel"
    assert page.evaluate(focused) == "1, exponent bit 2 of 5"
    page.keyboard.press("End")
    page.keyboard.press("1")
    assert page.evaluate(focused) == "1, fraction bit 10 of 10"
    assert float(field.input_value()) == -1 - 2**-10
    page.keyboard.press("1")
    assert float(field.input_value()) == -1 - 2**-10, "the bit is 1 already"
    assert "float16 holds -1.0009765625. Exact in float32, float16." in explorer.locator("output").inner_text()


def test_a_text_that_is_no_number_is_refused_in_words(page: Any) -> None:
    explorer = page.locator("fig-floats")
    field = explorer.get_by_label("number")
    for text in ("", "two", "0x10", "1e", "--1"):
        field.fill(text)
        assert field.get_attribute("aria-invalid") == "true", text
        assert "Write a number" in explorer.locator("output").inner_text()
    field.fill("2.5")
    assert field.get_attribute("aria-invalid") == "false"
    assert explorer.locator("output").inner_text() == "Exact in all five."


def test_it_starts_again_after_an_instant_navigation(browser: Any, site_url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + PAGE)
    # The theme replaces pages in place once it knows from the sitemap which there are.
    page.wait_for_function("performance.getEntriesByName(`${new URL('/sitemap.xml', location)}`).length > 0")
    page.evaluate("window.stays = true")
    for name in ("optimizers", "dtypes"):
        page.locator(f'.md-nav a[href$="{name}/"]').first.evaluate("(link) => link.click()")
        page.wait_for_url(f"**/learn/{name}/")
        page.wait_for_function("(name) => document.title.toLowerCase().includes(name)", arg=name)
    page.locator("fig-floats").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('fig-floats').shadowRoot")
    page.locator("fig-floats").get_by_role("button", name="257").click()
    assert "Exact in float32, float16." in page.locator("fig-floats output").inner_text()
    assert page.evaluate("window.stays"), "the page was replaced in place"
    page.close()


@pytest.mark.parametrize("width", [320, 600, 1280])
def test_nothing_moves_when_it_starts_and_nothing_sticks_out(browser: Any, site_url: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(site_url + PAGE)
    explorer = page.locator("fig-floats")
    reserved = explorer.bounding_box()["height"]
    explorer.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('fig-floats').shadowRoot")
    for number in ("0.1", "-1.1754942e-38", "464.1"):
        typed(page, [number])
        assert explorer.bounding_box()["height"] == reserved
        assert explorer.evaluate("(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"), number
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(request.startswith(site_url) for request in requests)
    page.close()


def test_without_scripts_there_is_the_figure_and_a_word(browser: Any, site_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site_url + PAGE)
    assert "This explorer needs JavaScript" in page.locator("fig-floats").inner_text()
    figure = page.locator('[data-snippet="snippets.dtypes.formats_side_by_side"] .tp-figure svg').first
    assert figure.bounding_box()["height"] > 100
    context.close()
