"""Devices: where a tensor lives, how it gets there, and how to time what happens there."""

from time import perf_counter

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn


def wait_for(device):
    """Return when the device has done all work that was given to it."""
    # On a CPU an operation is done when its call returns, so there is nothing to wait for.
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def fastest_ms(device, work, *operands, repeats=5):
    """Milliseconds of the fastest of several timed calls, after one that is not timed."""
    work(*operands)
    durations = []
    for _ in range(repeats):
        wait_for(device)
        start = perf_counter()
        work(*operands)
        wait_for(device)
        durations.append(perf_counter() - start)
    return 1000 * min(durations)


def copy_to(tensor, device):
    """A copy on the device, even if the tensor is there already."""
    return tensor.to(device, copy=True)


def two_products(batch, hidden, output):
    """A matrix product, its negative elements set to zero, and another product."""
    return (batch @ hidden).clamp(min=0) @ output


@pytest.mark.own_device
def choose_device() -> None:
    """Take the accelerator if there is one that works, else the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    batch = torch.ones(2, 3, device=device)

    print("accelerator:    ", accelerator)
    print("chosen device:  ", device)
    print("device of batch:", batch.device.type)
    print(
        "CUDA, MPS:      ", torch.cuda.is_available(), torch.backends.mps.is_available()
    )
    assert batch.device.type == device.type
    assert (accelerator is None) == (not torch.accelerator.is_available())

    # Without the argument the answer is about the build: which kind it could use.
    if torch.version.cuda and not torch.cuda.is_available():
        assert torch.accelerator.current_accelerator().type == "cuda"


@pytest.mark.own_device
def to_returns_a_copy_or_itself() -> None:
    """`to` copies to another device, and returns the tensor itself if it is there."""
    weights = torch.tensor([1.0, 2.0, 3.0])
    there = weights.to("meta")
    stayed = weights.to("cpu")
    copied = weights.to("cpu", copy=True)
    wider = weights.to("cpu", torch.float64)

    print("to meta: ", there.device, "itself:", there is weights)
    print("to cpu:  ", stayed.device, " itself:", stayed is weights)
    print("copied:  ", copied.device, " itself:", copied is weights)
    print("as double:", wider.device, wider.dtype)

    weights[0] = 100
    print(
        "after weights[0] = 100:",
        stayed[0].item(),
        "stayed,",
        copied[0].item(),
        "copied",
    )
    assert there is not weights
    assert stayed is weights
    assert copied[0] == 1


def meta_has_shapes_only() -> None:
    """A tensor on `meta` has a shape and a dtype, and no numbers."""
    images = torch.empty(60_000, 3, 512, 512, device="meta")
    weights = torch.empty(3 * 512 * 512, 1000, device="meta")
    scores = images.flatten(start_dim=1) @ weights

    for name, tensor in {
        "images": images,
        "weights": weights,
        "scores": scores,
    }.items():
        print(f"{name:8} {tuple(tensor.shape)} would take {tensor.nbytes / 1e9:.1f} GB")
    assert scores.device.type == "meta"
    assert scores.shape == (60_000, 1000)

    refused = ""
    try:
        scores.to("cpu")
    except NotImplementedError as error:
        refused = str(error)
    print("scores.to('cpu'):", refused)
    assert "no data" in refused


@pytest.mark.own_device
def modules_move_in_place() -> None:
    """A module moves itself; a tensor has to be assigned."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    other = accelerator or torch.device("meta")
    batch = torch.ones(4, 3)
    layer = nn.Linear(3, 2)

    batch.to(other)  # the result is lost
    print("batch after batch.to(other):        ", batch.device.type)
    batch = batch.to(other)
    print("batch after batch = batch.to(other):", batch.device.type)

    returned = layer.to(other)
    print(
        "layer after layer.to(other):        ",
        layer.weight.device.type,
        "and",
        layer.bias.device.type,
    )
    print("layer.to(other) returns the layer:  ", returned is layer)
    print(
        "result of layer(batch):             ",
        layer(batch).device.type,
        tuple(layer(batch).shape),
    )
    assert returned is layer
    assert (
        batch.device.type
        == layer.weight.device.type
        == layer.bias.device.type
        == other.type
    )


