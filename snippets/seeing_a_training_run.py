"""The tutorial `seeing_a_training_run`: TensorBoard, profiler and memory, each with a fault that only it shows."""

import math
import os
from collections import Counter
from pathlib import Path
from statistics import median
from weakref import WeakSet

import matplotlib.pyplot as plt
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset
from torch.utils.tensorboard import SummaryWriter

from snippets.data import (
    IdxDigits,
    mnist_tensors,
    seeded_generator,
    write_digits_as_mnist,
)
from snippets.training_loop import gradient_of

PARTS = ("wait for data", "forward", "backward", "update")


def make_network(seed):
    """Three layers: one image of 8 by 8 pixels in, ten logits out."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 256), nn.ReLU(),
        nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, 10),
    )  # fmt: skip


def digits_in_memory(root):
    """The digits as two tensors, read once."""
    write_digits_as_mnist(root)
    return TensorDataset(*mnist_tensors(root, train=True))


def whole_batches(dataset, batch_size):
    """A loader that asks the dataset for a whole batch at once."""
    generator = seeded_generator(0)
    order = RandomSampler(dataset, generator=generator)
    batches = BatchSampler(order, batch_size, drop_last=False)
    return DataLoader(dataset, batch_size=None, sampler=batches, generator=generator)


def one_by_one(dataset, batch_size):
    """A loader that asks for one digit after the other, and puts them together."""
    generator = seeded_generator(0)
    return DataLoader(dataset, batch_size, shuffle=True, generator=generator)


def train_and_log(folder, dataset, learning_rate, clear_gradients, epochs):
    """Train, and write the loss and the length of the gradient of every step for TensorBoard."""
    model = make_network(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    loader = whole_batches(dataset, batch_size=100)
    step = 0
    with SummaryWriter(folder) as writer:
        for _ in range(epochs):
            for images, labels in loader:
                loss = cross_entropy(model(images), labels)
                if clear_gradients:
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()

                writer.add_scalar("loss/train", loss.item(), step)
                writer.add_scalar("gradient/norm", gradient_of(model).norm(), step)
                step += 1
    print(f"{folder}: {step} steps")
    return folder


def read_scalars(folder, name):
    """The steps and the values of one curve, read from the files of a run."""
    events = EventAccumulator(folder).Reload().Scalars(name)
    return [event.step for event in events], [event.value for event in events]


def draw_curves(ax, name, runs):
    """Draw one curve of several runs: their folders, each with its color."""
    for folder, color in runs.items():
        steps, values = read_scalars(folder, name)
        ax.plot(steps, values, color, label=Path(folder).name.replace("_", " "))
    ax.set(xlabel="step", ylabel=name)


def plot_curves(runs, scale):
    """Loss and length of the gradient of some runs, from their files."""
    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
    for ax, name in zip(axes, ("loss/train", "gradient/norm"), strict=True):
        draw_curves(ax, name, runs)
        ax.set_yscale(scale)
    axes[0].legend(fontsize=8)
    plt.show()


def compare_runs(sound, too_high, forgotten):
    """What the curves of three runs say, in numbers."""
    losses, lengths = {}, {}
    for folder in (sound, too_high, forgotten):
        losses[folder] = read_scalars(folder, "loss/train")[1]
        lengths[folder] = read_scalars(folder, "gradient/norm")[1]
        print(Path(folder).name)
        for step in (0, 30, 60):
            some = slice(step, step + 10)
            loss, length = median(losses[folder][some]), median(lengths[folder][some])
            print(f"  from step {step:2}: loss {loss:.1f}, gradient {length:.1f}")

    # Ten digits: a blind guess has a loss of log(10).
    assert abs(median(losses[too_high][-20:]) - math.log(10)) < 0.2
    assert median(losses[sound][-20:]) < 0.5
    # Without zero_grad the loss looks better for a while, but never the gradient.
    assert median(losses[forgotten][20:40]) < median(losses[sound][20:40])
    assert lengths[forgotten][30] > 5 * max(lengths[sound][:31])


def digits_on_disk(root):
    """The same digits, each read from its file whenever it is asked for."""
    folder = Path(root) / "MNIST" / "raw"
    return IdxDigits(
        folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    )


def profile_steps(loader, steps):
    """Train for some steps under the profiler, with a name for each part of a step."""
    # The recorder logs its start and stop to standard error, unless it is told not to.
    os.environ["KINETO_LOG_LEVEL"] = "6"
    model = make_network(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    batches = iter(loader)
    losses = []

    def train_step():
        with record_function("wait for data"):
            images, labels = next(batches)
        with record_function("forward"):
            loss = cross_entropy(model(images), labels)
        with record_function("backward"):
            optimizer.zero_grad()
            loss.backward()
        with record_function("update"):
            optimizer.step()
        losses.append(loss.item())

    train_step()  # the first step also pays for what is loaded once
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            train_step()
    return profiler, losses


def part_times(profiler):
    """Milliseconds that each part took, for every step."""
    times = {part: [] for part in PARTS}
    for event in profiler.events():
        if event.name in PARTS:
            times[event.name].append(event.cpu_time_total / 1000)
    return times


def print_profile(profiler):
    """Time of each part of a step, and calls of some operators."""
    times = part_times(profiler)
    for part, milliseconds in times.items():
        print(f"{part + ':':14} took {median(milliseconds):.2f} ms")
    calls = Counter(event.name for event in profiler.events())
    steps = len(times["forward"])
    for operator in ("aten::addmm", "aten::mm", "aten::relu", "aten::add_"):
        print(f"{operator + ':':14} {calls[operator] // steps} calls in a step")


def waiting_share(profiler):
    """The part of a step in which the model waits for data."""
    typical = {part: median(times) for part, times in part_times(profiler).items()}
    return typical["wait for data"] / sum(typical.values())


def draw_steps(ax, profiler, title):
    """Draw the parts of each step as bars along the time."""
    events = [event for event in profiler.events() if event.name in PARTS]
    first = min(event.time_range.start for event in events)
    for number, part in enumerate(PARTS):
        bars = [
            ((e.time_range.start - first) / 1000, e.time_range.elapsed_us() / 1000)
            for e in events
            if e.name == part
        ]
        ax.broken_barh(bars, (0, 1), facecolors=f"C{number}", label=part)
    ax.set(title=title, xlabel="milliseconds that the steps took", yticks=[])


def plot_steps(in_memory, on_disk):
    """The same steps with two data loaders."""
    _, axes = plt.subplots(2, figsize=(6.4, 2.8), layout="constrained")
    draw_steps(axes[0], in_memory, "digits in memory")
    draw_steps(axes[1], on_disk, "digits on disk")
    axes[0].set_xlabel("")
    axes[0].legend(ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.25))
    plt.show()


def compare_loaders(in_memory, on_disk, losses):
    """The losses do not tell the two loaders apart, the profiler does."""
    same = torch.allclose(*map(torch.tensor, losses))
    print("same losses:", same)
    assert same
    profiles = {"in memory": in_memory, "on disk": on_disk}
    for name, profiler in profiles.items():
        starved = waiting_share(profiler) > 0.5
        print(f"digits {name + ':':10} waits for more than half of a step: {starved}")
        assert starved == (name == "on disk")


class Kept:
    """Something that autograd keeps for the backward pass; it goes when its graph goes."""

    def __init__(self, tensor):
        # Detached, because an output would hold the graph, which holds this.
        self.tensor = tensor.detach()


def kept_bytes(holders, model):
    """Bytes of what is still kept, without the parameters."""
    storages = [holder.tensor.untyped_storage() for holder in holders]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    for weight in model.parameters():
        sizes.pop(weight.data_ptr(), None)
    return sum(sizes.values())


def memory_of_a_step(dataset, batch_size, optimizer_name):
    """Bytes of the parameters, the gradients, the optimizer's state and the activations."""
    model = make_network(seed=0)
    optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), lr=0.01)
    # A copy: a slice would keep the storage of all digits.
    images, labels = (part.clone() for part in dataset[:batch_size])
    holders = []

    def pack(tensor):
        holders.append(Kept(tensor))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = cross_entropy(model(images), labels)
    activations = kept_bytes(holders, model)
    loss.backward()
    optimizer.step()

    parameters = list(model.parameters())
    states = [t for state in optimizer.state.values() for t in state.values()]
    return {
        "parameters": sum(weight.nbytes for weight in parameters),
        "gradients": sum(weight.grad.nbytes for weight in parameters),
        "optimizer": sum(t.nbytes for t in states if torch.is_tensor(t)),
        "activations": activations,
    }


