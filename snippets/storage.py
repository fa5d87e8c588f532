"""Storage, offset and stride: how a tensor finds its numbers."""

from itertools import product
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import pytest
import torch

from snippets.drawing import cell_number, draw_address, draw_storage, storage_cells


def shares_storage(left, right):
    """Whether two tensors read the same storage."""
    return left.untyped_storage().data_ptr() == right.untyped_storage().data_ptr()


def is_row_major(tensor):
    """Whether the elements of a non-empty tensor lie side by side in row-major order."""
    expected = 1
    for length, stride in zip(
        reversed(tensor.shape), reversed(tensor.stride()), strict=True
    ):
        # A dimension of length 1 never takes a step, so its stride cannot matter.
        if length > 1 and stride != expected:
            return False
        expected *= length
    return True


def rows_merge(matrix):
    """Whether one stride reaches all elements of a matrix with several rows and columns."""
    # The step from the end of a row to the next row must equal the step inside a row.
    return matrix.stride(0) == matrix.size(1) * matrix.stride(1)


def fastest_pass(lines):
    """Milliseconds of the fastest of five passes which sum every line."""
    durations = []
    for _ in range(5):
        start = perf_counter()
        for line in lines:
            line.sum()
        durations.append(perf_counter() - start)
    return 1000 * min(durations)