@pytest.mark.own_device
def create_in_place() -> None:
    """Ways to make a tensor on a device without moving it there."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    other = accelerator or torch.device("meta")

    made = {"torch.zeros(2)": torch.zeros(2)}
    made["torch.zeros(2, device=other)"] = torch.zeros(2, device=other)
    made["torch.ones_like(...)"] = torch.ones_like(made["torch.zeros(2, device=other)"])
    made["... + 1"] = made["torch.ones_like(...)"] + 1
    with torch.device(other):
        made["zeros inside with"] = torch.zeros(2)
        made["from_numpy inside with"] = torch.from_numpy(
            torch.zeros(2, device="cpu").numpy()
        )
    made["zeros after with"] = torch.zeros(2)

    for code, tensor in made.items():
        print(f"{code:30} {tensor.device.type}")
    kinds = [tensor.device.type for tensor in made.values()]
    assert kinds == ["cpu", *[other.type] * 4, "cpu", "cpu"]


@pytest.mark.own_device
def mixed_devices_are_refused() -> None:
    """Operands on two devices raise an error, with few exceptions."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    other = accelerator or torch.device("meta")
    features = torch.ones(3)
    scale = torch.ones(3, device=other)

    message = ""
    try:
        features * scale
    except RuntimeError as error:
        message = str(error).split("\n")[0]
    print("cpu tensor with other:        ", message)
    assert "device" in message

    print(
        "features.to(scale.device):    ",
        (features.to(scale.device) * scale).device.type,
    )
    print("torch.tensor(2.0) * scale:    ", (torch.tensor(2.0) * scale).device.type)
    assert (torch.tensor(2.0) * scale).device.type == other.type

    print("scale[torch.tensor([0, 2])]:  ", scale[torch.tensor([0, 2])].device.type)
    room = torch.empty(3, device=other)
    print("room.copy_(features):         ", room.copy_(features).device.type)


@pytest.mark.measurement
@pytest.mark.own_device
def first_call_and_later_ones() -> None:
    """Timing one operation: the first call, the fastest later one, and a mean."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    matrix = torch.rand(512, 512, device=device)

    wait_for(device)
    start = perf_counter()
    product = matrix @ matrix
    wait_for(device)  # else the clock stops before the work does
    first = 1000 * (perf_counter() - start)

    later = fastest_ms(device, torch.matmul, matrix, matrix)
    wait_for(device)
    start = perf_counter()
    for _ in range(20):
        product = matrix @ matrix
    wait_for(device)
    mean = 1000 * (perf_counter() - start) / 20
    print("device:            ", device.type)
    print(f"first call:         {first:.3f} ms")
    print(f"fastest later call: {later:.3f} ms")
    print(f"mean of 20 more:    {mean:.3f} ms")
    assert later < first
    assert product.shape == (512, 512)


@pytest.mark.measurement
@pytest.mark.own_device
def issued_fetched_finished() -> None:
    """When calls return, when their result can be read, and when their work is done."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    matrix = torch.rand(1024, 1024, device=device)
    product = matrix @ matrix  # not timed: a first call can take longer
    wait_for(device)

    start = perf_counter()
    for _ in range(10):
        product = matrix @ matrix
    issued = 1000 * (perf_counter() - start)
    corner = product[0, 0].item()
    fetched = 1000 * (perf_counter() - start)
    wait_for(device)
    finished = 1000 * (perf_counter() - start)

    print("device:", device.type)
    print(f"10 products issued after:    {issued:7.2f} ms")
    print(f"item() had a number after:   {fetched:7.2f} ms")
    print(f"device had finished after:   {finished:7.2f} ms")
    torch.testing.assert_close(
        corner, (matrix[0] @ matrix[:, 0]).item(), rtol=1e-3, atol=0
    )
    if device.type == "cpu":
        assert fetched - issued < issued
    else:
        assert fetched - issued > issued


