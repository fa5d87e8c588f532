"""Checkpoints: what to save of a training run, how to write it safely, and what loading refuses."""

import copy
import json
import math
import os
import pickle
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.utils.data import DataLoader, TensorDataset


def make_classifier(class_count):
    """A small classifier with learnable parameters, buffers and a layer that draws random numbers."""
    return nn.Sequential(
        nn.Linear(2, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, class_count),
    )


def ring_data(side):
    """A square grid of points, and for each whether it lies inside a circle."""
    ticks = torch.linspace(-1, 1, side)
    points = torch.cartesian_prod(ticks, ticks)
    return points, (points.norm(dim=1) < 0.7).long()


def same_bits(left, right):
    """Whether two state dicts hold the same names and, bit by bit, the same tensors."""
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        # Compared as bytes: -0.0 equals 0.0, and NaN equals nothing, but bytes are bytes.
        and torch.equal(
            left[name].reshape(-1).view(torch.uint8),
            right[name].reshape(-1).view(torch.uint8),
        )
        for name in left
    )


class TrainingRun:
    """A training run which can be stopped and continued."""

    def __init__(self, seed):
        """Start a new run."""
        torch.manual_seed(seed)
        self.points, self.labels = ring_data(16)
        self.model = nn.Sequential(
            nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2)
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, T_max=12
        )
        self.losses = []

    def train(self, epochs):
        """Train for some more epochs."""
        self.model.train()
        for _ in range(epochs):
            for rows in torch.randperm(len(self.points)).split(32):
                self.optimizer.zero_grad()
                loss = cross_entropy(self.model(self.points[rows]), self.labels[rows])
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())
            self.scheduler.step()

    def state_dict(self):
        """Everything that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            # One state for the CPU and one for each GPU; without a GPU the list is empty.
            "random": {
                "cpu": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all(),
            },
            "losses": list(self.losses),
        }

    def load_state_dict(self, state):
        """Continue from a saved state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"]["cpu"])
        torch.cuda.set_rng_state_all(state["random"]["cuda"])
        self.losses = list(state["losses"])


def checkpoint_name(when, epoch, loss):
    """A file name which sorts by time and tells epoch and score."""
    return f"{when:%Y%m%dT%H%M%S}-epoch{epoch:03d}-loss{loss:.4f}.pt"


def save_atomically(state, path):
    """Write a checkpoint so that `path` holds either the old file or the whole new one."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        # The bytes must reach the disk before the name: a power cut could keep the name and lose them.
        os.fsync(file.fileno())
    # A rename inside one file system happens completely or not at all.
    partial.replace(path)


class BestKeeper:
    """Keeps the checkpoints with the lowest losses, and no other, in a directory."""

    def __init__(self, directory, count):
        """Start with an empty list; the directory must exist when the first state is offered."""
        self.directory = directory
        self.count = count
        self.kept = []

    def offer(self, state, epoch, loss):
        """Save the state if it is among the best so far; whether it was."""
        entry = (loss, self.directory / f"epoch{epoch:03d}-loss{loss:.4f}.pt")
        ranked = sorted([*self.kept, entry])[: self.count]
        # NaN is neither smaller nor larger than any number, so it would stay wherever the sort left it.
        if math.isnan(loss) or entry not in ranked:
            return False
        save_atomically(state, entry[1])
        for _, dropped in set(self.kept) - set(ranked):
            dropped.unlink()
        self.kept = ranked
        return True


class RunsOnLoading:
    """An object whose pickle asks the loader to call a function."""

    def __reduce__(self):
        """Tell pickle how to rebuild this object: by a call of `print`."""
        return print, ("    (this line was printed by the file)",)


def refused_global(error):
    """The name that a weights-only load refused, taken from its long message."""
    return str(error).split("Unsupported global: GLOBAL ")[1].split(" was not")[0]


def state_dict_is_a_dictionary() -> None:
    """What a `state_dict` holds, and what it does not."""
    model = make_classifier(2).eval()
    learnable = dict(model.named_parameters())

    for name, tensor in model.state_dict().items():
        kind = "parameter" if name in learnable else "buffer"
        print(f"{name:22} {tuple(tensor.shape)!s:8} {kind}")

    buffers = model.state_dict().keys() - learnable.keys()
    assert buffers == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert all(
        isinstance(tensor, torch.Tensor) for tensor in model.state_dict().values()
    )
    # ReLU and dropout have no tensors. So the dropout rate is not in there, nor is the mode.
    assert not any(name.startswith(("2.", "3.")) for name in model.state_dict())


def weights_round_trip() -> None:
    """Weights saved, and loaded into a new model."""
    torch.manual_seed(0)
    points, _ = ring_data(16)
    trained = make_classifier(2)
    # One batch in training mode moves the buffers.
    trained(points)
    torch.save(trained.state_dict(), "weights.pt")

    model = make_classifier(2)
    print("equal before loading:", torch.equal(model[0].weight, trained[0].weight))
    print("load_state_dict:     ", model.load_state_dict(torch.load("weights.pt")))
    print("equal after loading: ", same_bits(model.state_dict(), trained.state_dict()))
    print("in training mode:    ", model.training)
    assert same_bits(model.state_dict(), trained.state_dict())

    trained.eval()
    assert not torch.equal(model(points), trained(points))
    model.load_state_dict(torch.load("weights.pt"))
    model.eval()
    assert torch.equal(model(points), trained(points))


def loading_fills_the_same_tensors() -> None:
    """`load_state_dict` copies into the tensors that are there, so an optimizer keeps its grip."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    address = model.weight.data_ptr()

    saved = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])}
    model.load_state_dict(saved)
    print("weight after loading:", model.weight.tolist())
    print("same memory:         ", model.weight.data_ptr() == address)

    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    (weights,) = model.weight.tolist()
    print("weight after a step: ", [[round(weight, 4) for weight in weights]])
    assert model.weight.data_ptr() == address
    assert torch.allclose(model.weight, torch.tensor([[0.9, 1.9]]))