def storage_is_flat() -> None:
    """A matrix is a header over one flat run of bytes."""
    grid = torch.arange(10, 22).reshape(3, 4)
    storage = grid.untyped_storage()

    print("grid:\n" + "\n".join(str(row) for row in grid.tolist()))
    print("bytes in storage: ", storage.nbytes())
    print("bytes an element: ", grid.element_size())
    print("cells in storage: ", storage.nbytes() // grid.element_size())
    print("storage in order: ", storage_cells(grid).tolist())

    assert storage.nbytes() == grid.numel() * grid.element_size()
    assert shares_storage(storage_cells(grid), grid)


def transpose_is_a_view() -> None:
    """A transpose swaps sizes and strides, and leaves the storage alone."""
    grid = torch.arange(10, 22).reshape(3, 4)
    turned = grid.t()

    for name, tensor in [("grid", grid), ("turned", turned)]:
        print(name)
        print("  size:  ", tuple(tensor.shape))
        print("  stride:", tensor.stride())
        print("  offset:", tensor.storage_offset())

    print("same storage:", shares_storage(turned, grid))
    assert shares_storage(turned, grid)
    assert turned.stride() == grid.stride()[::-1]
    assert storage_cells(turned).tolist() == storage_cells(grid).tolist()


def address_formula() -> None:
    """Offset plus index times stride is the cell of every element."""
    grid = torch.arange(10, 22).reshape(3, 4)
    corner = grid[1:, 1:]
    index = (1, 2)

    cell = cell_number(corner, index)
    print("stride:            ", corner.stride())
    print("offset:            ", corner.storage_offset())
    print("cell of [1, 2]:    ", cell)
    print("value in that cell:", storage_cells(corner)[cell].item())
    print("corner[1, 2]:      ", corner[index].item())

    for i, j in product(range(2), range(3)):
        assert storage_cells(corner)[cell_number(corner, (i, j))] == corner[i, j]
        distance = cell_number(corner, (i, j)) * corner.element_size()
        assert corner[i, j].data_ptr() == grid.data_ptr() + distance

    fig, ax = plt.subplots(figsize=(6.4, 2), layout="constrained")
    draw_address(corner, index, ax)
    plt.show()


def four_views() -> None:
    """Four headers over one storage: which cell each element reads."""
    grid = torch.arange(10, 22).reshape(3, 4)
    views = {
        "grid": grid,
        "grid.t()": grid.t(),
        "grid[::2, 1:3]": grid[::2, 1:3],
        "grid[:, :1].expand(3, 4)": grid[:, :1].expand(3, 4),
    }

    fig, axes = plt.subplots(4, figsize=(6.4, 6.4), sharex=True, layout="constrained")
    for ax, (title, view) in zip(axes, views.items(), strict=True):
        assert shares_storage(view, grid)
        for index in product(*map(range, view.shape)):
            assert storage_cells(grid)[cell_number(view, index)] == view[index]
        draw_storage(view, ax, title)
    plt.show()


def write_through_views() -> None:
    """A write through one view is seen through every other."""
    grid = torch.arange(10, 22).reshape(3, 4)
    row, column, turned = grid[1], grid[:, 2], grid.t()
    picked = grid[[1]]  # a list as an index asks for a copy

    row[2] = 99
    print("grid[1, 2]:  ", grid[1, 2].item())
    print("column:      ", column.tolist())
    print("turned[2, 1]:", turned[2, 1].item())
    print("picked:      ", picked.tolist())

    assert grid[1, 2] == column[1] == turned[2, 1] == 99
    assert picked[0, 2] == 16
    assert not shares_storage(picked, grid)


def expand_repeats_one_cell() -> None:
    """A stride of 0 repeats elements without memory."""
    bias = torch.tensor([[0.5], [1.5], [2.5]])
    wide = bias.expand(3, 1000)

    print("size:            ", tuple(wide.shape))
    print("stride:          ", wide.stride())
    print("elements:        ", wide.numel())
    print("cells in storage:", len(storage_cells(wide)))
    print("last row starts: ", wide[2, :4].tolist())

    bias[2] = 9
    print("after bias[2] = 9:", wide[2, :4].tolist())
    assert wide.stride(1) == 0
    assert shares_storage(wide, bias)
    assert len(storage_cells(wide)) == 3
    assert (wide[2] == 9).all()


def as_strided_sees_the_storage() -> None:
    """`as_strided` picks cells of the storage, not elements of the tensor."""
    grid = torch.arange(10, 22).reshape(3, 4)
    row = grid[0]

    diagonal = torch.as_strided(grid, size=(3,), stride=(5,), storage_offset=0)
    column = torch.as_strided(row, size=(3,), stride=(4,), storage_offset=1)
    print("diagonal of grid:  ", diagonal.tolist())
    print("row:               ", row.tolist())
    print("column through row:", column.tolist())
    assert torch.equal(diagonal, grid.diagonal())
    assert torch.equal(column, grid[:, 1])

    message = ""
    try:
        torch.as_strided(grid, size=(4, 4), stride=(4, 1))
    except RuntimeError as error:
        message = str(error)
    print("four rows of four: ", message)
    assert "out of bounds for storage of size 96" in message


def sliding_windows() -> None:
    """Sliding windows are a view whose two strides are equal."""
    signal = torch.tensor([3.0, 1.0, 2.0, 6.0, 4.0, 8.0])
    windows = signal.unfold(dimension=0, size=3, step=1)

    print("stride:          ", windows.stride())
    print("elements:        ", windows.numel())
    print("cells in storage:", len(storage_cells(windows)))
    print("moving average:  ", windows.mean(dim=1).tolist())

    assert shares_storage(windows, signal)
    assert windows.stride(0) == windows.stride(1)
    for start, window in enumerate(windows):
        assert torch.equal(window, signal[start : start + 3])

    fig, ax = plt.subplots(figsize=(6.4, 2), layout="constrained")
    draw_storage(windows, ax, "windows")
    plt.show()


@pytest.mark.cpu_only(
    "on a GPU the writes race for the shared cells, so the sums are undefined"
)
def overlapping_writes_pile_up() -> None:
    """In-place arithmetic on overlapping elements: refused for stride 0, silent for windows."""
    wide = torch.zeros(1).expand(3)
    message = ""
    try:
        wide.add_(1)
    except RuntimeError as error:
        message = str(error).split(".")[0]
    print("expanded:", message)
    assert "single memory location" in message

    counts = torch.zeros(5, dtype=torch.int64)
    windows = counts.unfold(dimension=0, size=3, step=1)
    windows.add_(1)
    print("windows: ", counts.tolist())
    assert counts.tolist() == [1, 2, 3, 2, 1]

    separate = torch.zeros(5).unfold(dimension=0, size=3, step=1).clone()
    assert (separate.add_(1) == 1).all()


def no_negative_stride() -> None:
    """PyTorch has no negative strides, so reversing copies."""
    signal = torch.arange(10, 15)

    messages = []
    try:
        signal[::-1]
    except ValueError as error:
        messages.append(f"ValueError: {error}")
    try:
        torch.as_strided(signal, size=(5,), stride=(-1,), storage_offset=4)
    except RuntimeError as error:
        messages.append(f"RuntimeError: {error}")
    print("\n".join(messages))
    assert len(messages) == 2

    backward = signal.flip(0)
    print("flipped: ", backward.tolist())
    print("stride:  ", backward.stride())
    print("a copy:  ", not shares_storage(backward, signal))
    assert backward.stride() == (1,)
    assert not shares_storage(backward, signal)


def negative_view_is_a_flag() -> None:
    """A negative view reads the same cells and changes the sign on the way."""
    waves = torch.tensor([1 + 2j, 3 - 4j])
    mirrored = waves.conj().imag

    print("floats:    ", torch.view_as_real(waves).flatten().tolist())
    print("imag:      ", waves.imag.tolist())
    print("mirrored:  ", mirrored.tolist())
    print("is_neg():  ", mirrored.is_neg())
    assert mirrored.data_ptr() == waves.imag.data_ptr()
    assert mirrored.stride() == waves.imag.stride() == (2,)
    assert mirrored.is_neg()
    assert torch.equal(mirrored, -waves.imag)

    mirrored[0] = 7
    print("waves after mirrored[0] = 7:", waves.tolist())
    assert waves[0] == 1 - 7j


def contiguous_means_row_major() -> None:
    """Contiguous views, views with gaps, and what `contiguous()` does to each."""
    grid = torch.arange(10, 22).reshape(3, 4)
    views = {
        "grid": grid,
        "grid[1:]": grid[1:],
        "grid[:, 1:]": grid[:, 1:],
        "grid.t()": grid.t(),
        "grid[:1].t()": grid[:1].t(),
    }

    for name, view in views.items():
        packed = view.contiguous()
        outcome = "itself" if packed is view else "a copy"
        print(
            f"{name:12}  stride {view.stride()}  contiguous: {view.is_contiguous()!s:5}  gives {outcome}"
        )
        assert view.is_contiguous() == is_row_major(view) == (packed is view)
        assert is_row_major(packed)
        assert torch.equal(packed, view)

    print(
        "cells of grid.t().contiguous():", storage_cells(grid.t().contiguous()).tolist()
    )


def view_refuses_to_copy() -> None:
    """`view` raises where no header over the same cells can do it."""
    grid = torch.arange(10, 22).reshape(3, 4)
    turned = grid.t()

    split = turned.view(2, 2, 3)
    print("turned.view(2, 2, 3): stride", split.stride())
    assert shares_storage(split, grid)

    messages = []
    for size in [(5, 2), (12,)]:
        try:
            turned.view(size)
        except RuntimeError as error:
            messages.append(str(error).split(" (")[0])
            print(f"turned.view{size}: {messages[-1]}")
    assert "invalid for input of size 12" in messages[0]
    assert "not compatible with input tensor's size and stride" in messages[1]


def reshape_view_or_copy() -> None:
    """When flattening is a view and when it copies."""
    grid = torch.arange(10, 22).reshape(3, 4)
    matrices = {
        "grid": grid,
        "grid[1:]": grid[1:],
        "grid[:, ::2]": grid[:, ::2],
        "grid[:, :3]": grid[:, :3],
        "grid.t()": grid.t(),
    }
    for name, matrix in matrices.items():
        shared = shares_storage(matrix.reshape(-1), matrix)
        print(
            f"{name:12}  size {tuple(matrix.shape)}  stride {matrix.stride()}  {'view' if shared else 'copy'}"
        )
        assert shared == rows_merge(matrix)


def reshape_drawn() -> None:
    """A reshape that is a view, and one that must copy, drawn."""
    grid = torch.arange(10, 22).reshape(3, 4)
    drawn = {
        "grid.reshape(2, 6)": grid.reshape(2, 6),
        "grid.t()": grid.t(),
        "grid.t().reshape(2, 6)": grid.t().reshape(2, 6),
    }
    fig, axes = plt.subplots(3, figsize=(6.4, 4.8), sharex=True, layout="constrained")
    for ax, (title, tensor) in zip(axes, drawn.items(), strict=True):
        kind = "view" if shares_storage(tensor, grid) else "copy"
        draw_storage(tensor, ax, f"{title}, a {kind}")
    plt.show()

    assert shares_storage(drawn["grid.reshape(2, 6)"], grid)
    assert not shares_storage(drawn["grid.t().reshape(2, 6)"], grid)
    assert torch.equal(
        storage_cells(drawn["grid.t().reshape(2, 6)"]), grid.t().flatten()
    )


def small_slice_keeps_storage() -> None:
    """A slice of one element holds, and saves, a million."""
    samples = torch.zeros(1_000_000)
    first = samples[:1]
    del samples

    for name, tensor in {"slice": first, "clone": first.clone()}.items():
        path = Path(f"{name}.pt")
        torch.save(tensor, path)
        loaded = torch.load(path)

        print(name)
        print("  bytes of the element:       ", tensor.nbytes)
        print("  bytes of its storage:       ", tensor.untyped_storage().nbytes())
        print("  file, in thousands of bytes:", path.stat().st_size // 1000)
        print("  bytes of storage on loading:", loaded.untyped_storage().nbytes())
        assert loaded.untyped_storage().nbytes() == tensor.untyped_storage().nbytes()

    assert first.untyped_storage().nbytes() == 4_000_000
    assert Path("slice.pt").stat().st_size > 1000 * Path("clone.pt").stat().st_size


def channels_last_reorders_cells() -> None:
    """`channels_last` keeps shape and values and reorders the cells."""
    # The tens digit names the channel, the ones digit the pixel.
    channels = torch.tensor([10, 20, 30]).reshape(1, 3, 1, 1)
    pixels = torch.arange(1, 5).reshape(1, 1, 2, 2)
    image = channels + pixels
    packed = image.to(memory_format=torch.channels_last)

    for name, tensor in [("image", image), ("packed", packed)]:
        print(f"{name}: size {tuple(tensor.shape)}, stride {tensor.stride()}")
        print("  cells:", storage_cells(tensor).tolist())

    assert torch.equal(image, packed)
    assert not packed.is_contiguous()
    assert packed.is_contiguous(memory_format=torch.channels_last)
    assert (packed + 1).stride() == packed.stride()
    assert is_row_major(packed.permute(0, 2, 3, 1))


@pytest.mark.measurement
@pytest.mark.cpu_only("the cost shown is that of a CPU's cache lines")
def columns_cost_more() -> None:
    """Row-order against column-order traversal of one matrix, measured."""
    torch.manual_seed(0)
    table = torch.rand(2048, 2048)
    rows, columns = list(table), list(table.t())
    assert torch.allclose(
        sum(row.sum() for row in rows), sum(column.sum() for column in columns)
    )

    row_time, column_time = fastest_pass(rows), fastest_pass(columns)
    print(f"rows,    stride {rows[0].stride(0):4}: {row_time:5.1f} ms")
    print(f"columns, stride {columns[0].stride(0):4}: {column_time:5.1f} ms")
    print(f"columns / rows: {column_time / row_time:.1f}")
    assert column_time > row_time


def solution_blocks_without_copy() -> None:
    """Cut a matrix into blocks without a copy."""
    grid = torch.arange(24).reshape(4, 6)
    # Split each dimension into (which block, place in the block), then bring the two block numbers to the front.
    blocks = grid.view(2, 2, 2, 3).permute(0, 2, 1, 3)

    print("size:        ", tuple(blocks.shape))
    print("stride:      ", blocks.stride())
    print("blocks[1, 0]:", blocks[1, 0].tolist())

    assert shares_storage(blocks, grid)
    assert torch.equal(blocks[1, 0], grid[2:, :3])
    same = torch.as_strided(grid, size=(2, 2, 2, 3), stride=(12, 3, 6, 1))
    assert torch.equal(blocks, same)


def solution_reshape_an_expanded_tensor() -> None:
    """Which reshapes of an expanded tensor fill memory."""
    bias = torch.tensor([0.5, 1.5, 2.5, 3.5])
    tall = bias.expand(1000, 4)

    for size in [(10, 100, 4), (1000, 2, 2), (2000, 2)]:
        shaped = tall.reshape(size)
        print(
            f"reshape{size}: stride {shaped.stride()}, {shaped.untyped_storage().nbytes()} bytes"
        )
        assert shares_storage(shaped, bias) == (size != (2000, 2))

    assert (
        tall.reshape(2000, 2).untyped_storage().nbytes()
        == 1000 * tall.untyped_storage().nbytes()
    )
