"""One model on several devices: DataParallel, DistributedDataParallel, sharding and stages."""

import copy
import inspect
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.func import functional_call
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler


def make_model(seed):
    """A small model whose weights depend on the seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def make_batch(size):
    """A batch without chance: every process that makes it has the same rows."""
    inputs = torch.linspace(-3, 3, size * 4).reshape(size, 4).sin()
    return inputs, inputs.sum(dim=1, keepdim=True)


def replicate(model, count):
    """Copies of the weights, one set for each replica."""
    # A clone passes its gradient on to what it was cloned from, and there the gradients add up.
    return [
        {name: weight.clone() for name, weight in model.named_parameters()}
        for _ in range(count)
    ]


def forward_in_parts(model, inputs, replica_count):
    """What `DataParallel` does in a forward pass, one replica after the other."""
    parts = inputs.chunk(replica_count)
    replicas = replicate(model, len(parts))
    outputs = [
        functional_call(model, weights, part)
        for weights, part in zip(replicas, parts, strict=True)
    ]
    return torch.cat(outputs)


class CountingModel(nn.Module):
    """A model which notes what it sees, and counts its forward passes."""

    def __init__(self):
        """Start with no notes and a count of 0."""
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.seen = []
        self.calls = 0

    def forward(self, inputs):
        """Note, count, compute."""
        self.seen.append((len(inputs), str(inputs.device)))
        self.calls += 1
        return self.layer(inputs)


def first_gradient(rows):
    """The gradient of the first layer's weight for some rows of a batch of eight."""
    model = make_model(seed=0)
    inputs, targets = make_batch(8)
    mse_loss(model(inputs[rows]), targets[rows]).backward()
    return model[0].weight.grad


def gradient_of_one_rank(rank, world_size, directory):
    """One process of a group: its own share of the batch, forward, backward."""
    store = dist.FileStore(f"{directory}/store", world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)

    # Each process begins with other weights, on purpose: DDP sends those of rank 0 to all.
    model = DistributedDataParallel(make_model(seed=rank))
    inputs, targets = make_batch(8)
    rows = torch.arange(rank, 8, world_size)
    loss = mse_loss(model(inputs[rows]), targets[rows])
    loss.backward()

    gradients = [weight.grad for weight in model.parameters()]
    result = {"rows": rows, "loss": loss.item(), "gradients": gradients}
    torch.save(result, f"{directory}/rank{rank}.pt")
    dist.destroy_process_group()


def step_of_one_shard(rank, world_size, directory):
    """One process of a group that shares the weights, too: each holds a part of every parameter."""
    store = dist.FileStore(f"{directory}/store", world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)

    model = make_model(seed=0)
    fully_shard(model)
    inputs, targets = make_batch(8)
    rows = torch.arange(rank, 8, world_size)
    mse_loss(model(inputs[rows]), targets[rows]).backward()

    held = {}
    for name, weight in model.named_parameters():
        held[name] = tuple(weight.to_local().shape)
        assert weight.grad.to_local().shape == held[name]
    # Every process takes part in putting a gradient together.
    gradients = [weight.grad.full_tensor() for weight in model.parameters()]
    torch.save({"held": held, "gradients": gradients}, f"{directory}/rank{rank}.pt")
    dist.destroy_process_group()


class TwoStages(nn.Module):
    """A model cut in two, each half on a device of its own."""

    def __init__(self, model, first_device, second_device):
        """Move the halves to their devices."""
        super().__init__()
        self.first_device, self.second_device = first_device, second_device
        self.first = model[:1].to(first_device)
        self.second = model[1:].to(second_device)

    def forward(self, inputs):
        """Only the activations travel between the devices."""
        hidden = self.first(inputs.to(self.first_device))
        return self.second(hidden.to(self.second_device))


