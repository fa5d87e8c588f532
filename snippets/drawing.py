"""Diagrams of storage cells, drawn from live tensors."""

from itertools import product

import torch
from matplotlib.collections import LineCollection


def cell_number(tensor, index):
    """The storage cell which holds the element at an index."""
    steps = zip(index, tensor.stride(), strict=True)
    return tensor.storage_offset() + sum(i * stride for i, stride in steps)


def storage_cells(tensor):
    """All cells of a tensor's storage, in order, as a flat view."""
    cell_count = tensor.untyped_storage().nbytes() // tensor.element_size()
    return torch.as_strided(tensor, size=(cell_count,), stride=(1,), storage_offset=0)


def draw_cells(tensor, ax, read):
    """Draw the storage of a tensor as a strip of numbered cells, those that are read in gray."""
    cells = storage_cells(tensor).tolist()
    fills = [("0.5", 0.3) if number in read else "none" for number in range(len(cells))]
    ax.broken_barh(
        [(n - 0.5, 1) for n in range(len(cells))],
        (-0.5, 1),
        facecolors=fills,
        edgecolors="0.5",
    )
    for number, value in enumerate(cells):
        ax.text(number, 0, value, ha="center", va="center", fontsize=8)
    ax.set_xticks(range(len(cells)))
    ax.tick_params(length=0, labelsize=7)
    ax.spines[:].set_visible(False)
    ax.margins(x=0.01)


def draw_storage(tensor, ax, title):
    """Draw the elements of a tensor above the cells they read, one color for each row."""
    indices = list(product(*map(range, tensor.shape)))
    cells = [cell_number(tensor, index) for index in indices]
    colors = [f"C{index[0]}" for index in indices]
    draw_cells(tensor, ax, read=cells)

    # A gap after each row keeps the rows apart; the whole line is centered over the storage.
    lefts = [place + 0.6 * index[0] for place, index in enumerate(indices)]
    shift = (len(storage_cells(tensor)) - 1 - lefts[-1]) / 2
    places = [left + shift for left in lefts]
    length = len(indices) // len(tensor)
    bands = [(x - 0.5, length) for x in places[::length]]
    ax.broken_barh(bands, (2.5, 1), facecolors=colors[::length], alpha=0.3)
    for x, value in zip(places, tensor.flatten().tolist(), strict=True):
        ax.text(x, 3, value, ha="center", va="center", fontsize=8)
    lines = [[(x, 2.5), (cell, 0.5)] for x, cell in zip(places, cells, strict=True)]
    ax.add_collection(LineCollection(lines, colors=colors, linewidths=1))

    ax.set_yticks([0, 3], ["storage", "elements"])
    header = f"size {tuple(tensor.shape)}, stride {tensor.stride()}, offset {tensor.storage_offset()}"
    ax.set_title(f"{title}: {header}", fontsize=9)


def draw_address(tensor, index, ax):
    """Draw the hops along the storage which lead to the element at an index."""
    draw_cells(tensor, ax, read=[cell_number(tensor, index)])
    hops = [(tensor.storage_offset(), "0.5", f"offset {tensor.storage_offset()}")]
    for dim, (i, stride) in enumerate(zip(index, tensor.stride(), strict=True)):
        label = f"dim {dim}: {i} · stride {stride}"
        hops += [(stride, f"C{dim}", label if step == 0 else None) for step in range(i)]

    cell = 0
    for length, color, label in hops:
        arc = {
            "arrowstyle": "->",
            "color": color,
            "connectionstyle": "arc3,rad=-0.4",
            "linewidth": 1.5,
        }
        ax.annotate("", (cell + length, 0.55), (cell, 0.55), arrowprops=arc)
        ax.plot([], [], color=color, label=label)
        cell += length

    ax.set_ylim(-0.6, 4)
    ax.set_yticks([0], ["storage"])
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="upper left")
    ax.set_title(f"element {list(index)} is in cell {cell}", fontsize=9)