def print_memory(dataset, batch_size):
    """The four kinds of memory, with two optimizers."""
    for optimizer_name in ("SGD", "Adam"):
        counted = memory_of_a_step(dataset, batch_size, optimizer_name)
        print(f"{optimizer_name}, batch of {batch_size}")
        for name, count in counted.items():
            print(f"  {name:12} {count / 1024:7.1f} KiB")
        assert counted["gradients"] == counted["parameters"]
        # Adam keeps two numbers for each parameter, and a count of steps for each tensor.
        twice = 2 * counted["parameters"] + 4 * 6
        assert counted["optimizer"] == (twice if optimizer_name == "Adam" else 0)


def plot_memory(dataset, batch_sizes):
    """What training keeps in memory, for growing batches."""
    counted = [memory_of_a_step(dataset, size, "Adam") for size in batch_sizes]
    _, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    names = [str(size) for size in batch_sizes]
    below = [0.0] * len(counted)
    for number, name in enumerate(counted[0]):
        kibibytes = [kinds[name] / 1024 for kinds in counted]
        ax.bar(names, kibibytes, 0.6, below, color=f"C{number}", label=name)
        below = [low + high for low, high in zip(below, kibibytes, strict=True)]
    ax.set(xlabel="batch size", ylabel="KiB")
    ax.legend()
    plt.show()


