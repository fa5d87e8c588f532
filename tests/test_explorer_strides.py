"""The explorer of shape, stride and offset agrees with torch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

CELLS = 12
BASE = torch.arange(10, 10 + CELLS)


@pytest.fixture(scope="module")
def explorer(browser: Any, site_url: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site_url + "learn/storage/")
    explorer = page.locator("fig-strides")
    explorer.scroll_into_view_if_needed()
    explorer.locator("output").first.wait_for()
    yield explorer
    page.close()


def header_of(view: torch.Tensor) -> dict[str, Any]:
    return {"shape": list(view.shape), "stride": list(view.stride()), "offset": view.storage_offset()}


def strided(base: torch.Tensor, header: dict[str, Any]) -> tuple[torch.Tensor | None, str]:
    """The view, or None and torch's message."""
    try:
        return torch.as_strided(base, header["shape"], header["stride"], header["offset"]), ""
    except RuntimeError as error:
        return None, str(error)


def random_headers(count: int) -> list[dict[str, Any]]:
    """Headers of up to four dimensions, some of which ask for too much or for what cannot be."""
    chance = random.Random(0)
    headers = []
    for _ in range(count):
        rank = chance.randint(0, 4)
        shape = [chance.choice([0, 1, 1, 2, 2, 3, 4]) for _ in range(rank)]
        stride = [chance.choice([0, 1, 1, 2, 3, 4, 5]) for _ in range(rank)]
        if chance.random() < 0.05:
            stride.append(1)
        if stride and chance.random() < 0.05:
            stride[0] = -1
        headers.append({"shape": shape, "stride": stride, "offset": chance.randint(0, 4)})
    return headers


def test_cells_contiguity_and_errors_are_those_of_torch(explorer: Any) -> None:
    headers = random_headers(400)
    seen = explorer.evaluate(
        "(e, headers) => headers.map((header) => { e.show({ ...header, code: '' }); return e.reading; })",
        headers,
    )
    valid = 0
    for header, reading in zip(headers, seen, strict=True):
        view, message = strided(BASE, header)
        assert (reading["fault"] == "") == (view is not None), (header, message)
        assert (reading["missing"] is not None) == ("out of bounds for storage" in message), (header, message)
        if reading["missing"] is not None:
            # A storage that ends before the missing cell is too short, one that ends with it is not.
            assert strided(torch.arange(reading["missing"]), header)[0] is None
            assert strided(torch.arange(reading["missing"] + 1), header)[0] is not None
        if view is None:
            continue
        valid += 1
        # The value of a cell is its number and ten more.
        assert reading["cells"] == (view.flatten() - 10).tolist(), header
        assert (reading["gap"] is None) == view.is_contiguous(), header
    assert 100 < valid < 350


def test_operations_give_the_headers_of_torch(explorer: Any) -> None:
    chance = random.Random(1)
    chains, expected = [], []
    for _ in range(200):
        view, steps = torch.as_strided(BASE, (3, 4), (4, 1)), []
        for _ in range(chance.randint(1, 4)):
            dim = chance.randrange(view.ndim)
            size = view.shape[dim]
            match chance.choice(["transpose", "slice", "expand", "unfold"]):
                case "transpose" if view.ndim > 1:
                    view = view.transpose(0, 1)
                    steps.append(["transpose"])
                case "slice" if size > 1:
                    start, step = chance.randrange(size), chance.randint(1, 3)
                    view = view[(slice(None),) * dim + (slice(start, None, step),)]
                    steps.append(["slice", dim, start, step])
                case "expand":
                    ones = [d for d, s in enumerate(view.shape) if s == 1]
                    wide = list(view.shape)
                    if ones:
                        wide[ones[0]] = 3
                    view = view.expand(wide if ones else [2, *wide])
                    steps.append(["expand", 3])
                case "unfold" if size:
                    window, step = chance.randint(1, size), chance.randint(1, 2)
                    view = view.unfold(dim, window, step)
                    steps.append(["unfold", dim, window, step])
        chains.append(steps)
        expected.append(header_of(view))
    seen = explorer.evaluate(
        """(e, chains) => chains.map((steps) => {
            e.show({ shape: [3, 4], stride: [4, 1], offset: 0, code: "grid" });
            for (const step of steps) e.apply(...step);
            return e.header;
        })""",
        chains,
    )
    grid = BASE.reshape(3, 4)
    for steps, header, shown in zip(chains, expected, seen, strict=True):
        code = shown.pop("code")
        assert shown == header, steps
        # The code beside the view makes the same view.
        assert header_of(eval(code, {"grid": grid})) == header, code


