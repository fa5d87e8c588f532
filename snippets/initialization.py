"""Initialization: where weights start, and why it decides whether a deep network trains."""

import math
from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn

WIDTH, DEPTH = 128, 20


def fans(weight):
    """Inputs and outputs of one unit: the sizes every rule of initialization is made of."""
    # 1 for a linear layer, the kernel's area for a convolution.
    places = weight[0, 0].numel()
    return weight.size(1) * places, weight.size(0) * places


def descend(model, loss_function, inputs, targets, steps, lr):
    """Plain gradient descent on all parameters of a model; returns the losses."""
    parameters = list(model.parameters())
    losses = []
    for _ in range(steps):
        loss = loss_function(model(inputs), targets)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= lr * gradient
    return losses


def default_bound() -> None:
    """nn.Linear and nn.Conv2d draw weights and biases from within 1/sqrt(fan_in)."""
    torch.manual_seed(0)
    for layer in [
        nn.Linear(100, 2000),
        nn.Linear(2000, 100),
        nn.Conv2d(16, 500, kernel_size=3),
    ]:
        fan_in, fan_out = fans(layer.weight)
        bound = 1 / math.sqrt(fan_in)
        print(f"{type(layer).__name__}, fan_in {fan_in}: bound {bound:.4f}")
        for name, parameter in layer.named_parameters():
            print(f"    largest {name:6} {parameter.abs().max():.4f}")
            assert 0.9 * bound < parameter.abs().max() <= bound
        # The standard deviation of a uniform distribution is its bound over sqrt(3).
        assert abs(layer.weight.std() * math.sqrt(3) / bound - 1) < 0.01


def default_is_a_kaiming_in_name() -> None:
    """The default is `kaiming_uniform_` with `a=sqrt(5)`, six times less variance than the rule for ReLU."""
    torch.manual_seed(0)
    layer = nn.Linear(400, 600)

    torch.manual_seed(0)
    same = torch.empty(600, 400)
    nn.init.kaiming_uniform_(same, a=math.sqrt(5))
    print("default equals a=sqrt(5):", torch.equal(layer.weight, same))
    assert torch.equal(layer.weight, same)

    for_relu = torch.empty(600, 400)
    nn.init.kaiming_uniform_(for_relu, nonlinearity="relu")
    print(f"fan_in * variance, default:  {400 * layer.weight.var():.2f}")
    print(f"fan_in * variance, for ReLU: {400 * for_relu.var():.2f}")
    assert abs(400 * layer.weight.var() - 1 / 3) < 0.01
    assert abs(400 * for_relu.var() - 2) < 0.02


def variance_through_one_layer() -> None:
    """The outputs' variance is fan_in times the weights' variance times the inputs' mean square."""
    torch.manual_seed(0)
    inputs = torch.randn(1000, 400)
    for arriving in ["inputs", "relu(inputs)"]:
        signal = F.relu(inputs) if arriving.startswith("relu") else inputs
        for std in [0.01, 0.05, 0.1]:
            weight = std * torch.randn(3000, 400)
            measured = (signal @ weight.T).var()
            predicted = 400 * std**2 * signal.square().mean()
            result = f"measured {measured:.2f}  predicted {predicted:.2f}"
            print(f"{arriving:12}  std {std:.2f}  {result}")
            assert abs(measured / predicted - 1) < 0.05