def validate(dataset, way):
    """Sum up a validation loss in one of three ways; note what autograd still keeps after each batch."""
    model = make_network(seed=0)
    holders, kibibytes, total = WeakSet(), [], 0.0

    def pack(tensor):
        holder = Kept(tensor)
        holders.add(holder)
        return holder

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda holder: holder.tensor)
    with hooks, torch.set_grad_enabled(way != "no_grad"):
        for images, labels in whole_batches(dataset, batch_size=100):
            loss = cross_entropy(model(images), labels)
            total += len(labels) * (loss if way == "sum of tensors" else loss.item())
            kibibytes.append(kept_bytes(holders, model) / 1024)
    mean = torch.as_tensor(total).item() / len(dataset)
    first, last = kibibytes[0], kibibytes[-1]
    print(
        f"{way + ':':15} mean loss {mean:.4f}, kept {first:.1f} KiB, later {last:.1f} KiB"
    )
    return kibibytes


def compare_validations(leaking, numbers, without_graph):
    """Memory grows with the batches only where tensors are summed."""
    growth = leaking[-1] / leaking[0]
    print(
        f"sum of tensors: {len(leaking)} batches keep {growth:.0f} times as much as one"
    )
    assert round(growth) == len(leaking)
    assert set(numbers) == {numbers[0]}
    assert set(without_graph) == {0}


def plot_instruments(sound, too_high, forgotten, in_memory, on_disk, validations):
    """The final picture: four charts, and in each the fault that it shows."""
    _, axes = plt.subplots(2, 2, figsize=(6.8, 5), layout="constrained")
    (loss, gradient), (waiting, memory) = axes
    draw_curves(loss, "loss/train", {sound: "C0", too_high: "C3"})
    draw_curves(gradient, "gradient/norm", {sound: "C0", forgotten: "C1"})
    gradient.set_yscale("log")

    profiles = {"digits in memory": in_memory, "digits on disk": on_disk}
    for (name, profiler), color in zip(profiles.items(), ("C0", "C2"), strict=True):
        waiting.bar(name, waiting_share(profiler), 0.6, color=color)
    waiting.set(ylabel="share that waiting took", ylim=(0, 1))

    for (name, kibibytes), color in zip(validations.items(), ("C0", "C4"), strict=True):
        memory.plot(range(1, len(kibibytes) + 1), kibibytes, f"{color}.-", label=name)
    memory.set(xlabel="validation batch", ylabel="KiB kept")

    titles = (
        "learning rate too high",
        "forgotten zero_grad",
        "a loader that starves",
        "sum of tensors",
    )
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title, fontsize=10)
    for ax in (loss, gradient, memory):
        ax.legend(fontsize=8)
    plt.show()
