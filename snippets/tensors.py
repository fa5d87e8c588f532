"""Tensors: making them, computing with them, choosing from them, and changing their shape."""

import itertools
import math
import struct
import sys

import matplotlib.pyplot as plt
import pytest
import torch


def numbers_to_tensors() -> None:
    """A number, a list and nested lists become tensors with 0, 1, 2 and 3 axes."""
    scalar = torch.tensor(7.0)
    vector = torch.tensor([1.0, 2.0, 3.0])
    matrix = torch.tensor([[1, 2, 3], [4, 5, 6]])
    batch = torch.tensor([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]])

    named = {"scalar": scalar, "vector": vector, "matrix": matrix, "batch": batch}
    for name, tensor in named.items():
        print(
            f"{name + ':':7} ndim {tensor.ndim}, numel {tensor.numel():>2}, shape {tuple(tensor.shape)}"
        )
        assert tensor.ndim == len(tensor.shape)
        assert tensor.numel() == math.prod(tensor.shape)
    print("dtypes:", vector.dtype, "and", matrix.dtype)

    ragged_error = ""
    try:
        torch.tensor([[1, 2], [3]])
    except ValueError as error:
        ragged_error = str(error)
    print("ragged list:", ragged_error)
    assert ragged_error


def create_by_rule() -> None:
    """Factories make a tensor from a shape or a rule instead of a list."""
    zeros = torch.zeros(2, 3)
    ones = torch.ones(2, 3)
    sevens = torch.full((2, 2), 7)
    identity = torch.eye(3)
    steps = torch.arange(0, 10, 3)
    points = torch.linspace(0, 10, 5)

    print("zeros:   ", zeros.tolist())
    print("full:    ", sevens.tolist())
    print("eye:     ", identity.tolist())
    print("arange:  ", steps.tolist())
    print("linspace:", points.tolist())
    print("dtypes:   ones", ones.dtype, "| full", sevens.dtype, "| arange", steps.dtype)
    assert ones.dtype == torch.float32
    assert steps.max() < 10, "arange leaves the end out"
    assert points[-1] == 10 and len(points) == 5, (
        "linspace holds the end and counts the points"
    )


def random_and_like() -> None:
    """Random factories repeat with their seed, and `*_like` factories copy shape and dtype."""
    torch.manual_seed(0)
    uniform = torch.rand(1000)
    normal = torch.randn(1000)
    torch.manual_seed(0)
    again = torch.rand(1000)
    print("rand within [0, 1):  ", bool((uniform >= 0).all() and (uniform < 1).all()))
    print("randn below zero too:", bool((normal < 0).any()))
    print("same seed, same rand:", torch.equal(uniform, again))
    assert torch.equal(uniform, again)

    template = torch.tensor([[1, 2, 3], [4, 5, 6]])
    zeros = torch.zeros_like(template)
    noise = torch.randn_like(template, dtype=torch.float32)
    # Whatever was in this memory before is in it still: its values are never worth printing.
    unfilled = torch.empty_like(template)
    for name, tensor in {
        "zeros_like": zeros,
        "randn_like": noise,
        "empty_like": unfilled,
    }.items():
        print(f"{name}: {tuple(tensor.shape)} {tensor.dtype}")
        assert tensor.shape == template.shape
    assert zeros.dtype == template.dtype


def boxed_versus_buffer() -> None:
    """A list of floats takes about eight times the bytes of a float32 tensor."""
    count = 1000
    buffer = torch.arange(count, dtype=torch.float32)
    boxed = buffer.tolist()

    references = count * struct.calcsize("P")
    objects = sum(sys.getsizeof(number) for number in boxed)
    print("list, references:   ", references, "bytes")
    print("list, float objects:", objects, "bytes")
    print("float32 tensor:     ", buffer.nbytes, "bytes")
    assert sys.getsizeof(boxed) >= references
    assert len({id(number) for number in boxed}) == count
    assert references + objects >= 8 * buffer.nbytes

    offsets = [buffer[i].data_ptr() - buffer.data_ptr() for i in range(4)]
    print("first elements lie at byte", offsets)
    assert offsets == [i * buffer.element_size() for i in range(4)]

    fig, ax = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
    rows = ["list of floats", "float64 tensor", "float32 tensor"]
    values = [references / count, torch.float64.itemsize, buffer.nbytes / count]
    ax.barh(rows[:1], values[:1], color="C1", label="reference")
    ax.barh(
        rows[:1], objects / count, left=values[0], color="0.5", label="float object"
    )
    ax.barh(rows[1:], values[1:], color="C0", label="element of the buffer")
    ax.invert_yaxis()
    ax.set_xlabel("bytes for each number")
    ax.legend(frameon=False)
    plt.show()


