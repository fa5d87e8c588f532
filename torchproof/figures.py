"""A matplotlib backend that keeps every shown figure as SVG whose text takes the page's color and font.

Selected with `MPLBACKEND=module://torchproof.figures` while a program runs. `plt.show()` and the end of the program
collect what is open.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

FigureCanvas = FigureCanvasSVG

# A color no figure uses: it stands for "the color of the page's text" until the SVG is written.
_INK = "#010203"
# Middle tones that keep a contrast of about 3:1 on white and on the dark page alike.
_COLORS = ["#3b7fd4", "#d07a1f", "#2f9960", "#d0504c", "#9268cf", "#9c7350", "#1e93a3", "#b8589f"]
_STYLE: Any = {
    **dict.fromkeys(["text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"], _INK),
    **dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"], "none"),
    "axes.prop_cycle": cycler(color=_COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "grid.color": "0.5",
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "torchproof",
}
matplotlib.rcParams.update(_STYLE)

_captured: list[str] = []


def warm_up() -> None:
    """Load what the first figure of a process loads, such as fonts; leaves no trace in pyplot."""
    figure = Figure(layout="constrained")
    figure.subplots().set_title("figure")
    figure.savefig(io.StringIO(), format="svg")


def show(*args: Any, **kwargs: Any) -> None:
    """What `plt.show()` calls: capture every open figure, in the order they were made, and close it."""
    for manager in sorted(Gcf.get_all_fig_managers(), key=lambda m: m.num):
        _captured.append(as_svg(manager.canvas.figure))
        Gcf.destroy(manager)


def collect(prefix: str) -> list[str]:
    """All figures captured so far, their ids made unique by `prefix` and a number."""
    show()
    return [with_ids(svg, f"{prefix}-{number}") for number, svg in enumerate(_captured, start=1)]


def as_svg(figure: Figure) -> str:
    """The text of a figure, its colors those of the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A style element inside a page would style the whole page: say the same on the figure itself.
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    # A diagram's text is set in the page's own font, so only the size stays.
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", text)
    return text.replace(_INK, "currentColor")


def with_ids(svg: str, prefix: str) -> str:
    """Keep the ids that something refers to, numbered in order.

    Several figures share a page, where an id may occur once; and matplotlib's ids are digests of exact coordinates,
    which differ in the last bit between machines.
    """
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    number = {
        name: f"{prefix}-{n}" for n, name in enumerate(name for name in re.findall(r'\bid="([^"]+)"', svg) if name in used)
    }
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{number[m[1]]}"' if m[1] in used else "", svg)
    svg = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{number[m[1]]})", svg)
    return re.sub(r'href="#([^"]+)"', lambda m: f'href="#{number[m[1]]}"', svg)
