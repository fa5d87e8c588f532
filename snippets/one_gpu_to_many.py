"""The tutorial `one_gpu_to_many`: one training step, in replicas, in processes, and started by torchrun."""

import inspect
import os
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from snippets.data_parallel import (
    CountingModel,
    forward_in_parts,
    make_batch,
    make_model,
)


def gradient_of_rows(batch, rows):
    """The gradient of the mean loss over some rows, as one vector."""
    model = make_model(seed=0)
    inputs, targets = batch
    mse_loss(model(inputs[rows]), targets[rows]).backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


def one_step(batch, learning_rate):
    """What one training step does, on one device."""
    model = make_model(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    inputs, targets = batch

    loss = mse_loss(model(inputs), targets)
    loss.backward()
    optimizer.step()

    with torch.no_grad():
        after = mse_loss(model(inputs), targets)
    print(f"rows: {len(inputs)}")
    print(f"loss before the step: {loss.item():.4f}")
    print(f"loss after the step:  {after.item():.4f}")
    assert after < loss


def share_the_gradient(batch, count):
    """The mean of the gradients of equal shares is the gradient of the batch."""
    rows = torch.arange(len(batch[0]))
    shares = rows.chunk(count)
    gradients = torch.stack([gradient_of_rows(batch, share) for share in shares])
    whole = gradient_of_rows(batch, rows)

    for number, gradient in enumerate(gradients):
        distance = (gradient - whole).norm() / whole.norm()
        print(f"share {number}, {len(shares[number])} rows: {distance:.0%} off")
    agrees = torch.allclose(gradients.mean(dim=0), whole, atol=1e-6)
    print("mean of the shares agrees with the batch:", agrees)
    assert agrees


def step_in_replicas(batch, replica_count):
    """Scatter, replicate, apply, gather: the rows that each replica sees, and the gradient of all."""
    model = make_model(seed=0)
    inputs, targets = batch
    seen = []
    model.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))

    outputs = forward_in_parts(model, inputs, replica_count)
    mse_loss(outputs, targets).backward()

    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    whole = gradient_of_rows(batch, slice(None))
    print("rows in the batch:     ", len(inputs))
    print("rows each replica saw: ", seen)
    print("rows gathered:         ", len(outputs))
    print("weights copied:        ", len(seen) * len(gradient))
    print("gradient of the batch: ", torch.allclose(gradient, whole, atol=1e-6))
    assert len(outputs) == len(inputs) == sum(seen)
    assert torch.allclose(gradient, whole, atol=1e-6)


def ask_data_parallel(batch):
    """What `nn.DataParallel` does where there is no GPU."""
    model = CountingModel()
    # Where there is a GPU, this hides it.
    with mock.patch("torch.cuda.is_available", return_value=False):
        parallel = nn.DataParallel(model)
    parallel(batch[0])

    print("devices:          ", parallel.device_ids)
    print("calls of the model:", model.seen)
    assert parallel.device_ids == []
    assert model.seen == [(len(batch[0]), "cpu")]


def average_gradients(model, world_size):
    """Replace each gradient by its mean over all processes."""
    for weight in model.parameters():
        dist.all_reduce(weight.grad)
        weight.grad /= world_size


def train_share(exchange, rank, world_size, steps):
    """Train on every second row of a batch; what the processes exchange is up to `exchange`."""
    model = make_model(seed=0)
    if exchange == "by DDP":
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = make_batch(64)
    rows = torch.arange(rank, len(inputs), world_size)

    gradients, weights = [], []
    for _ in range(steps):
        loss = mse_loss(model(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        if exchange == "by hand":
            average_gradients(model, world_size)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        optimizer.step()
        weights.append(parameters_to_vector(model.parameters()).detach())
    return {"gradients": torch.stack(gradients), "weights": torch.stack(weights)}


def three_exchanges(steps):
    """What each process of the first script runs."""
    dist.init_process_group("gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    runs = {
        exchange: train_share(exchange, rank, world_size, steps)
        for exchange in ("nothing", "by hand", "by DDP")
    }
    torch.save(runs, f"rank{rank}.pt")
    dist.destroy_process_group()


def write_script(path, *functions, call):
    """Write functions of this page into a script of their own, which ends with a call."""
    imports = """\
import os

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
"""
    sources = [inspect.getsource(function) for function in functions]
    guarded = f'if __name__ == "__main__":\n    {call}\n'
    Path(path).write_text("\n\n".join([imports, *sources, guarded]))
    print(f"{path}: {len(functions)} functions, ends with {call}")
    return path


def free_port(host):
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def start_by_hand(script, world_size):
    """Start a script several times, and tell each copy who it is."""
    meeting_place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port("127.0.0.1")}
    processes = []
    for rank in range(world_size):
        who = {**meeting_place, "RANK": rank, "WORLD_SIZE": world_size}
        print("started with", f"RANK={rank}", f"WORLD_SIZE={world_size}")
        environment = {name: str(value) for name, value in who.items()}
        processes.append(
            subprocess.Popen(
                [sys.executable, script], env={**os.environ, **environment}
            )
        )
    for process in processes:
        if process.wait():
            raise RuntimeError(f"a process of {script} ended with {process.returncode}")
    return [torch.load(f"rank{rank}.pt") for rank in range(world_size)]


def train_alone(steps):
    """The same training in one process, on all rows."""
    model = make_model(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = make_batch(64)
    gradients, weights = [], []
    for _ in range(steps):
        loss = mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        optimizer.step()
        weights.append(parameters_to_vector(model.parameters()).detach())
    return {"gradients": torch.stack(gradients), "weights": torch.stack(weights)}


def compare_exchanges(ranks, alone):
    """Do two ranks stay together, and do they do what one process does?"""
    for exchange in ranks[0]:
        first, second = (rank[exchange] for rank in ranks)
        together = torch.equal(first["weights"], second["weights"])
        for name in ("gradients", "weights"):
            agrees = torch.allclose(first[name], alone[name], atol=1e-5)
            print(f"exchanged {exchange:8} {name:9} as in one process: {agrees}")
            assert agrees == (exchange != "nothing")
        print(f"{'':18} weights equal on both ranks: {together}")
        assert together == (exchange != "nothing")


def plot_shares(sample_count, epochs):
    """Which of two ranks draws each sample, with `set_epoch` and without."""
    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.2), sharey=True, layout="constrained")
    for ax, told in zip(axes, (False, True), strict=True):
        orders = []
        for epoch in range(epochs):
            for rank in range(2):
                sampler = DistributedSampler(range(sample_count), 2, rank, seed=0)
                if told:
                    sampler.set_epoch(epoch)
                drawn = list(sampler)
                orders.append(drawn)
                bars = [(index - 0.45, 0.9) for index in drawn]
                label = f"rank {rank}" if epoch == 0 else None
                ax.broken_barh(bars, (epoch - 0.4, 0.8), color=f"C{rank}", label=label)
        different = len({tuple(order) for order in orders[::2]})
        name = "with set_epoch" if told else "without set_epoch"
        print(f"{name}: rank 0 had {different} different orders in {epochs} epochs")
        assert different == (epochs if told else 1)
        ax.set(title=name, xlabel="sample", yticks=range(epochs))
    axes[0].set_ylabel("epoch")
    axes[0].invert_yaxis()
    axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()