def elementwise_arithmetic() -> None:
    """Operators and functions work on each element, and `/` always gives floats."""
    prices = torch.tensor([4, 9, 25])
    amounts = torch.tensor([3, 2, 1])

    totals = prices * amounts
    print("prices * amounts: ", totals.tolist())
    print("prices - 4:       ", (prices - 4).tolist())
    print("amounts ** 2:     ", (amounts**2).tolist())
    print("prices // amounts:", (prices // amounts).tolist())
    print("prices / 4:       ", (prices / 4).tolist())
    print("prices > 5:       ", (prices > 5).tolist())
    print("sqrt(prices):     ", torch.sqrt(prices).tolist())

    by_hand = [
        price * amount
        for price, amount in zip(prices.tolist(), amounts.tolist(), strict=True)
    ]
    assert totals.tolist() == by_hand
    assert (prices / 5).dtype == torch.float32
    assert torch.equal(prices * amounts, torch.mul(prices, amounts))


def dot_and_matmul() -> None:
    """`@` sums products along the axis that both sides share."""
    weights = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    features = torch.tensor([1.0, 0.0, -1.0])
    samples = torch.tensor([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.0]])

    print("dot product:    ", torch.dot(weights[0], features).item())
    print("matrix @ vector:", (weights @ features).tolist())
    print("matrix @ matrix:", (weights @ samples).tolist())
    print("shapes:         ", tuple(weights.shape), "@", tuple(samples.shape))
    assert torch.equal(weights @ samples, torch.matmul(weights, samples))

    by_hand = torch.zeros(2, 2)
    for i, j, k in itertools.product(range(2), range(2), range(3)):
        by_hand[i, j] += weights[i, k] * samples[k, j]
    torch.testing.assert_close(weights @ samples, by_hand)

    refused = False
    try:
        weights @ weights
    except RuntimeError as error:
        refused = "shapes cannot be multiplied (2x3 and 2x3)" in str(error)
    print("2x3 @ 2x3 refused:", refused)
    assert refused


def indexing_and_slicing() -> None:
    """An integer removes its axis, and a slice keeps it."""
    table = torch.arange(12).reshape(3, 4)
    print("table:          ", table.tolist())
    print("table[1, 2]:    ", table[1, 2].tolist(), " shape", tuple(table[1, 2].shape))
    print("table[1]:       ", table[1].tolist(), " shape", tuple(table[1].shape))
    print("table[1:2]:     ", table[1:2].tolist(), " shape", tuple(table[1:2].shape))
    print("table[:, -1]:   ", table[:, -1].tolist())
    print("table[::2, 1:3]:", table[::2, 1:3].tolist())
    print("table[[2, 0]]:  ", table[[2, 0]].tolist())
    assert table[1].shape == (4,) and table[1:2].shape == (1, 4)
    assert torch.equal(table[..., 0], table[:, 0])

    first_row, first_slice = table[0], table[:1]
    chosen_rows = table[[0]]
    first_row[0] = 100
    print("after writing to table[0]:", table[0].tolist(), "and", chosen_rows.tolist())
    assert table[0, 0] == first_slice[0, 0] == 100, "indices and slices share memory"
    assert chosen_rows[0, 0] == 0, "a list of positions makes a copy"


def boolean_masks() -> None:
    """A boolean mask selects, counts and overwrites the elements where it is true."""
    temperatures = torch.tensor([[21.5, -3.0, 14.0], [-8.5, 30.0, 2.5]])
    frost = temperatures < 0
    selected = temperatures[frost]
    mild = (temperatures > 0) & (temperatures < 20)

    print("frost:   ", frost.tolist())
    print("selected:", selected.tolist())
    print("counted: ", frost.sum().item())
    print("mild:    ", temperatures[mild].tolist())
    print("where:   ", torch.where(frost, 0.0, temperatures).tolist())
    assert selected.ndim == 1
    assert torch.equal(~mild, (temperatures <= 0) | (temperatures >= 20))

    message = ""
    try:
        both = temperatures > 0 and temperatures < 20
        print(both)
    except RuntimeError as error:
        message = str(error)
    print("with `and`: RuntimeError:", message)
    assert "ambiguous" in message

    temperatures[frost] = 0.0
    assert temperatures.min() == 0
    assert selected.tolist() == [-3.0, -8.5], "selecting with a mask has copied"


def gather_and_scatter() -> None:
    """`gather` reads one element of each row at a given column, and `scatter` writes there."""
    scores = torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    # One row of the index for each row of the scores, holding the columns to visit.
    labels = torch.tensor([[2], [0], [1]])

    picked = scores.gather(dim=1, index=labels)
    by_hand = [[scores[i, labels[i, 0]].item()] for i in range(3)]
    print("picked: ", [[round(score, 4) for score in row] for row in picked.tolist()])
    assert picked.tolist() == by_hand

    one_hot = torch.zeros(3, 3).scatter(dim=1, index=labels, value=1.0)
    print("one-hot:", one_hot.tolist())
    assert torch.equal(one_hot.gather(dim=1, index=labels), torch.ones(3, 1))

    votes = torch.tensor([2, 0, 2, 2, 1])
    counts = torch.zeros(3).scatter_add(dim=0, index=votes, src=torch.ones(5))
    print("counts: ", counts.tolist())
    assert torch.equal(counts.long(), torch.bincount(votes))


def reshape_keeps_the_order() -> None:
    """`reshape`, `view`, `flatten`, `squeeze` and `unsqueeze` regroup elements in one order."""
    readings = torch.arange(24)
    cube = readings.reshape(2, 3, 4)
    rows = readings.view(6, -1)
    flat = cube.flatten(start_dim=1)
    column = readings.unsqueeze(1)

    print("reshape(2, 3, 4):    ", tuple(cube.shape))
    print("view(6, -1):         ", tuple(rows.shape))
    print("flatten(start_dim=1):", tuple(flat.shape))
    print("unsqueeze(1):        ", tuple(column.shape))
    print("squeeze(1):          ", tuple(column.squeeze(1).shape))
    for tensor in (cube, rows, flat, column, column.squeeze(1)):
        assert tensor.flatten().tolist() == readings.tolist()
        assert tensor.data_ptr() == readings.data_ptr(), "no element has moved"
    assert cube[0, 0].tolist() == [0, 1, 2, 3], "the last axis runs fastest"
    assert cube.squeeze(1).shape == cube.shape, "only an axis of size 1 can be squeezed"

    message = ""
    try:
        readings.reshape(5, -1)
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert "invalid for input of size 24" in message


def permute_moves_axes() -> None:
    """`permute` reorders axes, while `reshape` to the same shape mixes them up."""
    # Two rows and three columns of pixels, each with a red, a green and a blue value.
    image = torch.tensor(
        [
            [[10, 20, 30], [11, 21, 31], [12, 22, 32]],
            [[13, 23, 33], [14, 24, 34], [15, 25, 35]],
        ]
    )
    channels_first = image.permute(2, 0, 1)
    wrong = image.reshape(3, 2, 3)

    print("image:             ", tuple(image.shape))
    print("permute:           ", tuple(channels_first.shape))
    print("red after permute: ", channels_first[0].tolist())
    print("red after reshape: ", wrong[0].tolist())
    assert channels_first.shape == wrong.shape
    assert torch.equal(channels_first[0], image[:, :, 0])
    assert not torch.equal(wrong, channels_first)

    grid = image[:, :, 0]
    assert torch.equal(grid.T, grid.permute(1, 0))
    assert torch.equal(image.transpose(0, 2), image.permute(2, 1, 0))
    print("transposed red:    ", grid.T.tolist())


def outer_sum() -> None:
    """A column plus a row gives a table with every pair of their elements."""
    column = torch.tensor([[0], [10], [20]])
    row = torch.tensor([1, 2, 3, 4])
    table = column + row

    print("column:", tuple(column.shape))
    print("row:   ", tuple(row.shape))
    print("table: ", tuple(table.shape))
    for line in table.tolist():
        print("       ", line)

    for i, j in itertools.product(range(3), range(4)):
        assert table[i, j] == column[i, 0] + row[j]


def draw_grid(
    ax, values: torch.Tensor, original: tuple[int, int], color: str, title: str
) -> None:
    """Draw a matrix as cells; those outside its `original` shape are repeats and drawn pale."""
    for i, j in itertools.product(range(values.shape[0]), range(values.shape[1])):
        repeated = i >= original[0] or j >= original[1]
        cell = plt.Rectangle(
            (j, i), 0.9, 0.9, color=color, alpha=0.12 if repeated else 0.5, linewidth=0
        )
        ax.add_patch(cell)
        ax.text(j + 0.45, i + 0.45, values[i, j].item(), ha="center", va="center")
    ax.set(
        xlim=(-0.1, values.shape[1]),
        ylim=(values.shape[0], -0.1),
        aspect="equal",
        title=title,
    )
    ax.set_axis_off()


def broadcasting_picture() -> None:
    """Each operand is repeated along its axis of size 1 until both have one shape."""
    column = torch.tensor([[0], [10], [20]])
    row = torch.tensor([[1, 2, 3, 4]])
    table = column + row

    wide_column = column.expand(3, 4)
    tall_row = row.expand(3, 4)
    assert torch.equal(wide_column + tall_row, table)
    # All four elements of a row of the wide column are the same place in memory.
    assert wide_column[0, 3].data_ptr() == wide_column[0, 0].data_ptr()
    print("column:", tuple(column.shape), "stretched to", tuple(wide_column.shape))
    print("row:   ", tuple(row.shape), "stretched to", tuple(tall_row.shape))

    fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.2), layout="constrained")
    draw_grid(
        axes[0], wide_column, tuple(column.shape), "C0", f"column {tuple(column.shape)}"
    )
    draw_grid(axes[1], tall_row, tuple(row.shape), "C1", f"+  row {tuple(row.shape)}")
    draw_grid(
        axes[2], table, tuple(table.shape), "C2", f"=  table {tuple(table.shape)}"
    )
    plt.show()