def equal_weights_stay_equal() -> None:
    """Hidden units that start equal get equal gradients and stay equal."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 3), torch.randn(64, 1)
    for start in ["constant", "random"]:
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        if start == "constant":
            for parameter in model.parameters():
                nn.init.constant_(parameter, 0.5)
        descend(model, F.mse_loss, inputs, targets, steps=100, lr=0.1)
        print(f"{start}, hidden weights after 100 steps:")
        for weights in model[0].weight.tolist():
            print("   ", [round(value, 4) for value in weights])
        distance = (model[0].weight - model[0].weight[0]).abs().max()
        assert (distance < 1e-5) == (start == "constant")
        assert (model[0].weight - 0.5).abs().max() > 1e-3


def init_works_in_place() -> None:
    """`nn.init` functions fill the parameter itself, outside of autograd."""
    layer = nn.Linear(3, 2)
    weight = layer.weight
    returned = nn.init.ones_(layer.weight)
    print("same object:        ", returned is layer.weight is weight)
    print("weight:             ", weight.tolist())
    print("is a leaf:          ", weight.is_leaf)
    print("requires a gradient:", weight.requires_grad)
    assert returned is layer.weight is weight
    assert weight.is_leaf
    assert weight.requires_grad

    messages = []
    try:
        layer.weight.fill_(0.5)
    except RuntimeError as error:
        messages.append(f"RuntimeError: {error}")
    try:
        layer.weight = torch.full((2, 3), 0.5)
    except TypeError as error:
        messages.append(f"TypeError: {error}")
    print("\n".join(messages))
    assert len(messages) == 2

    with torch.no_grad():
        layer.weight.fill_(0.5)
    assert (weight == 0.5).all()


def xavier_and_kaiming() -> None:
    """Variances which Xavier and Kaiming give, for a layer that is not square."""
    torch.manual_seed(0)
    weight = torch.empty(400, 1600)
    fan_in, fan_out = fans(weight)
    for_relu = {"nonlinearity": "relu"}
    rules = [
        (nn.init.xavier_uniform_, {}, 2 / (fan_in + fan_out)),
        (nn.init.xavier_normal_, {}, 2 / (fan_in + fan_out)),
        (nn.init.kaiming_uniform_, for_relu, 2 / fan_in),
        (nn.init.kaiming_normal_, for_relu, 2 / fan_in),
        (nn.init.kaiming_normal_, for_relu | {"mode": "fan_out"}, 2 / fan_out),
    ]
    print(f"fan_in {fan_in}, fan_out {fan_out}, variances in thousandths")
    for fill, options, rule in rules:
        fill(weight, **options)
        variances = f"variance {1000 * weight.var():.2f}  rule {1000 * rule:.2f}"
        largest = weight.abs().max() / weight.std()
        print(f"{fill.__name__:16}  {variances}  largest {largest:.2f} std")
        assert abs(weight.var() / rule - 1) < 0.02


def gains_for_activations() -> None:
    """What `calculate_gain` answers, against the gain that keeps the mean square measured."""
    torch.manual_seed(0)
    signal = torch.randn(1_000_000)
    activations = {"relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(), "tanh": nn.Tanh()}
    for name, activation in activations.items():
        gain = nn.init.calculate_gain(name)
        measured = activation(signal).square().mean().rsqrt()
        print(f"{name:10}  gain {gain:.4f}  keeps the mean square: {measured:.2f}")
        assert (abs(gain - measured) < 0.01) == (name != "tanh")
    assert nn.init.calculate_gain("relu") == math.sqrt(2)


def orthogonal_keeps_lengths() -> None:
    """An orthogonal matrix keeps the length of every vector, and products of it keep them too."""
    torch.manual_seed(0)
    orthogonal = nn.init.orthogonal_(torch.empty(64, 64))
    normal = nn.init.normal_(torch.empty(64, 64), std=1 / math.sqrt(64))
    vectors = F.normalize(torch.randn(64, 1000), dim=0)
    torch.testing.assert_close(orthogonal.T @ orthogonal, torch.eye(64))

    for name, weight in [("orthogonal", orthogonal), ("normal", normal)]:
        for power in [1, 20]:
            lengths = (torch.linalg.matrix_power(weight, power) @ vectors).norm(dim=0)
            extremes = f"{lengths.min():.2f} to {lengths.max():.2f}"
            print(f"{name:10}  {power:2} times: lengths {extremes}")
            assert (abs(lengths - 1) < 1e-4).all() == (name == "orthogonal")

    wide = nn.init.orthogonal_(torch.empty(2, 3))
    torch.testing.assert_close(wide @ wide.T, torch.eye(2))


def truncation_is_absolute() -> None:
    """The bounds of `trunc_normal_` are values, not numbers of standard deviations."""
    torch.manual_seed(0)
    cases = [{"std": 1.0}, {"std": 0.02}, {"std": 0.02, "a": -0.04, "b": 0.04}]
    fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.2), layout="constrained")
    for ax, options in zip(axes, cases, strict=True):
        weight = nn.init.trunc_normal_(torch.empty(500, 500), **options)
        in_stds = weight.flatten() / options["std"]
        title = ", ".join(f"{key}={value}" for key, value in options.items())
        print(title)
        print(f"    largest {in_stds.abs().max():.1f} std")
        print(f"    measured std {weight.std():.4f}")
        ax.hist(in_stds.cpu().numpy(), bins=40, range=(-4, 4), histtype="stepfilled")
        ax.set(title=title, xlabel="weight / std", yticks=[])

        cut = options["std"] == 1 or "a" in options
        assert (in_stds.abs().max() < 2.001) == cut
        # Without its tails, the distribution is narrower than asked for.
        assert (in_stds.std() < 0.9) == cut
    plt.show()


def kaiming_and_zero(module):
    """Kaiming weights and zero biases for linear layers and convolutions; others keep what they have."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def apply_visits_every_module() -> None:
    """`apply` calls a function on every module of a model, children first."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3, bias=False), nn.BatchNorm2d(8), nn.ReLU()
    )
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(8 * 26 * 26, 10))

    visited = []
    model.apply(lambda module: visited.append(type(module).__name__))
    print("visited:", ", ".join(visited))
    assert len(visited) == len(list(model.modules()))
    assert visited[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "Sequential"]

    model.apply(kaiming_and_zero)
    for name, parameter in model.named_parameters():
        mean, std = parameter.mean().abs(), parameter.std()
        print(f"{name:10}  |mean| {mean:.2f}  std {std:.4f}")
    assert (model[2].bias == 0).all()
    assert (model[0][1].weight == 1).all()


def deep_stack(fill, activation):
    """Twenty square linear layers, each with an activation; `fill` sets the weights, None the default."""
    layers = []
    for _ in range(DEPTH):
        linear = nn.Linear(WIDTH, WIDTH)
        if fill is not None:
            fill(linear.weight)
            nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers)


def layer_outputs(model, inputs):
    """The activations after each layer of a deep stack, first to last."""
    outputs = []
    for position, layer in enumerate(model):
        inputs = layer(inputs)
        if position % 2 == 1:
            outputs.append(inputs)
    return outputs


STARTS = {
    "normal, std 0.3": partial(nn.init.normal_, std=0.3),
    "Kaiming": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "orthogonal": partial(nn.init.orthogonal_, gain=math.sqrt(2)),
    "Xavier": nn.init.xavier_normal_,
    "default": None,
    "normal, std 0.03": partial(nn.init.normal_, std=0.03),
}


def variance(tensors):
    """The variance of each tensor, in double precision as it may be tiny."""
    return [tensor.double().var().item() for tensor in tensors]


def activation_variance() -> None:
    """The variance of the activations through 20 layers, for six initializations."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    depths = range(1, DEPTH + 1)
    last = {}
    for name, fill in STARTS.items():
        torch.manual_seed(0)
        model, inputs = deep_stack(fill, nn.ReLU), torch.randn(256, WIDTH)
        with torch.no_grad():
            variances = variance(layer_outputs(model, inputs))
        last[name] = variances[-1]
        shown = [f"layer {depth} {variances[depth - 1]:.0e}" for depth in [1, 10, 20]]
        print(f"{name:16} ", "  ".join(shown))
        style = "--" if name == "orthogonal" else "-"
        ax.semilogy(depths, variances, style, label=name)

    ax.set(xlabel="layer", ylabel="variance of the activations")
    ax.set_xticks([1, 5, 10, 15, 20])
    ax.legend(fontsize="small")
    plt.show()
    assert all(0.01 < last[name] < 10 for name in ["Kaiming", "orthogonal"])
    assert last["normal, std 0.3"] > 1e12
    assert last["normal, std 0.03"] < 1e-20


