"""Conventions: what names, orders of dimensions and pairs of forms mean in PyTorch."""

import importlib
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

PACKAGES = {
    "torch": ("matmul", "tensors and the operations on them"),
    "torch.nn": ("Linear", "modules: layers, containers, losses"),
    "torch.nn.functional": ("linear", "the functions that modules call"),
    "torch.nn.init": ("kaiming_normal_", "fill parameters in place"),
    "torch.nn.utils": (
        "clip_grad_norm_",
        "clipping, parametrizations, ragged sequences",
    ),
    "torch.nn.attention": ("sdpa_kernel", "choose how attention is computed"),
    "torch.autograd": ("Function", "gradients, and functions with your own"),
    "torch.func": ("grad", "gradients and batches as transforms of functions"),
    "torch.optim": ("SGD", "optimizers"),
    "torch.optim.lr_scheduler": ("CosineAnnealingLR", "learning rates over time"),
    "torch.utils.data": ("DataLoader", "data sets, samplers, loaders"),
    "torch.utils.checkpoint": ("checkpoint", "recompute instead of remember"),
    "torch.amp": ("autocast", "mixed precision"),
    "torch.accelerator": ("current_accelerator", "whichever accelerator there is"),
    "torch.cuda": ("memory_summary", "NVIDIA GPUs (and AMD's, in builds for them)"),
    "torch.backends": ("cudnn", "switches of the libraries underneath"),
    "torch.linalg": ("solve", "linear algebra"),
    "torch.fft": ("rfft", "Fourier transforms"),
    "torch.special": ("entr", "special functions"),
    "torch.sparse": ("mm", "tensors that store few of their elements"),
    "torch.distributions": ("Normal", "sampling and log-probabilities"),
    "torch.random": ("fork_rng", "seeds and the state of generators"),
    "torch.distributed": ("is_available", "many processes, many devices"),
    "torch.compiler": ("disable", "control what torch.compile does"),
    "torch.export": ("export", "a model as a graph of its own"),
    "torch.onnx": ("export", "a model for other runtimes"),
    "torch.jit": ("load", "TorchScript, deprecated"),
    "torch.fx": ("symbolic_trace", "graphs in Python, to inspect and rewrite"),
    "torch.library": ("custom_op", "operators of your own"),
    "torch.profiler": ("profile", "where the time goes"),
    "torch.testing": ("assert_close", "compare tensors in tests"),
    "torchvision.datasets": ("MNIST", "image data sets"),
    "torchvision.transforms.v2": ("Compose", "image transforms"),
    "torchvision.models": ("resnet18", "image models"),
    "torchvision.ops": ("nms", "operations on boxes and images"),
}


def samples_changed(function, batch, batch_dim):
    """Which samples of the output change when the first sample of the input does."""
    changed = batch.clone()
    changed.select(batch_dim, 0).square_()
    difference = (function(changed) - function(batch)).detach().abs()
    others = [dim for dim in range(difference.ndim) if dim != batch_dim]
    return (difference.amax(dim=others) > 1e-5).tolist()