def whole_model_is_refused() -> None:
    """A file with a whole model does not load by default."""
    model = nn.Sequential(nn.Linear(2, 1))
    torch.save(model, "model.pt")
    torch.save(model.state_dict(), "weights.pt")

    refused = ""
    try:
        torch.load("model.pt")
    except pickle.UnpicklingError as error:
        refused = refused_global(error)
    print("refused:              ", refused)
    assert refused == "torch.nn.modules.container.Sequential"

    for path in ["model.pt", "weights.pt"]:
        asked = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        print(f"{path} asks for:".ljust(22), sorted(asked))
    assert asked == []


def loading_can_run_code() -> None:
    """A pickle can call any function; `weights_only` refuses."""
    torch.save({"weights": torch.ones(3), "extra": RunsOnLoading()}, "found.pt")

    refused = ""
    try:
        torch.load("found.pt")
    except pickle.UnpicklingError as error:
        refused = refused_global(error)
    print("weights_only=True refuses:", refused)
    assert refused == "print"

    print("weights_only=False:")
    loaded = torch.load("found.pt", weights_only=False)
    print("what came back:", loaded["extra"])
    assert loaded["extra"] is None


def numpy_scalars_are_refused() -> None:
    """A loss history of NumPy scalars makes a checkpoint that does not load."""
    batch_losses = [0.75, 0.25]
    mean_loss = np.mean(batch_losses)
    print("np.mean gives:     ", type(mean_loss).__name__)
    torch.save({"weights": torch.ones(3), "losses": [mean_loss]}, "numpy.pt")

    refused = ""
    try:
        torch.load("numpy.pt")
    except pickle.UnpicklingError as error:
        refused = refused_global(error)
    print("refused:           ", refused)
    assert refused.endswith("multiarray.scalar")

    torch.save({"weights": torch.ones(3), "losses": [float(mean_loss)]}, "float.pt")
    print("saved as float:    ", torch.load("float.pt")["losses"])
    assert torch.load("float.pt")["losses"] == [0.5]

    # For a file that is already written: allow these three, and nothing else.
    allowed = [
        type(mean_loss).__reduce__(mean_loss)[0],
        np.dtype,
        type(np.dtype(np.float64)),
    ]
    with torch.serialization.safe_globals(allowed):
        rescued = torch.load("numpy.pt")["losses"]
    print("rescued:           ", [float(loss) for loss in rescued])
    assert rescued == [0.5]