def broadcast_shape(
    left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The shape of a sum of tensors with shapes `left` and `right`, or None where they do not fit."""
    rank = max(len(left), len(right))
    # Shapes are compared from their last axis, so the shorter one gets ones in front.
    left = (1,) * (rank - len(left)) + left
    right = (1,) * (rank - len(right)) + right
    sizes = []
    for a, b in zip(left, right, strict=True):
        if a != b and a != 1 and b != 1:
            return None
        sizes.append(b if a == 1 else a)
    return tuple(sizes)


def shape_of_sum(
    left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The shape that torch gives the sum, or None where torch refuses to add."""
    try:
        return tuple((torch.zeros(left) + torch.zeros(right)).shape)
    except RuntimeError:
        return None


def broadcasting_rules() -> None:
    """The rules in code agree with torch on every pair of small shapes."""
    examples = [((3, 1), (4,)), ((2, 3, 4), (3, 1)), ((5,), ()), ((3, 4), (3,))]
    for left, right in examples:
        print(f"{left} + {right} -> {broadcast_shape(left, right)}")

    shapes = [
        shape for rank in range(4) for shape in itertools.product(range(3), repeat=rank)
    ]
    agreed = refused = 0
    for left, right in itertools.product(shapes, repeat=2):
        expected = shape_of_sum(left, right)
        assert broadcast_shape(left, right) == expected
        agreed += 1
        refused += expected is None
    print(f"{agreed} pairs agree with torch, {refused} of them refused")

    message = ""
    try:
        torch.zeros(3, 4) + torch.zeros(3)
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert "must match" in message


def reductions_and_keepdim() -> None:
    """`dim` names the axis that a reduction removes, and `keepdim` leaves it with size 1."""
    scores = torch.tensor([[1.0, 3.0], [2.0, 2.0], [5.0, 0.0]])
    print("sum():     ", scores.sum().item())
    print("sum(dim=0):", scores.sum(dim=0).tolist())
    print("sum(dim=1):", scores.sum(dim=1).tolist())
    largest = scores.max(dim=1)
    print("max(dim=1):", largest.values.tolist(), "at", largest.indices.tolist())
    assert torch.equal(largest.indices, scores.argmax(dim=1))

    totals = scores.sum(dim=1, keepdim=True)
    shares = scores / totals
    print("keepdim:   ", tuple(scores.shape), "/", tuple(totals.shape))
    print(
        "shares:    ", [[round(share, 4) for share in row] for row in shares.tolist()]
    )
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(3))

    # On a square matrix the forgotten keepdim raises nothing: it divides by the wrong totals.
    square = scores[1:]
    wrong = square / square.sum(dim=1)
    assert torch.equal(wrong[:, 1], square[:, 1] / square[1].sum())
    print(
        "row sums without keepdim:",
        [round(total, 4) for total in wrong.sum(dim=1).tolist()],
    )
    assert not torch.allclose(wrong.sum(dim=1), torch.ones(2))


