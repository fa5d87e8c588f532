"""The NumPy bridge: what copies, what shares, and what has to happen first."""

import array
import struct
import warnings
import weakref
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch


def same_memory(tensor, ndarray):
    """Whether a tensor and a NumPy array begin at the same byte of memory."""
    return tensor.data_ptr() == ndarray.ctypes.data


def outcome(make_tensor, ndarray):
    """What a function does with an array: share its memory, copy, or raise."""
    try:
        tensor = make_tensor(ndarray)
    except (ValueError, TypeError, RuntimeError, BufferError):
        return "raises"
    return "shares" if same_memory(tensor, ndarray) else "copies"


def draw_outcomes(ax, row, outcomes):
    """Draw one row of a table, with a color for each outcome."""
    colors = {"shares": ("C0", 0.5), "copies": ("C1", 0.5), "raises": ("0.5", 0.2)}
    cells = [(column - 0.48, 0.96) for column in range(len(outcomes))]
    fills = [colors[word] for word in outcomes]
    ax.broken_barh(cells, (row - 0.45, 0.9), facecolors=fills)
    for column, word in enumerate(outcomes):
        ax.text(column, row, word, ha="center", va="center", fontsize=8)


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def two_names_for_one_buffer() -> None:
    """`from_numpy` gives a tensor over the array's own memory."""
    readings = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(readings)
    print("same first byte: ", same_memory(tensor, readings))
    print("bytes of storage:", tensor.untyped_storage().nbytes())
    print("bytes of array:  ", readings.nbytes)
    assert tensor.data_ptr() == readings.ctypes.data
    assert tensor.untyped_storage().nbytes() == readings.nbytes

    readings[0] = 10
    tensor[1] = 20
    tensor.mul_(2)
    print("tensor:          ", tensor.tolist())
    print("readings:        ", readings.tolist())
    assert readings.tolist() == tensor.tolist() == [20, 40, 6]

    readings = readings + 1
    print("a new array:     ", readings.tolist())
    print("the same tensor: ", tensor.tolist())
    assert not same_memory(tensor, readings)


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def into_torch() -> None:
    """Every way from an array to a tensor: does it share or copy?"""
    samples = np.arange(6, dtype=np.float32)
    float32 = torch.float32
    ways = {
        "torch.from_numpy(samples)": torch.from_numpy(samples),
        "torch.as_tensor(samples)": torch.as_tensor(samples),
        "torch.asarray(samples)": torch.asarray(samples),
        "torch.from_dlpack(samples)": torch.from_dlpack(samples),
        "torch.frombuffer(samples, ...)": torch.frombuffer(samples, dtype=float32),
        "torch.tensor(samples)": torch.tensor(samples),
        "torch.asarray(samples, copy=True)": torch.asarray(samples, copy=True),
        "torch.from_numpy(samples).clone()": torch.from_numpy(samples).clone(),
        "torch.as_tensor(samples.tolist())": torch.as_tensor(samples.tolist()),
    }

    samples[0] = 100
    for call, tensor in ways.items():
        distance = tensor.untyped_storage().data_ptr() - samples.ctypes.data
        sees_the_write = tensor[0].item() == 100
        word = "shares" if distance == 0 else "copies"
        print(f"{call:34} {word}, reads {tensor[0].item():5.1f}")
        assert (distance == 0) == same_memory(tensor, samples) == sees_the_write
        assert tensor.untyped_storage().nbytes() == samples.nbytes


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def out_of_torch() -> None:
    """Every way from a tensor to an array: does it share or copy?"""
    samples = torch.arange(6, dtype=torch.float32)
    ways = {
        "samples.numpy()": samples.numpy(),
        "samples.numpy(force=True)": samples.numpy(force=True),
        "np.asarray(samples)": np.asarray(samples),
        "np.from_dlpack(samples)": np.from_dlpack(samples),
        "samples.numpy().copy()": samples.numpy().copy(),
        "np.asarray(samples, np.float64)": np.asarray(samples, np.float64),
        "np.array(samples.tolist())": np.array(samples.tolist()),
    }

    samples[0] = 100
    for call, ndarray in ways.items():
        shared = same_memory(samples, ndarray)
        word = "shares" if shared else "copies"
        print(f"{call:32} {word}, reads {ndarray[0]:5.1f}  {ndarray.dtype}")
        assert shared == (ndarray[0] == 100)


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def sharing_by_kind_of_array() -> None:
    """Seven ways into torch and six kinds of arrays: shares, copies or raises."""
    grid = np.arange(12.0).reshape(3, 4)
    locked = grid.copy()
    locked.flags.writeable = False
    other_byte_order = grid.astype(grid.dtype.newbyteorder())
    kinds = [grid, grid.T, grid[:, ::2], locked, grid[::-1], other_byte_order]
    titles = ["plain", "transposed", "every second\ncolumn"]
    titles += ["read-only", "reversed\nrows", "byte\norder"]
    ways = {
        "from_numpy": torch.from_numpy,
        "as_tensor": torch.as_tensor,
        "asarray": torch.asarray,
        "as_tensor, float32": lambda a: torch.as_tensor(a, dtype=torch.float32),
        "tensor": torch.tensor,
        "from_numpy, copy()": lambda a: torch.from_numpy(a.copy()),
        "from_numpy, astype": lambda a: torch.from_numpy(a.astype(np.float64)),
    }
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    with warnings.catch_warnings():
        # A read-only array brings a warning, which has a block of its own.
        warnings.simplefilter("ignore")
        for row, (name, make_tensor) in enumerate(ways.items()):
            outcomes = [outcome(make_tensor, ndarray) for ndarray in kinds]
            print(f"{name:18}", *outcomes)
            draw_outcomes(ax, row, outcomes)
            may_share = name in ("from_numpy", "as_tensor", "asarray")
            assert outcomes[0] == ("shares" if may_share else "copies")
    ax.set_yticks(range(len(ways)), ways)
    ax.set_xticks(range(len(kinds)), titles)
    ax.invert_yaxis()
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    plt.show()


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def another_dtype_copies() -> None:
    """`as_tensor` shares until another dtype is asked for."""
    heights = np.array([1.5, 2.5, 3.5])
    for dtype in [torch.float64, torch.float32]:
        tensor = torch.as_tensor(heights, dtype=dtype)
        heights[0] += 1
        shared = same_memory(tensor, heights)
        print(f"as_tensor with {dtype}: shares {shared}, reads {tensor[0].item()}")
        assert shared == (dtype == torch.float64)
        assert (tensor[0].item() == heights[0]) == (dtype == torch.float64)

    message = ""
    try:
        torch.asarray(heights, dtype=torch.float32, copy=False)
    except ValueError as error:
        message = str(error)
    print("asarray with copy=False:", message)
    assert message


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def float64_comes_along() -> None:
    """NumPy's floats are float64, and a matrix product wants equal dtypes."""
    features = torch.from_numpy(np.arange(6.0).reshape(2, 3))
    weights = torch.ones(3, 2)
    print("features, weights: ", features.dtype, weights.dtype)

    message = ""
    try:
        features @ weights
    except RuntimeError as error:
        message = str(error)
    print("features @ weights:", message)
    assert "dtype" in message

    narrowed = features.to(torch.float32)
    print("after the cast:", (narrowed @ weights).tolist())
    print("bytes:         ", features.nbytes, "and", narrowed.nbytes)
    print("features * weights.t():", (features * weights.t()).dtype)
    assert (features * weights.t()).dtype == torch.float64
    assert narrowed.nbytes == features.nbytes / 2


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def partners_of_dtypes() -> None:
    """Which dtypes have a partner on the other side, tried one by one."""
    names = ["bool", "float16", "float32", "float64", "complex64", "complex128"]
    names += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    for name in names:
        ndarray = np.zeros(2, dtype=name)
        tensor = torch.from_numpy(ndarray)
        assert str(tensor.dtype) == f"torch.{name}"
        assert tensor.numpy().dtype == ndarray.dtype
    print("same name on both sides:", len(names))

    only_numpy, only_torch = [], []
    for kind in [np.str_, np.object_, np.datetime64, np.longdouble]:
        try:
            torch.from_numpy(np.empty(2, dtype=kind))
        except TypeError:
            only_numpy.append(kind.__name__)
    for dtype in [torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]:
        try:
            torch.zeros(2, dtype=dtype).numpy()
        except TypeError:
            only_torch.append(str(dtype))
    print("only in NumPy:", only_numpy)
    print("only in torch:", only_torch)
    assert len(only_numpy) == 4
    assert len(only_torch) == 3
    print("through float32:", torch.tensor([1.5], dtype=torch.bfloat16).float().numpy())


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def strides_come_along() -> None:
    """Shape and strides travel with the memory: bytes in NumPy, elements in torch."""
    grid = np.arange(12.0).reshape(3, 4)
    views = {"grid": grid, "grid.T": grid.T}
    views |= {"grid[:, ::2]": grid[:, ::2], "grid[1]": grid[1]}
    for name, ndarray in views.items():
        tensor = torch.from_numpy(ndarray)
        print(f"{name:12} {ndarray.strides!s:8} bytes, {tensor.stride()!s:6} elements")
        in_bytes = tuple(tensor.element_size() * step for step in tensor.stride())
        assert ndarray.strides == in_bytes
        # torch's storage starts where the array starts, not where its base does.
        assert tensor.storage_offset() == 0

    message = ""
    try:
        torch.from_numpy(grid[::-1])
    except ValueError as error:
        message = str(error).split(",")[0]
    print("grid[::-1]  ", message)
    assert "negative" in message
    assert torch.from_numpy(grid[::-1].copy()).tolist() == grid[::-1].tolist()


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def read_only_arrays() -> None:
    """A tensor over a read-only array does not know that it must not write."""
    limits = np.array([0.0, 1.0, 2.0])
    limits.flags.writeable = False
    refusal = ""
    try:
        limits[0] = 9
    except ValueError as error:
        refusal = str(error)
    print("limits[0] = 9:", refusal)
    assert refusal

    # torch gives this warning once in a process; this asks for it each time.
    torch.set_warn_always(True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tensor = torch.from_numpy(limits)
    torch.set_warn_always(False)
    print("from_numpy:   ", str(caught[0].message).split(". ")[0])
    assert "not writable" in str(caught[0].message)
    assert same_memory(tensor, limits)

    owned = torch.tensor(limits)
    owned[0] = 9
    print("after a write to the copy:  ", limits.tolist())
    assert limits[0] == 0
    # The memory itself is ordinary, and the lock is NumPy's own.
    tensor[0] = 9
    print("after a write to the tensor:", limits.tolist())
    assert limits[0] == 9


@pytest.mark.cpu_only("`numpy()` without `cpu()` is for tensors on the CPU")
def what_numpy_refuses() -> None:
    """What `numpy()` refuses, and which method makes it possible."""
    weights = torch.tensor([0.5, 1.5], requires_grad=True)
    waves = torch.tensor([1 + 2j, 3 - 4j])
    refused = {
        "requires grad": (weights, weights.detach()),
        "conjugate": (waves.conj(), waves.conj().resolve_conj()),
        "negative": (waves.conj().imag, waves.conj().imag.resolve_neg()),
        "sparse": (torch.eye(2).to_sparse(), torch.eye(2).to_sparse().to_dense()),
    }
    messages = []
    for reason, (tensor, repaired) in refused.items():
        try:
            tensor.numpy()
        except (RuntimeError, TypeError) as error:
            messages.append(str(error))
            print(f"{reason + ':':14} {messages[-1].split('. ')[1].removesuffix('.')}")
        assert torch.equal(torch.from_numpy(repaired.numpy()), repaired)
    assert len(messages) == len(refused)

    print("detached shares:", same_memory(weights, weights.detach().numpy()))
    print("resolved shares:", same_memory(waves, waves.conj().resolve_conj().numpy()))
    assert same_memory(weights, weights.detach().numpy())
    assert not same_memory(waves, waves.conj().resolve_conj().numpy())


@pytest.mark.cpu_only("the point is that `detach` shares memory of the CPU with NumPy")
def detached_is_not_a_copy() -> None:
    """A write behind `detach` changes the tensor that requires grad."""
    weights = torch.tensor([0.5, 1.5], requires_grad=True)
    shared = weights.detach().numpy()
    saved = weights.detach().clone().numpy()

    shared[0] = -1
    print("weights:", weights.tolist())
    print("shared: ", shared.tolist())
    print("saved:  ", saved.tolist())
    assert weights.tolist() == [-1.0, 1.5]
    assert saved.tolist() == [0.5, 1.5]


def from_any_device() -> None:
    """`detach().cpu().numpy()` and `numpy(force=True)` work wherever the tensor is."""
    losses = torch.linspace(0, 1, 5, requires_grad=True)
    by_steps = losses.detach().cpu().numpy()
    by_force = losses.numpy(force=True)
    print("by steps:", by_steps.tolist())
    print("by force:", by_force.tolist())
    assert by_steps.tolist() == by_force.tolist() == losses.tolist()
    # On the CPU there is nothing to move, so both share; elsewhere both copy.
    on_cpu = losses.device.type == "cpu"
    assert same_memory(losses, by_steps) == same_memory(losses, by_force) == on_cpu

    conjugate = torch.tensor([1 + 2j]).conj()
    print("flagged: ", conjugate.numpy(force=True).tolist())
    assert conjugate.numpy(force=True).tolist() == [1 - 2j]
    assert conjugate.imag.numpy(force=True).tolist() == [-2]

    message = ""
    # The meta device has shapes without data, never memory of the CPU.
    elsewhere = torch.empty(3, device="meta")
    try:
        elsewhere.numpy()
    except TypeError as error:
        message = str(error)
    print("TypeError:", message)
    assert "Use Tensor.cpu()" in message


@pytest.mark.cpu_only("buffers lie in the memory of the CPU")
def buffers_without_numpy() -> None:
    """`frombuffer` reads any writable Python buffer, from any byte on."""
    # A file format in small: four bytes of header, then three float32.
    packet = bytearray(struct.pack("4s3f", b"sig1", 1.0, 2.0, 3.0))
    signal = array.array("f", [0.5, 1.5, 2.5, 3.5])

    values = torch.frombuffer(packet, dtype=torch.float32, offset=4)
    header = torch.frombuffer(packet, dtype=torch.uint8, count=4)
    second = signal.itemsize
    middle = torch.frombuffer(signal, dtype=torch.float32, offset=second, count=2)
    print("header:", header.tolist(), bytes(header.tolist()))
    print("values:", values.tolist())
    print("middle:", middle.tolist())

    values[0] = 8
    print("packet:", struct.unpack("4s3f", packet))
    assert struct.unpack("4s3f", packet) == (b"sig1", 8.0, 2.0, 3.0)

    message = ""
    try:
        memoryview(values)
    except TypeError as error:
        message = str(error)
    print("memoryview(values):", message)
    assert message
    assert memoryview(values.numpy()).tolist() == values.tolist()


@pytest.mark.cpu_only("buffers lie in the memory of the CPU")
def who_locks_the_buffer() -> None:
    """A memoryview locks the size of its buffer, `frombuffer` does not."""
    packet = bytearray(4)
    samples = np.zeros(4)
    refusals = []

    view = memoryview(packet)
    try:
        packet.append(1)
    except BufferError as error:
        refusals.append(str(error))
        print("under a memoryview:     ", refusals[-1])
    view.release()

    over_array = torch.from_numpy(samples)
    try:
        samples.resize(1000)
    except ValueError as error:
        refusals.append(str(error).split("\n")[0])
        print("array under from_numpy: ", refusals[-1])
    assert len(refusals) == 2
    assert over_array.tolist() == [0, 0, 0, 0]

    over_bytes = torch.frombuffer(packet, dtype=torch.uint8)
    # From here on the tensor may point to memory that is gone: do not read it.
    packet.extend(bytes(1_000_000))
    print(f"bytes under frombuffer:  {over_bytes.numel()} grew to {len(packet)}")


@pytest.mark.cpu_only("a bytes object lies in the memory of the CPU")
def bytes_are_read_only() -> None:
    """`frombuffer` over bytes warns; over a bytearray made from them it does not."""
    received = bytes([1, 0, 2, 0])
    torch.set_warn_always(True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.frombuffer(received, dtype=torch.int16)
        torch.frombuffer(bytearray(received), dtype=torch.int16)
    torch.set_warn_always(False)

    print("warnings:", len(caught))
    print("the first:", str(caught[0].message).split(". ")[0])
    assert len(caught) == 1
    assert "not writable" in str(caught[0].message)
    assert torch.frombuffer(bytearray(received), dtype=torch.int16).tolist() == [1, 2]


@pytest.mark.cpu_only("NumPy takes DLPack tensors from the memory of the CPU")
def dlpack_both_ways() -> None:
    """DLPack hands memory, shape, strides and dtype from one library to another."""
    grid = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    ndarray = np.from_dlpack(grid.t())
    back = torch.from_dlpack(ndarray)
    device_kind, device_index = grid.__dlpack_device__()

    print("device:              ", int(device_kind), device_index)
    print("strides:             ", ndarray.strides, "bytes")
    copied = torch.from_dlpack(ndarray, copy=True)
    print("there:               ", same_memory(grid, ndarray))
    print("and back:            ", same_memory(back, ndarray))
    print("with copy=True:      ", same_memory(copied, ndarray))
    assert not same_memory(copied, ndarray)
    assert back.data_ptr() == grid.data_ptr()
    assert torch.equal(back, grid.t())

    ndarray[0, 0] = 7
    assert grid[0, 0] == 7

    tracked = torch.ones(2, requires_grad=True)
    message = ""
    try:
        np.from_dlpack(tracked)
    except BufferError as error:
        message = str(error)
    print("requires grad:       ", message)
    assert "detach" in message


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def memory_outlives_its_names() -> None:
    """A tensor keeps the array that it shares alive, and an array its tensor."""
    samples = np.zeros(1000)
    watched = weakref.ref(samples)
    tensor = torch.from_numpy(samples)

    del samples
    print("array alive with its tensor:   ", watched() is not None)
    assert watched() is not None
    del tensor
    print("array alive without its tensor:", watched() is not None)
    assert watched() is None

    ndarray = torch.arange(3).numpy()
    print("array of a tensor without name:", ndarray.tolist())
    assert isinstance(ndarray.base, torch.Tensor)


@pytest.mark.measurement
@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def list_of_arrays() -> None:
    """A list of arrays is read number by number: join it first."""
    rows = [np.full(1000, number, dtype=np.float32) for number in range(100)]
    torch.set_warn_always(True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = perf_counter()
        slow = torch.tensor(rows)
        slow_time = perf_counter() - start
    torch.set_warn_always(False)

    start = perf_counter()
    fast = torch.from_numpy(np.stack(rows))
    fast_time = perf_counter() - start
    print("warning:", str(caught[0].message).split(". ")[0])
    print(f"tensor(rows):                {1000 * slow_time:7.2f} ms")
    print(f"from_numpy(np.stack(rows)):  {1000 * fast_time:7.2f} ms")
    assert torch.equal(slow, fast)
    assert fast_time < slow_time


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def solution_normalize_without_damage() -> None:
    """Normalize a copy, and leave the caller's array alone."""
    heights = np.array([150.0, 160.0, 170.0, 180.0])
    shared, owned = torch.from_numpy(heights), torch.tensor(heights)
    owned -= owned.mean()
    print("heights after the copy changed:  ", heights.tolist())
    assert heights.tolist() == [150, 160, 170, 180]

    shared -= shared.mean()
    print("heights after the shared changed:", heights.tolist())
    assert heights.tolist() == owned.tolist()


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def solution_bfloat16_through_numpy() -> None:
    """Carry bfloat16 through NumPy bit for bit, without a cast."""
    torch.manual_seed(0)
    weights = torch.randn(1000).to(torch.bfloat16)
    patterns = weights.view(torch.uint16).numpy()
    restored = torch.from_numpy(patterns).view(torch.bfloat16)

    print("dtype in NumPy:", patterns.dtype, "of", patterns.nbytes, "bytes")
    print("restored:      ", torch.equal(restored, weights))
    print("same memory:   ", restored.data_ptr() == weights.data_ptr())
    assert torch.equal(restored, weights)
    assert restored.data_ptr() == weights.data_ptr()
    assert weights.float().numpy().nbytes == 2 * patterns.nbytes


@pytest.mark.cpu_only("NumPy arrays lie in the memory of the CPU")
def solution_predict_the_table() -> None:
    """Five lines which share, copy or raise."""
    counts = np.array([3, 1, 2])
    attempts = {
        "as_tensor, int64": lambda ndarray: torch.as_tensor(ndarray, dtype=torch.int64),
        "as_tensor, int32": lambda ndarray: torch.as_tensor(ndarray, dtype=torch.int32),
        "reversed": lambda ndarray: torch.from_numpy(ndarray[::-1]),
        "sorted": lambda ndarray: torch.from_numpy(np.sort(ndarray)),
        "every second": lambda ndarray: torch.from_numpy(ndarray[::2]),
    }
    results = {name: outcome(attempt, counts) for name, attempt in attempts.items()}
    for name, result in results.items():
        print(f"{name:17} {result}")
    assert list(results.values()) == ["shares", "copies", "raises", "copies", "shares"]