def training_state_listed() -> None:
    """What a full checkpoint holds after five epochs."""
    run = TrainingRun(seed=0)
    run.train(epochs=5)
    state = run.state_dict()

    of_parameters = state["optimizer"]["state"]
    numbers = sum(t.numel() for one in of_parameters.values() for t in one.values())
    print("parts:              ", list(state))
    print("weights:            ", sum(p.numel() for p in run.model.parameters()))
    print("AdamW, a parameter: ", list(of_parameters[0]))
    print("numbers in AdamW:   ", numbers)
    print("scheduler's epoch:  ", state["scheduler"]["last_epoch"])
    print("CPU generator:      ", state["random"]["cpu"].numel(), "bytes")
    print("losses:             ", len(state["losses"]))

    torch.save(state, "run.pt")
    assert torch.load("run.pt", map_location="cpu")["losses"] == run.losses
    assert numbers > 2 * sum(p.numel() for p in run.model.parameters())


def resumed_run_is_equal() -> None:
    """A run that was stopped and resumed, against one that was not."""
    whole = TrainingRun(seed=0)
    whole.train(epochs=12)

    stopped = TrainingRun(seed=0)
    stopped.train(epochs=5)
    torch.save(stopped.state_dict(), "run.pt")

    # Other weights, another order: all of it must come from the file.
    resumed = TrainingRun(seed=99)
    resumed.load_state_dict(torch.load("run.pt", map_location="cpu"))
    resumed.train(epochs=7)

    print("steps, whole and resumed: ", len(whole.losses), len(resumed.losses))
    print("losses equal:             ", resumed.losses == whole.losses)
    weights_equal = same_bits(resumed.model.state_dict(), whole.model.state_dict())
    print("weights equal, bit by bit:", weights_equal)
    assert resumed.losses == whole.losses
    assert weights_equal

    stop = len(stopped.losses)
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    ax.plot(whole.losses, color="0.5", linewidth=5, alpha=0.4, label="never stopped")
    ax.plot(range(stop), stopped.losses, color="C0", label="before the stop")
    ax.plot(range(stop, 96), resumed.losses[stop:], color="C1", label="resumed")
    ax.axvline(stop - 0.5, color="0.5", linestyle=":")
    ax.set(xlabel="step", ylabel="training loss")
    ax.legend()
    plt.show()


def what_forgetting_costs() -> None:
    """The same run resumed without one part of its state."""
    whole = TrainingRun(seed=0)
    whole.train(epochs=12)
    stopped = TrainingRun(seed=0)
    stopped.train(epochs=5)
    stop = len(stopped.losses)
    torch.save(stopped.state_dict(), "run.pt")

    share = {"sharex": True, "sharey": True}
    fig, axes = plt.subplots(3, figsize=(6.4, 5), layout="constrained", **share)
    band = {"color": "0.5", "linewidth": 4, "alpha": 0.4}
    for ax, forgotten in zip(axes, ["optimizer", "scheduler", "random"], strict=True):
        resumed = TrainingRun(seed=99)
        fresh_part = resumed.state_dict()[forgotten]
        saved = torch.load("run.pt", map_location="cpu")
        resumed.load_state_dict({**saved, forgotten: fresh_part})
        resumed.train(epochs=7)

        gaps = [abs(a - b) for a, b in zip(resumed.losses, whole.losses, strict=True)]
        first_gap = next(step for step, gap in enumerate(gaps) if gap > 0)
        equal = f"{first_gap - stop} steps equal"
        print(f"without {forgotten:9}  {equal}, largest difference {max(gaps):.4f}")
        assert first_gap >= stop
        assert resumed.losses != whole.losses

        ax.plot(range(stop - 8, 96), whole.losses[stop - 8 :], **band)
        ax.plot(range(stop, 96), resumed.losses[stop:], color="C1")
        ax.axvline(stop - 0.5, color="0.5", linestyle=":")
        ax.set(title=f"without {forgotten}", ylabel="loss")
    axes[-1].set_xlabel("step")
    plt.show()


def names_sort_by_time() -> None:
    """Names with time, epoch and score, sorted as text."""
    start = datetime(2026, 9, 30, 22, 15, tzinfo=UTC)
    losses = {8: 0.4125, 9: 0.3650, 10: 0.3902, 11: 0.3871}
    names = [
        checkpoint_name(start + timedelta(hours=epoch), epoch, loss)
        for epoch, loss in losses.items()
    ]
    shuffled = random.Random(0).sample(names, len(names))

    print("sorted:", *sorted(shuffled), sep="\n  ")
    print("latest:", max(shuffled))
    scores = {name: float(Path(name).stem.split("loss")[1]) for name in shuffled}
    print("best:  ", min(scores, key=scores.get))
    assert sorted(shuffled) == names

    careless = [f"epoch{epoch}.pt" for epoch in losses]
    print("without zeros in front:", sorted(careless))
    assert sorted(careless) != careless