@pytest.mark.measurement
@pytest.mark.own_device
def copy_versus_compute() -> None:
    """Time to copy two matrices to the device, and to multiply them there."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    sizes = [2**power for power in range(5, 11)]

    copying, computing = [], []
    for size in sizes:
        pair = torch.rand(2, size, size)
        left, right = pair.to(device).unbind()
        copying.append(fastest_ms(device, copy_to, pair, device))
        computing.append(fastest_ms(device, torch.matmul, left, right))
        print(
            f"{size:4} rows: copy {copying[-1]:7.3f} ms, multiply {computing[-1]:7.3f} ms"
        )
    assert computing[-1] > computing[0]

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    ax.loglog(sizes, copying, marker="o", label="copy both matrices")
    ax.loglog(sizes, computing, marker="o", label="multiply them")
    ax.set(
        title=f"from cpu to {device.type}",
        xlabel="rows and columns",
        ylabel="milliseconds",
    )
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.legend(frameon=False)
    plt.show()


@pytest.mark.measurement
@pytest.mark.own_device
@pytest.mark.gpus(1)
def pinned_batches() -> None:
    """Batches sent to a GPU from plain memory, from pinned memory, and without waiting."""
    device = torch.accelerator.current_accelerator(check_available=True)
    plain = torch.rand(256, 3, 224, 224)
    pinned = plain.pin_memory()
    print("plain, pinned:        ", plain.is_pinned(), pinned.is_pinned())
    print(f"copy, plain memory:    {fastest_ms(device, copy_to, plain, device):.2f} ms")
    print(
        f"copy, pinned memory:   {fastest_ms(device, copy_to, pinned, device):.2f} ms"
    )

    wait_for(device)
    start = perf_counter()
    sent = pinned.to(device, non_blocking=True)
    returned = 1000 * (perf_counter() - start)
    wait_for(device)
    arrived = 1000 * (perf_counter() - start)
    print(f"non_blocking returned: {returned:.2f} ms")
    print(f"batch had arrived:     {arrived:.2f} ms")
    assert returned < arrived / 2
    assert torch.equal(sent.cpu(), plain)


@pytest.mark.measurement
@pytest.mark.own_device
def throughput_by_batch_size() -> None:
    """Samples a second through two matrix products, by batch size."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    hidden, output = (
        torch.rand(512, 512, device=device),
        torch.rand(512, 10, device=device),
    )
    batch_sizes = [2**power for power in range(11)]

    throughput = []
    for batch_size in batch_sizes:
        batch = torch.rand(batch_size, 512, device=device)
        duration = fastest_ms(device, two_products, batch, hidden, output, repeats=20)
        throughput.append(1000 * batch_size / duration)
        if batch_size in (1, 32, 1024):
            print(
                f"batches of {batch_size:4}: {throughput[-1]:11,.0f} samples a second"
            )
    assert max(throughput) > 2 * throughput[0]

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    ax.semilogx(batch_sizes, throughput, marker="o")
    ax.set(
        title=f"on {device.type}",
        xlabel="samples in a batch",
        ylabel="samples a second",
    )
    ax.set_ylim(bottom=0)
    ax.set_xticks(batch_sizes, [str(size) for size in batch_sizes])
    ax.minorticks_off()
    plt.show()


