"""A matplotlib backend for notebook kernels: every shown figure is displayed as the SVG that pages show."""

from __future__ import annotations

import re
from typing import Any

import matplotlib
from IPython.display import display
from matplotlib._pylab_helpers import Gcf

from torchproof.figures import FigureCanvas, as_svg, with_ids

__all__ = ["FigureCanvas", "show", "use"]

_PATH = re.compile(r'(?<= d=")[^"]*')
_LONG = re.compile(r"-?\d+\.\d{3,}")
_prefix = "figure"
_count = 0


def use(prefix: str) -> None:
    """Select this backend; the ids inside its figures start with `prefix`."""
    global _prefix
    _prefix = prefix
    matplotlib.use("module://torchproof.inline")


def _rounded(svg: str) -> str:
    """A figure whose paths are exact to a hundredth of a point, which no eye sees: they are most of its weight."""
    return _PATH.sub(lambda path: _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), path[0]), svg)


def show(*args: Any, **kwargs: Any) -> None:
    """What `plt.show()` calls: display every open figure, in the order they were made, and close it."""
    global _count
    for manager in sorted(Gcf.get_all_fig_managers(), key=lambda m: m.num):
        _count += 1
        figure = manager.canvas.figure
        svg = with_ids(_rounded(as_svg(figure)), f"{_prefix}-{_count}")
        display({"image/svg+xml": svg, "text/plain": repr(figure)}, raw=True)
        Gcf.destroy(manager)