def state_dict_is_not_a_copy() -> None:
    """Weights kept in a variable go on training unless they are copied."""
    run = TrainingRun(seed=0)
    run.train(epochs=1)

    kept = run.model.state_dict()
    copied = copy.deepcopy(kept)
    weight_then = run.model[0].weight[0, 0].item()
    run.train(epochs=1)
    weight_now = run.model[0].weight[0, 0].item()

    print(f"first weight then: {weight_then:.4f}")
    print(f"first weight now:  {weight_now:.4f}")
    print(f"kept:              {kept['0.weight'][0, 0]:.4f}")
    print(f"deep copy:         {copied['0.weight'][0, 0]:.4f}")

    assert weight_then != weight_now
    assert same_bits(kept, run.model.state_dict())
    assert copied["0.weight"][0, 0] == weight_then


def best_checkpoints_kept() -> None:
    """The two best of six checkpoints stay in the directory."""
    keeper = BestKeeper(Path("best"), count=2)
    keeper.directory.mkdir()

    for epoch, loss in enumerate([0.9, 0.5, math.nan, 0.7, 0.4, 0.6]):
        state = {"epoch": epoch, "weight": torch.full((2,), float(epoch))}
        kept = keeper.offer(state, epoch, loss)
        files = sorted(path.stem for path in keeper.directory.iterdir())
        outcome = "kept" if kept else "-"
        print(f"epoch {epoch}  loss {loss:.1f}  {outcome:4}  files: {files}")

    best_loss, best_path = keeper.kept[0]
    print("best:", best_path.name)
    assert best_loss == 0.4
    assert torch.load(best_path)["epoch"] == 4
    assert sorted(keeper.directory.iterdir()) == sorted(path for _, path in keeper.kept)


def failed_save_destroys_the_file() -> None:
    """A save that fails takes the checkpoint before it along."""
    path = Path("run.pt")
    torch.save({"weights": torch.zeros(1000)}, path)
    print("loads before:", torch.load(path)["weights"].shape == (1000,))

    outcomes = []
    try:
        torch.save({"weights": torch.ones(1000), "activation": lambda x: x}, path)
    except (pickle.PicklingError, AttributeError):
        outcomes.append("the save failed: a lambda cannot be pickled")
    try:
        torch.load(path)
    except RuntimeError as error:
        outcomes.append(f"the old content is gone: {str(error).split('.')[0]}")
    print(*outcomes, sep="\n")
    assert len(outcomes) == 2


def atomic_save_keeps_the_file() -> None:
    """A save to another name, then a rename: the old file survives a failure."""
    path = Path("runs/run.pt")
    path.parent.mkdir()
    save_atomically({"weights": torch.zeros(1000)}, path)

    failed = False
    try:
        save_atomically({"weights": torch.ones(1000), "activation": lambda x: x}, path)
    except (pickle.PicklingError, AttributeError):
        failed = True
    print("the save failed: ", failed)
    print("old file loads:  ", torch.load(path)["weights"].sum().item() == 0)
    print("files:           ", sorted(file.name for file in path.parent.iterdir()))
    assert failed
    assert torch.load(path)["weights"].sum() == 0

    save_atomically({"weights": torch.ones(1000)}, path)
    print("after a good save:", sorted(file.name for file in path.parent.iterdir()))
    assert torch.load(path)["weights"].sum() == 1000
    assert list(path.parent.iterdir()) == [path]


def safetensors_header() -> None:
    """A safetensors file: a length, a header in JSON, then the numbers."""
    weights = {"scale": torch.tensor([2.0]), "weight": torch.arange(6.0).reshape(2, 3)}
    save_file(weights, "model.safetensors", metadata={"epoch": "5"})

    content = Path("model.safetensors").read_bytes()
    header_size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_size])
    for name, entry in header.items():
        print(f"{name}: {entry}")

    start, end = header["weight"]["data_offsets"]
    numbers = np.frombuffer(content[8 + header_size :][start:end], dtype="<f4")
    print("weight, read by hand:", numbers.tolist())
    assert numbers.tolist() == weights["weight"].flatten().tolist()
    assert header["__metadata__"] == {"epoch": "5"}