def biases_hide_the_loss() -> None:
    """By default, deep outputs vary from unit to unit but hardly from sample to sample."""
    for name in ["default", "Kaiming"]:
        torch.manual_seed(0)
        model, inputs = deep_stack(STARTS[name], nn.ReLU), torch.randn(256, WIDTH)
        with torch.no_grad():
            outputs = layer_outputs(model, inputs)[-1].double()
        overall = outputs.var().item()
        across_samples = outputs.var(dim=0).mean().item()
        print(f"{name:8}  overall {overall:.0e}  across samples {across_samples:.0e}")
        assert (across_samples < 1e-12 * overall) == (name == "default")


def gradient_variance() -> None:
    """The variance of the gradients on their way from the last layer to the first."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    depths = range(1, DEPTH + 1)
    first = {}
    for name, fill in STARTS.items():
        torch.manual_seed(0)
        model, inputs = deep_stack(fill, nn.ReLU), torch.randn(256, WIDTH)
        outputs = layer_outputs(model, inputs)
        arriving = torch.randn_like(outputs[-1])
        gradients = torch.autograd.grad(outputs[-1], outputs, arriving)
        variances = variance(gradients)
        first[name] = variances[0]
        shown = [f"layer {depth} {variances[depth - 1]:.0e}" for depth in [20, 10, 1]]
        print(f"{name:16} ", "  ".join(shown))
        style = "--" if name == "orthogonal" else "-"
        ax.semilogy(depths, variances, style, label=name)

    ax.set(xlabel="layer", ylabel="variance of the gradients")
    ax.set_xticks([1, 5, 10, 15, 20])
    ax.legend(fontsize="small")
    plt.show()
    assert all(0.1 < first[name] < 10 for name in ["Kaiming", "orthogonal"])
    assert first["default"] < 1e-12


def tanh_saturates() -> None:
    """Activations of a 20-layer tanh network: vanished, spread out, and pushed to the ends."""
    fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.2), layout="constrained")
    starts = {
        "std 0.03": partial(nn.init.normal_, std=0.03),
        "Xavier, gain 5/3": partial(nn.init.xavier_normal_, gain=5 / 3),
        "std 0.5": partial(nn.init.normal_, std=0.5),
    }
    near_ends = []
    for ax, (name, fill) in zip(axes, starts.items(), strict=True):
        torch.manual_seed(0)
        outputs = layer_outputs(deep_stack(fill, nn.Tanh), torch.randn(256, WIDTH))
        arriving = torch.randn_like(outputs[-1])
        gradients = torch.autograd.grad(outputs[-1], outputs, arriving)
        near_ends.append((outputs[-1].abs() > 0.95).float().mean().item())
        print(name)
        print(f"    variance in layer 20: {variance(outputs)[-1]:.0e}")
        print(f"    share near -1 or 1: {near_ends[-1]:.2f}")
        # Gradients that explode magnify how each processor rounds: only the order of magnitude repeats.
        magnitude = math.floor(math.log10(variance(gradients)[0]))
        print(f"    variance of gradients in layer 1: at least 1e{magnitude:+03}")
        shown = outputs[-1].detach().flatten().cpu().numpy()
        ax.hist(shown, bins=40, range=(-1, 1), histtype="stepfilled")
        ax.set(title=name, xlabel="activation", yticks=[])
    plt.show()
    assert near_ends[0] == 0
    assert near_ends[1] < 0.2 < 0.6 < near_ends[2]


@pytest.mark.time_limit(90)
def training_from_two_starts() -> None:
    """A 20-layer network learns from one start, and from another not even in steps 100 times as large."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    final = {}
    for name, lr in [("Kaiming", 0.004), ("default", 0.004), ("default", 0.4)]:
        torch.manual_seed(0)
        centers, targets = torch.randn(4, WIDTH), torch.randint(4, (100,))
        inputs = centers[targets] + 0.5 * torch.randn(100, WIDTH)
        model = nn.Sequential(deep_stack(STARTS[name], nn.ReLU), nn.Linear(WIDTH, 4))
        losses = descend(model, F.cross_entropy, inputs, targets, steps=60, lr=lr)
        final[name, lr] = losses[-1]
        title = f"{name}, learning rate {lr}"
        print(f"{title:29} loss {losses[0]:.2f} to {losses[-1]:.2f}")
        ax.plot(losses, "--" if lr > 0.1 else "-", label=title)

    # The loss of a model that knows the frequency of each class and nothing else.
    frequencies = targets.bincount() / len(targets)
    guessing = -(frequencies * frequencies.log()).sum().item()
    print(f"guessing by frequency:        loss {guessing:.2f}")
    assert abs(final["default", 0.4] - guessing) < 0.01
    assert final["Kaiming", 0.004] < guessing / 2
    ax.set(xlabel="step", ylabel="loss", ylim=(0, None))
    ax.legend()
    plt.show()


