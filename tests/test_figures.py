"""Figures as SVG for pages: the colors and the font are those of the page, and nothing is drawn that a page has no use for."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import Sandbox, make_sandbox

DRAW = """
import json
import matplotlib
matplotlib.use("module://torchproof.figures")
import matplotlib.pyplot as plt
from torchproof import figures

figures.warm_up()
assert not plt.get_fignums()
second = plt.figure(7)
first = plt.figure(3)
plt.plot([1, 2], label="one")
plt.plot([2, 3])
plt.legend()
plt.grid()
plt.title("Tilted <b>", fontweight="bold")
plt.show()
assert not plt.get_fignums()
plt.figure()
plt.plot([2, 1])
print(json.dumps(figures.collect("topic-demo")))
"""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    sandbox: Sandbox = make_sandbox(tmp_path_factory.mktemp("figures"))
    drawn = sandbox.python("-c", DRAW)
    assert drawn.returncode == 0, drawn.stderr
    found: list[str] = json.loads(drawn.stdout)
    return found


def test_every_figure_is_kept_in_the_order_of_its_number(figures: list[str]) -> None:
    assert [re.findall(">([A-Z][^<]*)</text>", svg) for svg in figures] == [["Tilted &lt;b&gt;"], [], []]
    assert [svg.count("stroke-width: 1.5") for svg in figures] == [3, 0, 1]
    for number, svg in enumerate(figures, start=1):
        assert all(name.startswith(f"topic-demo-{number}-") for name in re.findall(r' id="([^"]+)"', svg))


def test_a_figure_has_the_colors_and_the_font_of_the_page(figures: list[str]) -> None:
    svg = figures[0]
    assert svg.startswith('<svg stroke-linejoin="round" stroke-linecap="butt" xmlns')
    assert set(re.findall('(?:fill|stroke): ([^;"]+)', svg)) == {"none", "currentColor", "#808080", "#3b7fd4", "#d07a1f"}
    assert set(re.findall(r'<text style="(.*?)[;"]', svg)) <= {
        "font-size: 10px",
        "font-size: 12px",
        "font-weight: bold",
        "font-weight: 700",
    }
    for style in re.findall(r'<text style="(.*?)"', svg):
        assert "fill: currentColor" in style
    assert not re.search("<metadata|<style|font-family|DejaVu|#010203", svg)
    assert "stroke-opacity: 0.3" in svg


def test_an_axis_has_a_line_on_two_sides_only(figures: list[str]) -> None:
    assert figures[2].count("stroke-linejoin: miter") == 2
    # The legend has no frame.
    assert "opacity: 0.8" not in figures[0]