def safetensors_round_trip() -> None:
    """A model's weights through safetensors, whole and in part."""
    torch.manual_seed(0)
    trained = make_classifier(2)
    save_file(trained.state_dict(), "model.safetensors")

    model = make_classifier(2)
    model.load_state_dict(load_file("model.safetensors"))
    print("equal, bit by bit:  ", same_bits(model.state_dict(), trained.state_dict()))
    assert same_bits(model.state_dict(), trained.state_dict())

    with safe_open("model.safetensors", framework="pt") as file:
        rows = file.get_slice("0.weight")[4:6]
        print("names in the file:  ", len(file.keys()))
    print("two rows of 32:     ", tuple(rows.shape))
    assert torch.equal(rows.cpu(), trained[0].weight[4:6].cpu())

    tied = {"input": trained[0].weight, "output": trained[0].weight}
    message = ""
    try:
        save_file(tied, "tied.safetensors")
    except RuntimeError as error:
        message = str(error).strip().split(":")[0]
    print("one tensor twice:   ", message)
    assert "share memory" in message

    torch.save(tied, "tied.pt")
    restored = torch.load("tied.pt")
    shared = restored["input"].data_ptr() == restored["output"].data_ptr()
    print("torch.save keeps it:", shared)
    assert shared


def hdf5_for_other_tools() -> None:
    """Weights in HDF5, used without PyTorch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    points, _ = ring_data(4)
    with h5py.File("model.h5", "w") as file:
        for name, tensor in model.state_dict().items():
            file[name.replace(".", "/")] = tensor.cpu().numpy()
        file.attrs["activation"] = "relu"

    message = ""
    try:
        model[0].weight.detach().to(torch.bfloat16).cpu().numpy()
    except TypeError as error:
        message = str(error)
    print("bfloat16:  ", message)
    assert "BFloat16" in message

    # From here on nothing is PyTorch but the comparison.
    with h5py.File("model.h5") as file:
        print("groups:    ", list(file))
        print("activation:", file.attrs["activation"])
        print("0/weight:  ", file["0/weight"])
        hidden = points.cpu().numpy() @ file["0/weight"][:].T + file["0/bias"][:]
        logits = np.maximum(hidden, 0) @ file["2/weight"][:].T + file["2/bias"][:]

    print("logits:    ", logits.shape, logits.dtype)
    assert np.allclose(logits, model(points).detach().cpu().numpy(), atol=1e-5)


@pytest.mark.cpu_only("shows what a machine without a GPU does with a file from a GPU")
def gpu_file_without_gpu() -> None:
    """A checkpoint from a GPU, opened where there is none."""
    # No GPU is needed to write the file: the storage is given the tag that one on a GPU gets.
    with mock.patch("torch.serialization.location_tag", return_value="cuda:0"):
        torch.save({"weight": torch.ones(2, 3)}, "gpu.pt")

    message = ""
    # Where there is a GPU, this hides it.
    with mock.patch("torch.cuda.is_available", return_value=False):
        try:
            torch.load("gpu.pt")
        except RuntimeError as error:
            message = str(error)
        on_cpu = torch.load("gpu.pt", map_location="cpu")["weight"]

    print(message.replace(". ", ".\n"))
    print("device with map_location:", on_cpu.device)
    assert "torch.cuda.is_available() is False" in message
    assert on_cpu.device.type == "cpu"
    assert on_cpu.sum() == 6


@pytest.mark.own_device
def map_location_decides() -> None:
    """Where loaded tensors go: a device, a table, or a function."""
    torch.save({"weight": torch.ones(2, 3)}, "cpu.pt")

    seen = []

    def keep(storage, tag):
        seen.append(tag)
        return storage

    loaded = {
        "no map_location": torch.load("cpu.pt"),
        "meta": torch.load("cpu.pt", map_location="meta"),
        "a table": torch.load("cpu.pt", map_location={"cpu": "meta"}),
        "a function": torch.load("cpu.pt", map_location=keep),
    }
    for name, state in loaded.items():
        weight = state["weight"]
        print(f"{name + ':':17} {weight.device}, shape {tuple(weight.shape)}")
    print("tags in the file:", seen)
    assert seen == ["cpu"]
    devices = [state["weight"].device.type for state in loaded.values()]
    assert devices == ["cpu", "meta", "meta", "cpu"]


def loading_lets_the_model_decide() -> None:
    """Weights loaded to the CPU end up on the model's own device and in its own dtype."""
    torch.manual_seed(0)
    trained = make_classifier(2)
    torch.save(trained.state_dict(), "weights.pt")

    weights = torch.load("weights.pt", map_location="cpu")
    model = make_classifier(2).to(torch.float64)
    device = model[0].weight.device
    model.load_state_dict(weights)

    print("file:         ", weights["0.weight"].dtype)
    print("model:        ", model[0].weight.dtype)
    print("device stayed:", model[0].weight.device == device)
    assert model[0].weight.dtype == torch.float64
    assert model[0].weight.device == device
    assert torch.equal(model[0].weight.float(), trained[0].weight)