def chunks_of_a_batch() -> None:
    """How many rows each of four replicas gets."""
    for batch_size in [8, 10, 9, 5, 2]:
        batch = torch.zeros(batch_size, 3)
        sizes = [len(part) for part in batch.chunk(4)]
        print(f"batch of {batch_size:2}: {sizes}")

        # Every part but the last has the same length, rounded up, and an empty part is not made.
        longest = -(-batch_size // 4)
        assert sizes[:-1] == [longest] * (len(sizes) - 1)
        assert 0 < sizes[-1] <= longest
        assert sum(sizes) == batch_size

    assert len(torch.zeros(9, 3).chunk(4)) == 3


def replica_sizes_drawn() -> None:
    """The rows that each of four replicas sees, for batches of 1 to 16."""
    batch_sizes = range(1, 17)
    splits = [torch.zeros(size, 3).chunk(4) for size in batch_sizes]
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    stacked = [0] * len(batch_sizes)
    for replica in range(4):
        rows = [len(split[replica]) if replica < len(split) else 0 for split in splits]
        style = {"color": f"C{replica}", "width": 0.7, "label": f"replica {replica}"}
        ax.bar(batch_sizes, rows, bottom=stacked, **style)
        stacked = [below + more for below, more in zip(stacked, rows, strict=True)]
    assert stacked == list(batch_sizes)

    ax.set(
        xlabel="batch size", ylabel="rows", xticks=batch_sizes, yticks=range(0, 17, 4)
    )
    ax.legend(loc="upper left")
    plt.show()

    idle = [
        size for size, split in zip(batch_sizes, splits, strict=True) if len(split) < 4
    ]
    print("batch sizes that leave a replica idle:", idle)
    assert idle == [1, 2, 3, 5, 6, 9]


def data_parallel_by_hand() -> None:
    """Scatter, replicate, apply, gather: the same outputs and gradients as in one piece."""
    model = make_model(seed=0)
    whole = copy.deepcopy(model)
    inputs, targets = make_batch(10)

    seen = []
    hook = model.register_forward_hook(
        lambda module, args, output: seen.append(len(args[0]))
    )
    outputs = forward_in_parts(model, inputs, replica_count=4)
    hook.remove()
    mse_loss(outputs, targets).backward()
    mse_loss(whole(inputs), targets).backward()

    print("rows each replica saw:", seen)
    print("rows gathered:        ", len(outputs))
    pairs = zip(model.parameters(), whole.parameters(), strict=True)
    gaps = [(ours.grad - theirs.grad).abs().max() for ours, theirs in pairs]
    print("gradients agree:      ", all(gap < 1e-6 for gap in gaps))
    assert seen == [3, 3, 3, 1]
    assert torch.allclose(outputs, whole(inputs), atol=1e-6)
    assert all(gap < 1e-6 for gap in gaps)


@pytest.mark.cpu_only("shows what DataParallel does on a machine without a GPU")
def data_parallel_without_gpu() -> None:
    """Without a GPU, `DataParallel` calls the model and does nothing else."""
    model = CountingModel()
    inputs, _ = make_batch(10)
    # Where there is a GPU, this hides it.
    with mock.patch("torch.cuda.is_available", return_value=False):
        parallel = nn.DataParallel(model)
    outputs = parallel(inputs)

    print("devices:", parallel.device_ids)
    print("seen:   ", model.seen)
    print("names:  ", list(parallel.state_dict()))
    assert parallel.device_ids == []
    assert parallel.module is model
    assert model.seen == [(10, "cpu")]
    assert model.calls == 1
    assert torch.equal(outputs, model.layer(inputs))
    assert list(parallel.state_dict()) == [
        f"module.{name}" for name in model.state_dict()
    ]


@pytest.mark.gpus(1)
@pytest.mark.own_device
def data_parallel_on_one_gpu() -> None:
    """On one GPU, `DataParallel` moves model and inputs there, and makes no replica."""
    model = CountingModel()
    inputs, _ = make_batch(10)
    parallel = nn.DataParallel(model, device_ids=[0])
    outputs = parallel(inputs)

    print("devices:", parallel.device_ids)
    print("seen:   ", model.seen)
    print("calls:  ", model.calls)
    print("outputs:", outputs.device)
    assert model.seen == [(10, "cuda:0")]
    assert model.calls == 1
    assert outputs.device == model.layer.weight.device == torch.device("cuda:0")


@pytest.mark.gpus(2)
@pytest.mark.own_device
def data_parallel_on_two_gpus() -> None:
    """Scatter, replicate, gather on two GPUs, and what is lost with the replicas."""
    model = CountingModel().to("cuda:0")
    inputs, _ = make_batch(5)

    parts = nn.parallel.scatter(inputs, [0, 1])
    replicas = nn.parallel.replicate(model, [0, 1])
    print("scattered:", [(len(part), str(part.device)) for part in parts])
    print("replicas: ", [str(replica.layer.weight.device) for replica in replicas])
    print("gathered: ", len(nn.parallel.gather(parts, 0)), "rows")

    outputs = nn.DataParallel(model, device_ids=[0, 1])(inputs)
    print("seen:     ", sorted(model.seen, reverse=True))
    print("calls:    ", model.calls)
    print("outputs:  ", len(outputs), "rows on", outputs.device)
    assert [len(part) for part in parts] == [len(part) for part in inputs.chunk(2)]
    assert torch.allclose(outputs, model.layer(inputs.to("cuda:0")), atol=1e-5)
    # A replica is a shallow copy: the list is the model's own, the count is not.
    assert len(model.seen) == 2
    assert model.calls == 0


@pytest.mark.cpu_only("shows what happens where torch finds no GPU")
def not_deprecated_but_advised_against() -> None:
    """`DataParallel` warns of nothing; its documentation recommends something else."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Without GPUs: with unequal ones it warns of the imbalance.
        with mock.patch("torch.cuda.is_available", return_value=False):
            model = nn.DataParallel(nn.Linear(4, 1))
    print(f"a {type(model).__name__} was made, warnings: {len(caught)}")
    assert not caught

    documentation = " ".join(inspect.getdoc(nn.DataParallel).split())
    start = documentation.index("It is recommended")
    advice = documentation[start : documentation.index(". See", start)]
    print("advice:  ", advice.replace(":class:`~torch.nn.parallel.", "`"))
    assert "DistributedDataParallel" in advice
    assert "deprecated" not in documentation


@pytest.mark.slow
@pytest.mark.time_limit(120)
@pytest.mark.cpu_only("two processes that talk over gloo share the CPU")
def torchrun_starts_the_processes() -> None:
    """`torchrun` starts a script several times and tells each process who it is."""
    script = """
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank, world_size = dist.get_rank(), dist.get_world_size()
numbers = torch.tensor([10.0 * (rank + 1)])
before = numbers.item()
dist.all_reduce(numbers)
with open(f"rank{rank}.txt", "w") as file:
    print(f"rank {rank} of {world_size}: had {before}, has {numbers.item()}", file=file)
dist.destroy_process_group()
"""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "train.py").write_text(script)
        # In a shell: torchrun --standalone --nproc-per-node=2 train.py
        torchrun = [sys.executable, "-m", "torch.distributed.run"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [*torchrun, "--standalone", "--nproc-per-node=2", "train.py"],
            cwd=directory,
            env=environment,
            check=True,
            capture_output=True,
        )
        lines = [
            Path(directory, f"rank{rank}.txt").read_text().strip() for rank in range(2)
        ]

    print(*lines, sep="\n")
    assert lines == [
        "rank 0 of 2: had 10.0, has 30.0",
        "rank 1 of 2: had 20.0, has 30.0",
    ]


@pytest.mark.slow
@pytest.mark.time_limit(120)
@pytest.mark.spawns
@pytest.mark.cpu_only("two processes that talk over gloo share the CPU")
def two_processes_one_gradient() -> None:
    """Two DDP processes with half a batch each, against one process with all of it."""
    with tempfile.TemporaryDirectory() as directory:
        mp.spawn(gradient_of_one_rank, args=(2, directory), nprocs=2)
        ranks = [torch.load(f"{directory}/rank{rank}.pt") for rank in range(2)]

    model = make_model(seed=0)
    inputs, targets = make_batch(8)
    loss = mse_loss(model(inputs), targets)
    loss.backward()

    for number, rank in enumerate(ranks):
        print(f"rank {number}: rows {rank['rows'].tolist()}, loss {rank['loss']:.4f}")
    print(f"one process, all rows:    loss {loss.item():.4f}")
    first, second = ranks[0]["gradients"], ranks[1]["gradients"]
    for (name, weight), here, there in zip(
        model.named_parameters(), first, second, strict=True
    ):
        print(f"{name}: on both ranks the same {torch.equal(here, there)}")
        assert torch.equal(here, there)
        assert torch.allclose(here, weight.grad, atol=1e-6)
    print("and they agree with those of one process")


def uneven_shares() -> None:
    """A mean of gradients is the gradient of the whole batch only if the shares are equal."""
    whole = first_gradient(slice(None))
    for size in [4, 5, 7]:
        first, second = first_gradient(slice(size)), first_gradient(slice(size, None))
        mean = (first + second) / 2
        weighted = (size * first + (8 - size) * second) / 8

        error = ((mean - whole).norm() / whole.norm()).item()
        print(f"{size} + {8 - size} rows: relative error of the mean {error:.4f}")
        assert (error < 1e-5) == (size == 4)
        assert torch.allclose(weighted, whole, atol=1e-6)


def sampler_splits_the_indices() -> None:
    """`DistributedSampler` gives each rank its indices, and repeats some to make the shares equal."""
    samples = range(10)
    # Without `drop_last` the first two samples are drawn again, with it the last two are not drawn.
    expected = {False: sorted([*samples, 0, 1]), True: list(range(8))}
    for drop_last, in_all in expected.items():
        shares = []
        for rank in range(4):
            sampler = DistributedSampler(
                samples, num_replicas=4, rank=rank, shuffle=False, drop_last=drop_last
            )
            shares.append(list(sampler))
        print(f"drop_last={drop_last!s:5} ", *shares)
        assert sorted(index for share in shares for index in share) == in_all
        assert len({len(share) for share in shares}) == 1


@pytest.mark.cpu_only("DistributedSampler shuffles with a generator of the CPU")
def sampler_needs_the_epoch() -> None:
    """Without `set_epoch` every epoch has the same order."""
    first, second = (
        DistributedSampler(range(8), num_replicas=2, rank=rank, seed=0)
        for rank in range(2)
    )

    forgotten = [list(first) for _ in range(2)]
    print("rank 0, no set_epoch:", *forgotten)
    assert forgotten[0] == forgotten[1]

    for epoch in range(2):
        for sampler in (first, second):
            sampler.set_epoch(epoch)
        print(f"epoch {epoch}: rank 0 {list(first)}, rank 1 {list(second)}")
        assert sorted([*first, *second]) == list(range(8))
    assert list(first) != forgotten[0]


@pytest.mark.slow
@pytest.mark.time_limit(120)
@pytest.mark.spawns
@pytest.mark.cpu_only("two processes that talk over gloo share the CPU")
def shards_of_every_parameter() -> None:
    """With `fully_shard` each of two processes keeps its share of every parameter."""
    with tempfile.TemporaryDirectory() as directory:
        mp.spawn(step_of_one_shard, args=(2, directory), nprocs=2)
        ranks = [torch.load(f"{directory}/rank{rank}.pt") for rank in range(2)]

    model = make_model(seed=0)
    inputs, targets = make_batch(8)
    mse_loss(model(inputs), targets).backward()

    for name, weight in model.named_parameters():
        held = [rank["held"][name] for rank in ranks]
        print(f"{name:8} whole {tuple(weight.shape)!s:7} held {held}")
    for rank in ranks:
        for weight, gradient in zip(model.parameters(), rank["gradients"], strict=True):
            assert torch.allclose(gradient, weight.grad, atol=1e-6)
    print("gathered gradients agree with one process")


def stages_agree_with_the_whole() -> None:
    """A model cut in two stages computes the same as the whole."""
    whole = make_model(seed=0)
    inputs, targets = make_batch(8)
    device = inputs.device
    # With two GPUs, name one for each stage: "cuda:0" and "cuda:1".
    stages = TwoStages(copy.deepcopy(whole), device, device)

    mse_loss(whole(inputs), targets).backward()
    mse_loss(stages(inputs), targets).backward()
    for name, stage in [("first", stages.first), ("second", stages.second)]:
        count = sum(weight.numel() for weight in stage.parameters())
        print(f"{name + ' stage:':14}", count, "weights")
    for weight, same in zip(whole.parameters(), stages.parameters(), strict=True):
        assert torch.equal(weight.grad, same.grad)

    # On the device "meta" a tensor has no numbers: enough to see that the second stage is elsewhere.
    moved = TwoStages(copy.deepcopy(whole), device, "meta")
    print("device of outputs, second stage moved:", moved(inputs).device)
    assert moved(inputs).is_meta
    assert not moved.first[0].weight.is_meta


@pytest.mark.gpus(2)
@pytest.mark.own_device
def stages_on_two_gpus() -> None:
    """The two stages on two GPUs: the backward pass crosses over by itself."""
    whole = make_model(seed=0)
    inputs, targets = make_batch(8)
    stages = TwoStages(copy.deepcopy(whole), "cuda:0", "cuda:1")

    outputs = stages(inputs)
    print("weights:", [str(weight.device) for weight in stages.parameters()])
    print("outputs:", outputs.device)

    mse_loss(outputs, targets.to(outputs.device)).backward()
    mse_loss(whole(inputs), targets).backward()
    for weight, moved in zip(whole.parameters(), stages.parameters(), strict=True):
        assert moved.grad.device == moved.device
        assert torch.allclose(weight.grad, moved.grad.cpu(), atol=1e-5)


def stages_wait_for_each_other() -> None:
    """When each of three stages works, with the batch in one part and in four."""
    fig, axes = plt.subplots(2, figsize=(6.4, 3), sharex=True, layout="constrained")
    batch = torch.zeros(12, 4)
    for ax, part_count in zip(axes, [1, 4], strict=True):
        sizes = [len(part) for part in batch.chunk(part_count)]
        finished = torch.zeros(3, part_count)
        for part, size in enumerate(sizes):
            for stage in range(3):
                # A stage starts when the part has left the stage before, and the stage the part before.
                ready = finished[stage - 1, part] if stage else torch.tensor(0.0)
                free = finished[stage, part - 1] if part else torch.tensor(0.0)
                start = torch.maximum(ready, free).item()
                finished[stage, part] = start + size
                ax.broken_barh(
                    [(start, size)], (stage - 0.4, 0.8), facecolors=f"C{part}"
                )
        span = finished.max().item()
        busy = sum(sizes) / span
        works = f"each stage works {busy:.0%} of it"
        print(f"batch in parts of {sizes}: time {span:.0f}, {works}")
        assert busy == part_count / (part_count + 2)
        ax.set(title=f"parts of {sizes[0]} rows")
        ax.set_yticks(range(3), ["stage 0", "stage 1", "stage 2"])
        ax.invert_yaxis()
    axes[-1].set_xlabel("time, in rows of one stage")
    plt.show()


def solution_weigh_the_shares() -> None:
    """Scale each loss so that the mean over processes is right for unequal shares."""
    inputs, targets = make_batch(8)
    shares = [slice(5), slice(5, None)]

    gradients = []
    for rows in shares:
        model = make_model(seed=0)
        share_loss = mse_loss(model(inputs[rows]), targets[rows], reduction="sum")
        # DDP divides by the number of processes: multiply by it, and divide by the rows of all of them.
        (share_loss * len(shares) / len(inputs)).backward()
        gradients.append(model[0].weight.grad)
    averaged = torch.stack(gradients).mean(dim=0)

    whole = make_model(seed=0)
    mse_loss(whole(inputs), targets).backward()
    agrees = torch.allclose(averaged, whole[0].weight.grad, atol=1e-6)
    print("agrees with the whole batch:", agrees)
    assert agrees


def solution_count_what_is_repeated() -> None:
    """How many samples a sampler repeats, by the number of processes."""
    for world_size in [2, 3, 7, 64]:
        samplers = [
            DistributedSampler(range(1000), world_size, rank)
            for rank in range(world_size)
        ]
        drawn = sum(len(sampler) for sampler in samplers)
        print(f"{world_size:2} processes: {drawn - 1000} repeated")
        assert drawn - 1000 == -1000 % world_size