def train_everywhere(batch_size, epochs):
    """The training script: the same for one device and for many."""
    local_rank = int(os.environ["LOCAL_RANK"])
    with_gpus = torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])
    device = torch.device(f"cuda:{local_rank}" if with_gpus else "cpu")
    dist.init_process_group("nccl" if with_gpus else "gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()

    dataset = TensorDataset(*make_batch(256))
    sampler = DistributedSampler(dataset, seed=0)
    loader = DataLoader(dataset, batch_size // world_size, sampler=sampler)
    # Other weights on each rank, on purpose: DDP sends those of rank 0 to all.
    model = DistributedDataParallel(make_model(seed=rank).to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    losses = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for inputs, targets in loader:
            loss = mse_loss(model(inputs.to(device)), targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    result = {"losses": losses, "weights": model.module.state_dict()}
    torch.save(result, f"trained{rank}.pt")
    dist.destroy_process_group()


def start_with_torchrun(script, process_count):
    """What the shell command `torchrun` does, started from here."""
    arguments = ["--standalone", f"--nproc-per-node={process_count}", script]
    print("torchrun", *arguments)
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    # torchrun would set one thread for each process as well, and say so.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*torchrun, *arguments], env=environment, capture_output=True, text=True
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return [
        torch.load(f"trained{rank}.pt", map_location="cpu")
        for rank in range(process_count)
    ]


def train_without_processes(batch_size, epochs):
    """The same training in one process, without torch.distributed."""
    dataset = TensorDataset(*make_batch(256))
    sampler = DistributedSampler(dataset, num_replicas=1, rank=0, seed=0)
    loader = DataLoader(dataset, batch_size, sampler=sampler)
    model = make_model(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for inputs, targets in loader:
            loss = mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses, "weights": model.state_dict()}


def compare_trained(trained, alone):
    """Two processes with half a batch each, and one process with the whole."""
    steps = len(alone["losses"])
    halves = [rank["losses"] for rank in trained]
    means = torch.tensor(halves).mean(dim=0)
    print(f"steps: {steps}")
    for step in (0, steps - 1):
        print(f"loss at step {step}")
        print("  rank 0 and 1:", [round(half[step], 4) for half in halves])
        print(f"  their mean:   {means[step]:.4f}")
        print(f"  one process:  {alone['losses'][step]:.4f}")
    assert torch.allclose(means, torch.tensor(alone["losses"]), atol=1e-5)

    for name, weight in alone["weights"].items():
        first, second = (rank["weights"][name] for rank in trained)
        assert torch.equal(first, second)
        assert torch.allclose(first, weight, atol=1e-5)
    print("weights: equal on both ranks, and those of one process")


def plot_many(trained, alone, ranks):
    """The final picture: losses of ranks and of one process, and how far two ranks drift apart."""
    _, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
    left.plot(alone["losses"], "C2", linewidth=5, alpha=0.4, label="one process")
    means = torch.tensor([rank["losses"] for rank in trained]).mean(dim=0)
    left.plot(means, "C2", linewidth=1, label="mean of the ranks")
    for number, rank in enumerate(trained):
        left.plot(rank["losses"], f"C{number}.", markersize=3, label=f"rank {number}")
    left.set(xlabel="step", ylabel="loss", yscale="log")
    left.legend(fontsize=8)

    for color, exchange in (("C3", "nothing"), ("C2", "by DDP")):
        first, second = (rank[exchange]["weights"] for rank in ranks)
        apart = (first - second).norm(dim=1)
        right.plot(apart, color, label=f"exchanged: {exchange.removeprefix('by ')}")
    right.set(xlabel="step", ylabel="distance of the weights")
    right.legend(fontsize=8)
    plt.show()