def strict_loading_names_the_difference() -> None:
    """Names that do not match are listed, and nothing is guessed."""
    weights = {"weight": torch.ones(1, 2), "offset": torch.ones(1)}
    model = nn.Linear(2, 1)

    message = ""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        message = "\n".join(
            line.rstrip() for line in str(error).expandtabs(4).split("\n")
        )
    print(message)
    print("weight after the error:  ", model.weight.tolist())
    assert model.weight.tolist() == [[1, 1]]
    assert 'Missing key(s) in state_dict: "bias"' in message
    assert 'Unexpected key(s) in state_dict: "offset"' in message

    fresh = nn.Linear(2, 1)
    result = fresh.load_state_dict(weights, strict=False)
    print("strict=False, missing:   ", result.missing_keys)
    print("strict=False, unexpected:", result.unexpected_keys)
    assert result == (["bias"], ["offset"])
    assert fresh.weight.tolist() == [[1, 1]]


def new_head_on_old_body() -> None:
    """All weights but those of the last layer, for another number of classes."""
    torch.manual_seed(0)
    pretrained = make_classifier(2).state_dict()

    message = ""
    try:
        make_classifier(5).load_state_dict(pretrained, strict=False)
    except RuntimeError as error:
        message = str(error).split("\n")[1].strip()
    print("strict=False:", message)
    assert "size mismatch for 4.weight" in message

    model = make_classifier(5)
    head_before = model[4].weight.clone()
    body = {
        name: tensor for name, tensor in pretrained.items() if not name.startswith("4.")
    }
    result = model.load_state_dict(body, strict=False)
    print("missing:     ", result.missing_keys)
    print("unexpected:  ", result.unexpected_keys)
    assert result.missing_keys == ["4.weight", "4.bias"]
    assert not result.unexpected_keys
    assert torch.equal(model[0].weight, pretrained["0.weight"])
    assert torch.equal(model[4].weight, head_before)


def solution_resume_a_shuffled_loader() -> None:
    """Save and restore the generator of a shuffled loader."""
    device = torch.get_default_device()
    orders = []
    for resume in [False, True]:
        generator = torch.Generator(device=device).manual_seed(1 if resume else 0)
        data = TensorDataset(torch.arange(6))
        loader = DataLoader(data, batch_size=2, shuffle=True, generator=generator)
        if resume:
            generator.set_state(torch.load("loader.pt", map_location="cpu"))
        else:
            first_epoch = [batch.tolist() for (batch,) in loader]
            torch.save(generator.get_state(), "loader.pt")
        orders.append([batch.tolist() for (batch,) in loader])

    print("first epoch:         ", first_epoch)
    print("second, not stopped: ", orders[0])
    print("second, resumed:     ", orders[1])
    assert orders[0] == orders[1]


def solution_strip_the_prefix() -> None:
    """Load weights that were saved from inside a wrapper."""
    torch.manual_seed(0)
    wrapped = nn.ModuleDict({"module": make_classifier(2)})
    weights = wrapped.state_dict()
    print("in the file:   ", next(iter(weights)))

    model = make_classifier(2)
    result = model.load_state_dict(weights, strict=False)
    missing, unexpected = set(result.missing_keys), set(result.unexpected_keys)
    print("strict=False:  ", len(missing), "missing,", len(unexpected), "unexpected")
    assert unexpected == set(weights)
    assert missing == set(model.state_dict()) - {"1.num_batches_tracked"}

    consume_prefix_in_state_dict_if_present(weights, "module.")
    print("stripped:      ", next(iter(weights)))
    print("loaded:        ", model.load_state_dict(weights))
    assert same_bits(model.state_dict(), wrapped["module"].state_dict())