def solution_starting_loss() -> None:
    """The loss before any training tells whether the last layer starts too large."""
    torch.manual_seed(0)
    features = F.relu(torch.randn(1000, WIDTH))
    targets = torch.randint(10, (1000,))
    print(f"log(10):            {math.log(10):.4f}")
    for std in [0.0, 0.01, 0.1, 1.0]:
        head = nn.Linear(WIDTH, 10)
        nn.init.normal_(head.weight, std=std)
        nn.init.zeros_(head.bias)
        loss = F.cross_entropy(head(features), targets).item()
        print(f"loss with std {std:4.2f}: {loss:.4f}")
        assert (abs(loss - math.log(10)) < 0.1) == (std <= 0.01)


def solution_batch_norm_forgives() -> None:
    """Batch norm after each linear layer makes the scale of its weights irrelevant."""
    torch.manual_seed(0)
    inputs = torch.randn(256, WIDTH)
    for std in [0.002, 0.02, 0.2, 2.0]:
        signal = inputs
        for _ in range(DEPTH):
            linear = nn.Linear(WIDTH, WIDTH, bias=False)
            nn.init.normal_(linear.weight, std=std)
            signal = F.relu(nn.BatchNorm1d(WIDTH)(linear(signal)))
        print(f"std {std:5.3f}  variance after {DEPTH} layers {signal.var():.2f}")
        assert 0.2 < signal.var() < 0.5