def seed_everything(seed):
    """Seed the three generators that a training program usually draws from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def trailing_underscore() -> None:
    """A method that ends in an underscore changes its tensor and returns it."""
    scores = torch.tensor([-1.0, 4.0, 9.0])
    address = scores.data_ptr()

    clamped = scores.clamp(min=0)
    print("clamp returns: ", clamped.tolist(), " scores:", scores.tolist())
    returned = scores.clamp_(min=0)
    print("clamp_ returns:", returned.tolist(), " scores:", scores.tolist())
    print("clamp_ returns its tensor:        ", returned is scores)
    scores.sqrt_().neg_().add_(10)
    print("after sqrt_, neg_, add_(10):      ", scores.tolist())
    scores += 1
    print("after += 1:                       ", scores.tolist())

    weight = torch.empty(2, 3)
    filled = nn.init.ones_(weight)
    relu_output = nn.ReLU(inplace=True)(scores)
    print("init.ones_ returns its argument:  ", filled is weight)
    print("ReLU(inplace=True) returns it too:", relu_output is scores)
    assert clamped is not scores
    assert returned is scores
    assert scores.data_ptr() == address
    assert filled is weight
    assert relu_output is scores


def dim_names_what_goes() -> None:
    """`dim` is the dimension an operation works along; a reduction removes it."""
    scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    print("shape:             ", tuple(scores.shape))
    print("sum(dim=0):        ", scores.sum(dim=0).tolist())
    print("sum(dim=1):        ", scores.sum(dim=1).tolist())
    print("sum(dim=-1):       ", scores.sum(dim=-1).tolist())
    print("sum(dim=(0, 1)):   ", scores.sum(dim=(0, 1)).item())
    print("keepdim=True:      ", tuple(scores.sum(dim=1, keepdim=True).shape))
    print("softmax(dim=1):    ", tuple(scores.softmax(dim=1).shape))
    print("unsqueeze(dim=1):  ", tuple(scores.unsqueeze(dim=1).shape))
    print("stack along dim=1: ", tuple(torch.stack([scores, scores], dim=1).shape))
    print("cat along dim=1:   ", tuple(torch.cat([scores, scores], dim=1).shape))
    assert torch.equal(scores.sum(dim=-1), scores.sum(dim=1))
    assert torch.equal(
        scores.sum(axis=1, keepdims=True), scores.sum(dim=1, keepdim=True)
    )
    torch.testing.assert_close(scores.softmax(dim=1).sum(dim=1), torch.ones(2))


def where_the_channels_are() -> None:
    """Convolutions want channels after the batch; most other layers want features last."""
    torch.manual_seed(0)
    sequences = torch.rand(8, 20, 16)
    images = torch.rand(8, 3, 32, 24)
    volumes = torch.rand(8, 3, 5, 32, 24)
    words = torch.zeros(8, 20, dtype=torch.int64)

    channels_second = {
        "Conv1d, (N, C, L)": nn.Conv1d(16, 6, kernel_size=3)(sequences.transpose(1, 2)),
        "Conv2d, (N, C, H, W)": nn.Conv2d(3, 6, kernel_size=3)(images),
        "Conv3d, (N, C, D, H, W)": nn.Conv3d(3, 6, kernel_size=3)(volumes),
        "BatchNorm2d, (N, C, H, W)": nn.BatchNorm2d(3)(images),
    }
    features_last = {
        "Linear, (..., F)": nn.Linear(16, 6)(sequences),
        "LayerNorm, (..., F)": nn.LayerNorm(16)(sequences),
        "LSTM, batch_first, (N, L, F)": nn.LSTM(16, 6, batch_first=True)(sequences)[0],
        "Embedding, (...) of integers": nn.Embedding(100, 6)(words),
    }
    for name, output in {**channels_second, **features_last}.items():
        print(f"{name:29} -> {tuple(output.shape)}")
    assert all(output.shape[1] in (3, 6) for output in channels_second.values())
    assert all(output.shape[-1] in (6, 16) for output in features_last.values())


def image_orders() -> None:
    """Pictures arrive with channels last; layers want them first."""
    # Ten times the row plus the column, in each of three channels.
    rows, columns = torch.arange(4).reshape(4, 1, 1), torch.arange(6).reshape(1, 6, 1)
    picture = (10 * rows + columns).expand(4, 6, 3).float()
    layer = nn.Conv2d(in_channels=3, out_channels=2, kernel_size=1)

    message = ""
    try:
        layer(picture.unsqueeze(0))
    except RuntimeError as error:
        message = str(error)
    print("as (N, H, W, C):", message)
    assert "to have 3 channels, but got 4 channels instead" in message

    permuted = picture.permute(2, 0, 1)
    reshaped = picture.reshape(3, 4, 6)
    print("output of the permuted picture: ", tuple(layer(permuted.unsqueeze(0)).shape))
    print("first row, permuted:", permuted[0, 0].tolist())
    print("first row, reshaped:", reshaped[0, 0].tolist())
    assert permuted[0, 3, 5] == picture[3, 5, 0] == 35
    assert reshaped.shape == permuted.shape
    assert not torch.equal(reshaped, permuted)


def weights_are_out_by_in() -> None:
    """Weights have their output dimension first."""
    torch.manual_seed(0)
    linear = nn.Linear(in_features=3, out_features=2)
    convolution = nn.Conv2d(in_channels=3, out_channels=8, kernel_size=(5, 7))
    transposed = nn.ConvTranspose2d(in_channels=3, out_channels=8, kernel_size=(5, 7))
    recurrent = nn.LSTM(input_size=3, hidden_size=4)

    print("Linear weight:     ", tuple(linear.weight.shape))
    print("Conv2d weight:     ", tuple(convolution.weight.shape))
    print("LSTM weight_ih_l0: ", tuple(recurrent.weight_ih_l0.shape))
    print("Embedding weight:  ", tuple(nn.Embedding(10, 4).weight.shape))
    print("ConvTranspose2d:   ", tuple(transposed.weight.shape))

    features = torch.rand(5, 3)
    torch.testing.assert_close(
        linear(features), features @ linear.weight.T + linear.bias
    )
    assert linear.weight.shape == (2, 3)
    assert convolution.weight.shape == (8, 3, 5, 7)
    assert transposed.weight.shape == (3, 8, 5, 7)
    assert len(recurrent.weight_ih_l0) == 4 * recurrent.hidden_size


def batch_is_not_always_first() -> None:
    """Recurrent and attention layers take (length, batch, features) unless told otherwise."""
    torch.manual_seed(0)
    for layer in [
        nn.RNN(4, 4),
        nn.GRU(4, 4),
        nn.LSTM(4, 4),
        nn.MultiheadAttention(4, 1),
    ]:
        print(f"{type(layer).__name__:18} batch_first by default: {layer.batch_first}")
        assert not layer.batch_first

    batch = torch.rand(3, 7, 4)  # three samples, seven steps, four features
    recurrent = nn.GRU(4, 4)
    told = nn.GRU(4, 4, batch_first=True)
    told.load_state_dict(recurrent.state_dict())

    print(
        "output shapes:      ",
        tuple(recurrent(batch)[0].shape),
        tuple(told(batch)[0].shape),
    )
    mixed = samples_changed(lambda inputs: recurrent(inputs)[0], batch, batch_dim=0)
    apart = samples_changed(lambda inputs: told(inputs)[0], batch, batch_dim=0)
    print("changed, not told:  ", mixed)
    print("changed, told:      ", apart)
    assert apart == [True, False, False]
    assert mixed == [True, True, True]


def function_or_module() -> None:
    """One operation as a method, a torch function, a functional and a module."""
    torch.manual_seed(0)
    features = torch.randn(4, 3)

    forms = [
        features.relu(),
        torch.relu(features),
        F.relu(features),
        nn.ReLU()(features),
    ]
    print(
        "relu, four forms equal:     ",
        all(torch.equal(forms[0], form) for form in forms),
    )
    assert all(torch.equal(forms[0], form) for form in forms)

    layer = nn.Linear(3, 2)
    by_function = F.linear(features, layer.weight, layer.bias)
    print("linear with its own weights:", torch.equal(layer(features), by_function))
    print(
        "parameters of the module:   ", [name for name, _ in layer.named_parameters()]
    )
    assert torch.equal(layer(features), by_function)

    zeros = {
        name: torch.zeros_like(parameter)
        for name, parameter in layer.named_parameters()
    }
    output = torch.func.functional_call(layer, zeros, features)
    print("module with other weights:  ", output.abs().sum().item())
    assert (output == 0).all()
    assert (layer.weight != 0).all()


def functions_do_not_know_the_mode() -> None:
    """`model.eval()` switches modules; a function has to be told."""
    torch.manual_seed(0)
    features = torch.ones(1000)
    dropout = nn.Dropout(0.5).eval()

    kept = {
        "nn.Dropout, eval()": dropout(features),
        "F.dropout": F.dropout(features, 0.5),
        "F.dropout, training=False": F.dropout(features, 0.5, training=False),
        "F.dropout, training=dropout.training": F.dropout(
            features, 0.5, training=dropout.training
        ),
    }
    for name, output in kept.items():
        print(f"{name:37} dropped any: {(output == 0).any().item()}")
    dropped = [(output == 0).any().item() for output in kept.values()]
    assert dropped == [False, True, False, False]


def hooks_in_order() -> None:
    """Hooks are registered, called at fixed moments, and removed by their handle."""
    torch.manual_seed(0)
    events = []
    note = events.append
    layer = nn.Linear(2, 1)
    weight = layer.weight
    handles = [
        layer.register_forward_pre_hook(lambda *_: note("forward pre-hook")),
        layer.register_forward_hook(lambda *_: note("forward hook")),
        layer.register_full_backward_pre_hook(lambda *_: note("backward pre-hook")),
        layer.register_full_backward_hook(lambda *_: note("backward hook")),
        weight.register_hook(lambda grad: note(f"tensor hook, .grad: {weight.grad}")),
        weight.register_post_accumulate_grad_hook(
            lambda _: note(f"after storing, .grad: {weight.grad.tolist()}")
        ),
    ]
    features = torch.ones(1, 2, requires_grad=True)
    layer(features).sum().backward()
    print("\n".join(events))
    first_run = len(events)
    assert events[:3] == ["forward pre-hook", "forward hook", "backward pre-hook"]
    assert events[3:5] == [
        "tensor hook, .grad: None",
        "after storing, .grad: [[1.0, 1.0]]",
    ]
    assert first_run == len(handles)

    for handle in handles:
        handle.remove()
    layer(features).sum().backward()
    print("events after remove():", len(events) - first_run)
    assert len(events) == first_run

    layer.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    print("a returned value replaces the output:", layer(features).tolist())
    assert (layer(features) == 0).all()


def seeds_and_generators() -> None:
    """A seed fixes the sequence of draws, not the value of each call."""
    torch.manual_seed(0)
    first, second = torch.rand(3), torch.rand(3)
    torch.manual_seed(0)
    torch.rand(1)  # one more draw before the others
    late = torch.rand(3)
    torch.manual_seed(0)
    again = torch.rand(3)
    print("same seed, same first draw:     ", torch.equal(again, first))
    print("second draw differs from first: ", not torch.equal(first, second))
    print("after one more draw, unchanged: ", torch.equal(late, first))
    assert torch.equal(again, first)
    assert not torch.equal(late, first)

    # The global generator lives on a device, so one of your own has to be put there.
    own = torch.Generator(device=torch.get_default_device()).manual_seed(0)
    torch.manual_seed(0)
    torch.rand(3, generator=own)
    undisturbed = torch.rand(3)
    print("own generator leaves the global:", torch.equal(undisturbed, first))
    assert torch.equal(undisturbed, first)

    # With several GPUs and no list of them, a warning asks which states to keep.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(1)
        torch.rand(3)
    restored = torch.rand(3)
    print("fork_rng brings the state back: ", torch.equal(restored, second))
    assert torch.equal(restored, second)


def three_generators() -> None:
    """Python, NumPy and PyTorch draw from generators of their own."""
    seed_everything(0)
    draws = [random.random(), np.random.rand(), torch.rand(1).item()]
    torch.manual_seed(0)
    repeated = [random.random(), np.random.rand(), torch.rand(1).item()]
    for name, one, other in zip(
        ["random", "numpy", "torch"], draws, repeated, strict=True
    ):
        print(f"{name:7} repeats after torch.manual_seed: {one == other}")
    assert [one == other for one, other in zip(draws, repeated, strict=True)] == [
        False,
        False,
        True,
    ]

    seed_everything(0)
    again = [random.random(), np.random.rand(), torch.rand(1).item()]
    print("all repeat after seed_everything: ", again == draws)
    assert again == draws


def reference_of_packages() -> None:
    """What the packages are for, each with one name that it holds."""
    for package, (example, purpose) in PACKAGES.items():
        module = importlib.import_module(package)
        print(f"{package + '.' + example:43} {purpose}")
        assert hasattr(module, example)


def solution_which_dimension_mixes() -> None:
    """Layers that keep samples apart, and layers that mix them."""
    torch.manual_seed(0)
    batch = torch.rand(4, 6)
    layers = {
        "Linear": nn.Linear(6, 6),
        "LayerNorm": nn.LayerNorm(6),
        "BatchNorm1d, train": nn.BatchNorm1d(6),
        "BatchNorm1d, eval": nn.BatchNorm1d(6).eval(),
        "Softmax(dim=1)": nn.Softmax(dim=1),
        "Softmax(dim=0)": nn.Softmax(dim=0),
    }
    mixing = []
    for name, layer in layers.items():
        changed = samples_changed(layer, batch, batch_dim=0)
        print(f"{name:19} {changed}")
        if changed != [True, False, False, False]:
            mixing.append(name)
    print("mix samples:", mixing)
    assert mixing == ["BatchNorm1d, train", "Softmax(dim=0)"]


def solution_convolution_does_not_flip() -> None:
    """Conv1d slides its weight as it stands, where mathematics flips it."""
    signal = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    kernel = torch.tensor([1.0, 2.0, 3.0])

    by_torch = F.conv1d(signal.reshape(1, 1, 5), kernel.reshape(1, 1, 3)).flatten()
    windows = signal.unfold(dimension=0, size=3, step=1)
    flipped = F.conv1d(
        signal.reshape(1, 1, 5), kernel.flip(0).reshape(1, 1, 3)
    ).flatten()
    by_numpy = np.convolve(signal.cpu().numpy(), kernel.cpu().numpy(), mode="valid")
    print("F.conv1d:                ", by_torch.tolist())
    print("np.convolve:             ", by_numpy.tolist())
    print("F.conv1d, weight flipped:", flipped.tolist())
    assert torch.equal(by_torch, windows @ kernel)
    assert flipped.tolist() == by_numpy.tolist()


@pytest.mark.cpu_only("the state compared is that of the CPU's generator")
def solution_borrowed_randomness() -> None:
    """A function that draws random numbers and leaves the global state as it was."""

    def shuffled(items, seed):
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(items), generator=generator)
        return [items[position] for position in order]

    before = torch.get_rng_state()
    first, second = shuffled("abcdefgh", seed=1), shuffled("abcdefgh", seed=1)
    print("shuffled:        ", first)
    print("repeats:         ", first == second)
    print("global untouched:", torch.equal(before, torch.get_rng_state()))
    assert first == second
    assert torch.equal(before, torch.get_rng_state())