def concatenate_and_stack() -> None:
    """`cat` makes an existing axis longer, and `stack` makes a new axis."""
    morning = torch.tensor([[1, 2, 3], [4, 5, 6]])
    evening = morning * 10

    below = torch.cat([morning, evening], dim=0)
    beside = torch.cat([morning, evening], dim=1)
    stacked = torch.stack([morning, evening])
    print("cat, dim=0:  ", tuple(below.shape), below.tolist())
    print("cat, dim=1:  ", tuple(beside.shape), beside.tolist())
    print("stack, dim=0:", tuple(stacked.shape), stacked.tolist())
    assert torch.equal(stacked[1], evening)
    assert torch.equal(below.reshape(2, 2, 3), stacked)

    back = torch.split(beside, 3, dim=1)
    assert torch.equal(back[0], morning) and torch.equal(back[1], evening)

    below[0, 0] = 100
    print("morning afterwards:", morning.tolist())
    assert morning[0, 0] == 1, "cat has copied"


def einsum_names_the_axes() -> None:
    """In `einsum` letters name axes, and a letter missing from the result is summed over."""
    torch.manual_seed(0)
    a = torch.randint(-3, 4, (2, 3)).float()
    b = torch.randint(-3, 4, (3, 4)).float()
    batch = torch.randint(-3, 4, (5, 2, 3)).float()

    cases = {
        "ij->ji": (torch.einsum("ij->ji", a), a.T),
        "ij->i": (torch.einsum("ij->i", a), a.sum(dim=1)),
        "ij,ij->": (torch.einsum("ij,ij->", a, a), (a * a).sum()),
        "ik,kj->ij": (torch.einsum("ik,kj->ij", a, b), a @ b),
        "i,j->ij": (torch.einsum("i,j->ij", a[0], b[0]), a[0].unsqueeze(1) * b[0]),
        "nik,kj->nij": (torch.einsum("nik,kj->nij", batch, b), batch @ b),
    }
    for pattern, (by_letters, by_method) in cases.items():
        print(f"{pattern:<12} shape {tuple(by_letters.shape)}")
        torch.testing.assert_close(by_letters, by_method)