@pytest.mark.measurement
@pytest.mark.own_device
def speed_by_operation_and_size() -> None:
    """Time of three operations by size, on every kind of device that is there."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    devices = [torch.device("cpu"), *([accelerator] if accelerator else [])]
    print("CPU threads:", torch.get_num_threads())
    # How many times as much arithmetic the largest size needs as the smallest.
    growth = {torch.add: 256**2, torch.pow: 256**2, torch.matmul: 256**3}
    sizes = [8, 32, 128, 512, 2048]

    fig, axes = plt.subplots(
        1, 3, figsize=(6.4, 2.8), sharey=True, layout="constrained"
    )
    for ax, (operation, more_work) in zip(axes, growth.items(), strict=True):
        name, times = operation.__name__, {}
        for device in devices:
            pairs = [torch.rand(2, size, size, device=device) for size in sizes]
            times[device] = [fastest_ms(device, operation, *pair) for pair in pairs]
            more_time = times[device][-1] / times[device][0]
            label = f"{name:6} on {device.type}"
            print(f"{label}: {more_work:10,} x the work, {more_time:7,.0f} x the time")
            assert more_time < more_work
            ax.loglog(sizes, times[device], marker="o", label=device.type)
        if accelerator:
            gains = [slow / fast for slow, fast in zip(*times.values(), strict=True)]
            print(
                f"{name:6} speed-up at {sizes[0]}: {gains[0]:.2f}, at {sizes[-1]}: {gains[-1]:.2f}"
            )
            assert gains[0] < 1 < gains[-1]
        ax.set(title=name, xlabel="rows and columns")
        ax.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
        ax.minorticks_off()
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(frameon=False)
    plt.show()


@pytest.mark.measurement
@pytest.mark.own_device
@pytest.mark.gpus(1)
def products_by_format() -> None:
    """Speed and error of a matrix product on a GPU, in four formats."""
    torch.manual_seed(0)
    device = torch.device("cuda")
    formats = {
        "float32": (torch.float32, "highest"),
        "TF32": (torch.float32, "high"),
        "float16": (torch.float16, "highest"),
        "bfloat16": (torch.bfloat16, "highest"),
    }
    sizes = [2**power for power in range(8, 14)]
    left, right = torch.randn(2, 1024, 1024, dtype=torch.float64, device=device)

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    speeds = {}
    for name, (dtype, precision) in formats.items():
        torch.set_float32_matmul_precision(precision)
        product = (left.to(dtype) @ right.to(dtype)).double()
        error = ((product - left @ right).norm() / (left @ right).norm()).item()
        speeds[name] = []
        for size in sizes:
            pair = torch.randn(2, size, size, dtype=dtype, device=device)
            milliseconds = fastest_ms(device, torch.matmul, *pair)
            speeds[name].append(2 * size**3 / milliseconds / 1e9)
        print(f"{name:8} {speeds[name][-1]:4.0f} TFLOP/s, relative error {error:.0e}")
        ax.loglog(sizes, speeds[name], marker="o", label=name)
    assert speeds["float32"][-1] < speeds["TF32"][-1] < speeds["bfloat16"][-1]

    ax.set(xlabel="rows and columns", ylabel="TFLOP/s")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.legend(frameon=False)
    plt.show()


@pytest.mark.own_device
@pytest.mark.gpus(1)
def gpu_memory_counted() -> None:
    """What tensors hold, what PyTorch keeps for later, and the peak."""
    mebibyte = 2**20
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    def report(moment):
        allocated = (torch.cuda.memory_allocated() - before) // mebibyte
        reserved = torch.cuda.memory_reserved() // mebibyte
        print(f"{moment:17} allocated {allocated:3} MiB, reserved {reserved:3} MiB")

    images = torch.zeros(16, mebibyte, device="cuda")
    report("64 MiB of images")
    assert torch.cuda.memory_allocated() - before == 64 * mebibyte
    brighter = images + 1
    report("and a copy")
    del images, brighter
    report("both deleted")
    assert torch.cuda.memory_allocated() == before
    torch.cuda.empty_cache()
    report("cache emptied")

    print("peak:", (torch.cuda.max_memory_allocated() - before) // mebibyte, "MiB")
    assert torch.cuda.max_memory_allocated() - before == 128 * mebibyte
    summary = torch.cuda.memory_summary()
    print(next(line for line in summary.splitlines() if "Allocated memory" in line))


@pytest.mark.own_device
def solution_nearest_center() -> None:
    """A function that follows the device of its input."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")

    def nearest_center(points, count):
        corners = torch.arange(count, dtype=points.dtype, device=points.device)
        centers = torch.stack([corners, corners], dim=1)
        return (points.unsqueeze(1) - centers).square().sum(dim=2).argmin(dim=1)

    points = torch.tensor([[0.1, 0.2], [2.2, 1.9], [0.9, 1.3]], device=device)
    nearest = nearest_center(points, count=3)
    print("nearest centers:", nearest.tolist())
    assert nearest.device == points.device
    assert nearest.tolist() == [0, 2, 1]
    assert nearest_center(points.to("meta"), count=3).device.type == "meta"


@pytest.mark.measurement
@pytest.mark.own_device
def solution_many_small_or_one_large() -> None:
    """A thousand small sums against one call that makes them all."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    table = torch.rand(1000, 16, device=device)

    def one_by_one(rows):
        return torch.stack([row.sum() for row in rows])

    def all_at_once(rows):
        return rows.sum(dim=1)

    torch.testing.assert_close(one_by_one(table), all_at_once(table))
    loop, whole = (
        fastest_ms(device, one_by_one, table),
        fastest_ms(device, all_at_once, table),
    )
    print("device:", device.type)
    print(f"1000 sums, one by one: {loop:.3f} ms")
    print(f"1000 sums at once:     {whole:.3f} ms")
    assert whole < loop


def solution_largest_batch() -> None:
    """The largest batch that fits into a given memory, found without using it."""
    budget = 8 * 10**9
    fitting = 0
    for batch_size in [2**power for power in range(8, 16)]:
        images = torch.empty(batch_size, 3, 224, 224, device="meta")
        weights = torch.empty(3 * 224 * 224, 1024, device="meta")
        scores = images.flatten(start_dim=1) @ weights
        needed = images.nbytes + weights.nbytes + scores.nbytes
        fits = needed <= budget
        if fits:
            fitting = batch_size
        print(f"{batch_size:5} images: {needed / 1e9:5.2f} GB, fits into 8 GB: {fits}")
    print("largest that fits:", fitting)
    assert fitting == 8192