def test_view_works_where_it_works_in_torch(explorer: Any) -> None:
    chance = random.Random(2)
    cases, expected = [], []
    for _ in range(400):
        rank = chance.randint(0, 3)
        header = {
            "shape": [chance.choice([1, 2, 2, 3, 4]) for _ in range(rank)],
            "stride": [chance.choice([0, 1, 2, 3, 4, 6]) for _ in range(rank)],
            "offset": 0,
        }
        view = torch.as_strided(torch.zeros(200), header["shape"], header["stride"])
        rest, target = view.numel(), []
        while rest > 1 or chance.random() < 0.2:
            target.append(chance.choice([d for d in range(1, rest + 1) if rest % d == 0]))
            rest //= target[-1]
        try:
            expected.append(list(view.view(target).stride()))
        except RuntimeError:
            expected.append(None)
        cases.append((header, target))
    seen = explorer.evaluate(
        "(e, cases) => cases.map(([header, target]) => { e.show({ ...header, code: '' }); return e.viewAs(target); })",
        cases,
    )
    for case, strides, shown in zip(cases, expected, seen, strict=True):
        assert shown == strides, case
    assert 50 < expected.count(None) < 350


def test_a_reader_types_a_header_and_walks_through_the_elements(explorer: Any) -> None:
    explorer.get_by_role("button", name="reset").click()
    address, facts = explorer.locator("output").all()
    assert facts.inner_text().startswith("Contiguous. view(12,) works, with stride (1,)")
    explorer.get_by_role("button", name="16, element [1, 2], cell 6").focus()
    keyboard = explorer.page.keyboard
    for key, expected in [
        ("ArrowLeft", "view[1, 1]: offset 0 + 1 · 4 + 1 · 1 = cell 5, which holds 15."),
        ("ArrowDown", "view[2, 1]: offset 0 + 2 · 4 + 1 · 1 = cell 9, which holds 19."),
        ("Home", "view[0, 0]: offset 0 + 0 · 4 + 0 · 1 = cell 0, which holds 10."),
        ("End", "view[2, 3]: offset 0 + 2 · 4 + 3 · 1 = cell 11, which holds 21."),
    ]:
        keyboard.press(key)
        assert address.inner_text() == expected
    # The group is one stop of the Tab key: the next one is the field below it.
    keyboard.press("Tab")
    assert explorer.get_by_label("view as").evaluate("e => e.matches(':focus-visible')")

    explorer.get_by_label("shape").fill("4, 4")
    assert facts.inner_text() == "Cell 15 is missing: element [3, 3] would read it, and the last cell is 11."
    assert explorer.get_by_role("button", name="?, element [3, 3], missing cell 15").inner_text() == "?"
    explorer.get_by_label("stride").fill("0, 1")
    assert "torch.as_strided(grid, (4, 4), (0, 1), 0)" in explorer.locator("code").inner_text()
    assert "Cells read: 0, 1, 2, 3." in explorer.get_by_role("img").get_attribute("aria-label")
    explorer.get_by_label("view as").fill("16")
    assert "view(16,) raises an error" in facts.inner_text()
    explorer.get_by_label("offset").fill("nine")
    assert "whole numbers" in facts.inner_text()


def test_buttons_say_when_there_is_too_little_to_work_on(explorer: Any) -> None:
    explorer.evaluate("e => e.show({ shape: [], stride: [], offset: 5, code: 'grid[1, 1]' })")
    for name in ("transpose", "slice 1:", "slice ::2", "unfold"):
        explorer.get_by_role("button", name=name).click()
        assert "too little" in explorer.locator("output").first.inner_text()
        assert explorer.evaluate("e => e.header.code") == "grid[1, 1]"
    explorer.get_by_role("button", name="expand").click()
    assert explorer.evaluate("e => e.header.code") == "grid[1, 1].expand(2)"