def in_place_underscore() -> None:
    """A trailing underscore changes the tensor itself, and every name for it sees the change."""
    readings = torch.tensor([1.0, 2.0, 3.0])
    other_name = readings
    shifted = readings.add(10)
    print("after add:          ", readings.tolist(), "result:", shifted.tolist())
    assert shifted.data_ptr() != readings.data_ptr()

    readings.add_(10)
    readings *= 2
    print("after add_ and *=:  ", other_name.tolist())
    assert other_name is readings

    readings = readings + 1
    print("after readings + 1: ", readings.tolist(), "other name:", other_name.tolist())
    assert other_name is not readings

    message = ""
    counts = torch.tensor([1, 2, 3])
    try:
        counts.add_(0.5)
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert counts.tolist() == [1, 2, 3] and "can't be cast" in message


def write_into_out() -> None:
    """`out=` writes a result into a tensor that exists already."""
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    samples = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    result = torch.empty(2, 2)
    address = result.data_ptr()

    returned = torch.matmul(weights, samples, out=result)
    print("product:", result.tolist())
    assert returned is result

    torch.add(weights, samples, out=result)
    print("sum:    ", result.tolist())
    assert result.data_ptr() == address, "both results were written to the same memory"

    message = ""
    try:
        torch.add(weights, samples, out=torch.empty(2, 2, dtype=torch.int64))
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert "can't be cast" in message


@pytest.mark.own_device
def born_on_a_device() -> None:
    """A factory puts its tensor on the device that `device=` names."""
    device = torch.accelerator.current_accelerator(
        check_available=True
    ) or torch.device("cpu")
    weights = torch.zeros(2, 3, device=device)
    plain = torch.zeros(2, 3)
    print("device=device:", weights.device.type)
    print("no device=:   ", plain.device.type)
    assert weights.device.type == device.type
    assert plain.device.type == "cpu"

    # What is made from a tensor stays where that tensor is.
    assert torch.ones_like(weights).device == weights.device
    assert (weights + 1).device == weights.device

    with device:
        inside = torch.arange(3)
    print("with device:  ", inside.device.type)
    assert inside.device.type == device.type


def back_to_python() -> None:
    """`item()` gives the one number of a tensor, and `tolist()` gives all of them in lists."""
    losses = torch.tensor([[0.5, 0.25], [1.0, 0.1]])
    mean = losses[0].mean()

    print("mean.item():    ", mean.item(), type(mean.item()).__name__)
    print("losses.tolist():", losses[:, 0].tolist())
    assert isinstance(mean.item(), float)
    assert isinstance(losses.tolist()[0], list)

    # float32 holds the nearest number it has to 0.1; a Python float shows which one that is.
    print("0.1 in float32: ", f"{losses[1, 1].item():.10f}")
    assert losses[1, 1].item() != 0.1
    assert torch.equal(torch.tensor(losses.tolist()), losses)

    message = ""
    try:
        losses.item()
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert "4 elements" in message


@pytest.mark.cpu_only(
    "a tensor on another device is printed together with that device's name"
)
def printing_options() -> None:
    """`set_printoptions` changes what print shows of a tensor, never what the tensor holds."""
    values = torch.tensor([0.001234567, 1.0, 2048.5])
    long_row = torch.arange(5000)
    before = values.clone()
    print("default:   ", values)
    print("default:   ", long_row)

    torch.set_printoptions(precision=2, sci_mode=False, edgeitems=1)
    print("two digits:", values)
    print("one edge:  ", long_row)
    assert "0.00," in str(values) and values[0] != 0
    assert torch.equal(values, before)

    # The options hold for the whole process until they are set again.
    torch.set_printoptions(profile="default")
    assert "1.2346e-03" in str(values)


def solution_silent_broadcast() -> None:
    """A column of predictions minus a flat row of targets compares every pair."""
    predictions = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    targets = torch.tensor([1.0, 2.0, 3.0, 4.0])

    wrong = predictions - targets
    right = predictions.squeeze(1) - targets
    print("wrong:", tuple(wrong.shape), "mean square", (wrong**2).mean().item())
    print("right:", tuple(right.shape), "mean square", (right**2).mean().item())
    assert wrong.shape == (4, 4)
    assert right.shape == targets.shape
    assert (right**2).mean() == 0 < (wrong**2).mean()


def solution_cut_into_patches() -> None:
    """`reshape` splits each axis in two, and `permute` brings the patch axes together."""
    image = torch.arange(24).reshape(4, 6)
    # Four rows are 2 patches of 2 rows; six columns are 2 patches of 3 columns.
    split = image.reshape(2, 2, 2, 3)
    patches = split.permute(0, 2, 1, 3).reshape(4, 2, 3)

    print("image:  ", tuple(image.shape))
    print("patches:", tuple(patches.shape))
    for patch in patches.tolist():
        print("        ", patch)
    assert torch.equal(patches[0], image[:2, :3])
    assert torch.equal(patches[3], image[2:, 3:])
