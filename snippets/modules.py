"""Modules: layers that own their parameters, and models made of them."""

from collections import OrderedDict
from itertools import pairwise

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn


def rounded(numbers):
    """A number, or the numbers in a nest of lists, rounded to four digits for printing."""
    if isinstance(numbers, list):
        return [rounded(number) for number in numbers]
    return round(numbers, 4)


class Scale(nn.Module):
    """A layer with one factor and one offset for each feature; only the factor is a parameter."""

    def __init__(self, features):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(features))
        self.offset = torch.zeros(features)

    def forward(self, inputs):
        return inputs * self.factor + self.offset


def module_registers_parameters() -> None:
    """A module registers what is a Parameter, and overlooks a plain tensor."""
    scale = Scale(features=3)
    inputs = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    outputs = scale(inputs)
    outputs.sum().backward()
    print("outputs:      ", outputs.tolist())
    print("registered:   ", [name for name, _ in scale.named_parameters()])
    print("factor's grad:", scale.factor.grad.tolist())
    print("offset's grad:", scale.offset.grad)
    assert list(scale.parameters()) == [scale.factor]
    assert isinstance(scale.factor, torch.Tensor)
    assert scale.factor.requires_grad
    assert not scale.offset.requires_grad

    message = ""
    try:
        scale.factor = torch.zeros(3)
    except TypeError as error:
        message = str(error)
    print("TypeError:    ", message)
    assert "as parameter 'factor'" in message


def my_linear(inputs, weight, bias):
    """A linear layer by hand: each row of `weight` makes one output feature."""
    return inputs @ weight.T + bias


def linear_equals_library() -> None:
    """A linear layer by hand, its values and gradients equal to those of nn.Linear."""
    torch.manual_seed(0)
    layer = nn.Linear(in_features=4, out_features=3)
    inputs = torch.randn(2, 4)

    by_hand = my_linear(inputs, layer.weight, layer.bias)
    library = layer(inputs)
    print("weight: ", tuple(layer.weight.shape))
    print("bias:   ", tuple(layer.bias.shape))
    for name, outputs in [("by hand", by_hand), ("library", library)]:
        print(f"{name}: ", rounded(outputs.tolist()))
    torch.testing.assert_close(by_hand, library)

    parameters = list(layer.parameters())
    gradients_by_hand = torch.autograd.grad(by_hand.square().sum(), parameters)
    gradients = torch.autograd.grad(library.square().sum(), parameters)
    torch.testing.assert_close(gradients_by_hand, gradients)


def my_relu(inputs):
    """ReLU by hand: negative numbers become 0."""
    # Asking for `inputs > 0` instead would turn NaN into 0 and hide it.
    return torch.where(inputs <= 0, 0, inputs)


def relu_equals_library() -> None:
    """ReLU by hand and the library's: equal values, and a choice to make about the gradient at 0."""
    candidates = {
        "nn.ReLU": nn.ReLU(),
        "my_relu": my_relu,
        "maximum": lambda inputs: torch.maximum(inputs, torch.zeros_like(inputs)),
    }
    gradients = {}
    for name, relu in candidates.items():
        inputs = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
        outputs = relu(inputs)
        outputs.sum().backward()
        gradients[name] = inputs.grad.tolist()
        print(f"{name:8} values {outputs.tolist()}  gradient {gradients[name]}")
        assert torch.equal(outputs, F.relu(inputs))
        assert relu(torch.tensor(float("nan"))).isnan()

    assert gradients["my_relu"] == gradients["nn.ReLU"]
    assert gradients["maximum"] != gradients["nn.ReLU"]


def my_cross_entropy(logits, targets):
    """Cross-entropy by hand: the mean of `logsumexp` minus the logit of the right class."""
    right = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
    return (logits.logsumexp(dim=1) - right).mean()


def cross_entropy_equals_library() -> None:
    """Cross-entropy by hand, its value and gradient equal to the library's."""
    logits = torch.tensor([[5.0, 0.0, 0.0], [1.0, 2.0, 3.0]], requires_grad=True)
    targets = torch.tensor([0, 1])

    by_hand = my_cross_entropy(logits, targets)
    library = nn.CrossEntropyLoss()(logits, targets)
    print(f"by hand: {by_hand.item():.4f}")
    print(f"library: {library.item():.4f}")
    torch.testing.assert_close(by_hand, library)

    probabilities = logits.softmax(dim=1)
    right = probabilities.detach()[torch.arange(2), targets]
    print("probability of the right class:", rounded(right.tolist()))
    torch.testing.assert_close(-right.log().mean(), library.detach())

    (gradient,) = torch.autograd.grad(library, logits)
    (gradient_by_hand,) = torch.autograd.grad(by_hand, logits)
    print("gradient:", rounded(gradient.tolist()))
    torch.testing.assert_close(gradient_by_hand, gradient)
    torch.testing.assert_close(
        gradient, (probabilities.detach() - F.one_hot(targets, 3)) / 2
    )


class TwoLayerNet(nn.Module):
    """A linear layer, ReLU, and another linear layer."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, inputs):
        return self.output(F.relu(self.hidden(inputs)))


def two_layer_network() -> None:
    """A two-layer network of one input is a sum of bent lines, one for each hidden unit."""
    torch.manual_seed(5)
    model = TwoLayerNet(inputs=1, hidden=6, outputs=1)
    inputs = torch.linspace(-3, 3, 121).unsqueeze(1)
    with torch.no_grad():
        hidden = my_relu(my_linear(inputs, model.hidden.weight, model.hidden.bias))
        by_hand = my_linear(hidden, model.output.weight, model.output.bias)
        outputs = model(inputs)
        bends = hidden * model.output.weight
        summed = bends.sum(dim=1, keepdim=True) + model.output.bias
    print("hidden units ", tuple(hidden.shape))
    print("outputs      ", tuple(outputs.shape))
    for name, parameter in model.named_parameters():
        print(f"{name:13}", tuple(parameter.shape))
    torch.testing.assert_close(by_hand, outputs)
    torch.testing.assert_close(summed, outputs)

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    places = inputs.flatten().cpu()
    ax.plot(places, bends.cpu(), color="0.5", label=["hidden units"] + 5 * [None])
    ax.plot(places, by_hand.cpu(), color="C0", label="output, by hand")
    ax.plot(places[::6], outputs[::6].cpu(), "o", color="C1", label="output, library")
    ax.set(xlabel="input", ylabel="output")
    ax.legend()
    plt.show()


def sequential_names_its_layers() -> None:
    """Sequential runs layers in order, and names them by position or as you say."""
    torch.manual_seed(0)
    by_position = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    by_name = nn.Sequential(
        OrderedDict(
            hidden=by_position[0],
            activation=by_position[1],
            output=by_position[2],
        )
    )
    print("by position:", [name for name, _ in by_position.named_parameters()])
    print("by name:    ", [name for name, _ in by_name.named_parameters()])
    print(by_name)

    inputs = torch.randn(2, 4)
    step_by_step = by_name.output(by_name.activation(by_name.hidden(inputs)))
    assert torch.equal(by_name(inputs), step_by_step)
    assert torch.equal(by_name(inputs), by_position(inputs))
    assert by_name[-1] is by_name.output
    assert isinstance(by_name[:2], nn.Sequential)


class MySequential(nn.Module):
    """`nn.Sequential` by hand: layers registered under their positions, called in order."""

    def __init__(self, *layers):
        super().__init__()
        self.length = len(layers)
        for position, layer in enumerate(layers):
            self.add_module(str(position), layer)

    def forward(self, inputs):
        for position in range(self.length):
            inputs = self.get_submodule(str(position))(inputs)
        return inputs


def sequential_by_hand() -> None:
    """The Sequential written by hand gives the names and results of the library's."""
    torch.manual_seed(0)
    layers = [nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)]
    mine, library = MySequential(*layers), nn.Sequential(*layers)

    my_names = [name for name, _ in mine.named_parameters()]
    print("my names:     ", my_names)
    print("library names:", [name for name, _ in library.named_parameters()])
    assert my_names == [name for name, _ in library.named_parameters()]

    inputs = torch.randn(2, 4)
    assert torch.equal(mine(inputs), library(inputs))


def make_mlp(sizes):
    """A multilayer perceptron from a list of sizes, with ReLU between its linear layers."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    # No ReLU after the last layer: logits may be negative.
    return nn.Sequential(*layers[:-1])


def mlp_from_sizes() -> None:
    """A list of sizes makes a network of any depth."""
    for sizes in [[784, 10], [784, 128, 10], [784, 128, 64, 10]]:
        model = make_mlp(sizes)
        logits = model(torch.rand(32, 784))
        count = sum(parameter.numel() for parameter in model.parameters())
        print(f"{sizes!s:18}  layers {len(model)}  parameters {count}")

        assert logits.shape == (32, 10)
        # One weight for each pair of an input and an output, and one bias for each output.
        assert count == sum(
            (inputs + 1) * outputs for inputs, outputs in pairwise(sizes)
        )


class Residual(nn.Module):
    """A block that adds what its inner network computes to its inputs."""

    def __init__(self, features):
        super().__init__()
        self.inner = make_mlp([features, 2 * features, features])

    def forward(self, inputs):
        return inputs + self.inner(inputs)


def nested_modules_have_paths() -> None:
    """Modules inside modules make a tree, and every node and parameter has a path."""
    model = nn.Sequential(
        OrderedDict(
            stem=nn.Linear(10, 4),
            blocks=nn.Sequential(Residual(4), Residual(4)),
            head=nn.Linear(4, 3),
        )
    )
    for path, module in model.named_modules():
        depth = len(path.split(".")) if path else 0
        print("    " * depth + (path.split(".")[-1] or "model"), type(module).__name__)

    paths = [path for path, _ in model.named_parameters()]
    print("a parameter:", paths[2], tuple(model.get_parameter(paths[2]).shape))
    assert paths[2] == "blocks.0.inner.0.weight"
    assert model.get_submodule("blocks.0.inner.0") is model.blocks[0].inner[0]
    assert [name for name, _ in model.named_children()] == ["stem", "blocks", "head"]


class Deep(nn.Module):
    """A network which keeps its hidden layers in a `container`, a list or an `nn.ModuleList`."""

    def __init__(self, container):
        super().__init__()
        self.hidden = container(
            [nn.Linear(1, 16), nn.Linear(16, 16), nn.Linear(16, 16)]
        )
        self.head = nn.Linear(16, 1)

    def forward(self, inputs):
        for layer in self.hidden:
            inputs = layer(inputs).tanh()
        return self.head(inputs)


def descend(model, inputs, targets, steps, lr):
    """Plain gradient descent on every parameter the model reports; returns the losses."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    losses = []
    for _ in range(steps):
        loss = F.mse_loss(model(inputs), targets)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= lr * gradient
    return losses


def plain_list_hides_layers() -> None:
    """Layers in a plain list compute, but their parameters are not found and not trained."""
    inputs = torch.linspace(-3, 3, 64).unsqueeze(1)
    targets = torch.sin(2 * inputs)
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    final = {}
    for container in [list, nn.ModuleList]:
        torch.manual_seed(0)
        model = Deep(container)
        before = [layer.weight.clone() for layer in model.hidden]

        name = container.__name__
        losses = descend(model, inputs, targets, steps=600, lr=0.03)
        final[name] = losses[-1]
        found = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:10}  parameters found {found:3}  loss {final[name]:.2f}")
        registered = container is nn.ModuleList
        for layer, weight in zip(model.hidden, before, strict=True):
            assert torch.equal(layer.weight, weight) == (not registered)
        model.to(torch.bfloat16).eval()
        for layer in model.hidden:
            assert (layer.weight.dtype == torch.bfloat16) == registered
            assert layer.training == (not registered)
        ax.plot(losses, label=f"hidden layers in a {name}")

    assert final["ModuleList"] < final["list"] / 5
    ax.set(xlabel="step", ylabel="loss", ylim=(0, None))
    ax.legend()
    plt.show()


class TwoHeads(nn.Module):
    """One body, and a choice of heads in an `nn.ModuleDict`."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(64, 16)
        self.heads = nn.ModuleDict(
            {"digit": nn.Linear(16, 10), "parity": nn.Linear(16, 2)}
        )

    def forward(self, inputs, task):
        return self.heads[task](F.relu(self.body(inputs)))


def module_dict_picks_by_name() -> None:
    """ModuleDict registers layers under keys, for the forward pass to choose from."""
    model = TwoHeads()
    inputs = torch.rand(5, 64)
    for task in model.heads:
        print(f"{task:6} logits:", tuple(model(inputs, task).shape))
    print("paths:", [name for name, _ in model.named_parameters()])

    model(inputs, "digit").sum().backward()
    print("digit head has a gradient: ", model.heads["digit"].weight.grad is not None)
    print("parity head has a gradient:", model.heads["parity"].weight.grad is not None)
    assert model.heads["parity"].weight.grad is None

    refused = False
    try:
        model.heads(inputs)
    except NotImplementedError as error:
        refused = True
        print("NotImplementedError:", error)
    assert refused


class RunningMean(nn.Module):
    """A layer with a parameter, a buffer that is saved, and a buffer that is not."""

    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("latest", torch.zeros(features), persistent=False)

    def forward(self, inputs):
        self.latest = inputs.detach().mean(dim=0)
        self.mean = 0.9 * self.mean + 0.1 * self.latest
        return self.gain * (inputs - self.mean)


def state_dict_holds_buffers() -> None:
    """A state dict holds parameters and persistent buffers, by path."""
    layer = RunningMean(features=2)
    with torch.no_grad():
        layer.gain.fill_(3.0)
    layer(torch.tensor([[10.0, 20.0], [30.0, 40.0]]))

    print("parameters:", [name for name, _ in layer.named_parameters()])
    print("buffers:   ", [name for name, _ in layer.named_buffers()])
    saved = layer.state_dict()
    print("state_dict:", {name: tensor.tolist() for name, tensor in saved.items()})

    fresh = RunningMean(features=2)
    print("loading:   ", fresh.load_state_dict(saved))
    assert torch.equal(fresh.gain, layer.gain)
    assert torch.equal(fresh.mean, layer.mean)
    assert not torch.equal(fresh.latest, layer.latest)

    norm = nn.BatchNorm1d(num_features=2)
    print("BatchNorm1d:", list(norm.state_dict()))
    assert len(list(norm.parameters())) == 2
    assert len(norm.state_dict()) == 5


def calling_runs_hooks() -> None:
    """A model that is called runs its hooks; its forward method alone does not."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    inputs = torch.randn(1, 3)
    seen = []

    def remember(module, arguments, outputs):
        seen.append(tuple(outputs.shape))

    handle = model.register_forward_hook(remember)

    called = model(inputs)
    print("hook ran after model(inputs):        ", len(seen))
    direct = model.forward(inputs)
    print("hook ran after model.forward(inputs):", len(seen))
    assert torch.equal(called, direct)
    assert seen == [(1, 2)]

    handle.remove()
    model(inputs)
    print("hook ran after handle.remove():      ", len(seen))
    assert len(seen) == 1


def hooks_watch_every_layer() -> None:
    """Hooks report what passes through each layer, forward and backward, and can replace it."""
    torch.manual_seed(0)
    model = make_mlp([8, 16, 16, 4])
    # Up to torch 2.11, a backward hook warns where the inputs ask for no gradient.
    inputs = torch.randn(32, 8, requires_grad=True)
    report = {}
    handles = []
    for name, layer in model.named_children():

        def after_forward(module, arguments, outputs, name=name):
            kind, shape = type(module).__name__, tuple(outputs.shape)
            zeros = (outputs == 0).float().mean()
            report[name] = f"{kind:7} {shape!s:9} zeros {zeros:.2f}"

        def before_backward(module, grad_outputs, name=name):
            report[name] += f"  gradient {grad_outputs[0].norm():.4f}"

        handles.append(layer.register_forward_hook(after_forward))
        handles.append(layer.register_full_backward_pre_hook(before_backward))

    targets = torch.randint(4, (32,))
    F.cross_entropy(model(inputs), targets).backward()
    for name, line in report.items():
        print(name, line)
    for handle in handles:
        handle.remove()
    assert all("gradient" in line for line in report.values())

    logits = model(inputs)
    # What a forward hook returns takes the place of the outputs.
    model[-1].register_forward_hook(lambda module, arguments, outputs: outputs / 10)
    print(f"largest logit {logits.max():.4f}, now {model(inputs).max():.4f}")
    assert torch.equal(model(inputs), logits / 10)


def dropout_in_two_modes() -> None:
    """Dropout zeroes and rescales while training, and does nothing in evaluation."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Dropout(p=0.25), nn.ReLU())
    inputs = torch.ones(10_000, requires_grad=True)

    for mode in ["train", "eval"]:
        model.train(mode == "train")
        outputs = model(inputs)
        print(f"{mode}, flags:", [module.training for module in model.modules()])
        print("    values:", rounded(outputs.unique().tolist()))
        print(f"    share of zeros: {(outputs == 0).float().mean():.2f}")
        print(f"    mean: {outputs.mean():.2f}")

    assert torch.equal(outputs, inputs)
    # Evaluation mode is about layers, not about gradients.
    assert outputs.requires_grad


def batch_norm_in_two_modes() -> None:
    """Batch norm uses the batch while training, and its running statistics in evaluation."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(num_features=1)
    inputs = 5 + 2 * torch.randn(1000, 1)

    outputs = norm(inputs)
    print(f"batch:    mean {inputs.mean():.4f}  variance {inputs.var():.4f}")
    print(f"outputs: |mean| {outputs.mean().abs():.4f}  variance {outputs.var():.4f}")
    running = [norm.running_mean.item(), norm.running_var.item()]
    print("running mean and variance, after one batch:  ", rounded(running))
    torch.testing.assert_close(norm.running_mean, 0.1 * inputs.mean(dim=0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * inputs.var(dim=0))

    for _ in range(99):
        norm(inputs)
    norm.eval()
    alone = norm(inputs[:1])
    running = [norm.running_mean.item(), norm.running_var.item()]
    print("running mean and variance, after 100 batches:", rounded(running))
    deviation = (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(alone, (inputs[:1] - norm.running_mean) / deviation)

    norm.train()
    message = ""
    try:
        norm(inputs[:1])
    except ValueError as error:
        message = str(error)
    print("one sample, training:", message)
    assert "more than 1 value per channel" in message


def freezing_a_part() -> None:
    """A frozen part gets no gradients, but its batch norm still follows the data."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(1, 16), nn.BatchNorm1d(16), nn.ReLU())
    model = nn.Sequential(OrderedDict(body=body, head=nn.Linear(16, 1)))
    inputs = torch.linspace(0, 4, 32).unsqueeze(1)

    model.body.requires_grad_(False)
    print("trained:", [name for name, p in model.named_parameters() if p.requires_grad])

    for mode in ["train", "eval"]:
        model.body.train(mode == "train")
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        descend(model, inputs, torch.sin(inputs), steps=1, lr=0.1)
        after = model.state_dict()
        changed = [name for name in after if not torch.equal(after[name], before[name])]
        print(f"body in {mode:5} mode, changed by one step:", changed)
        assert ("body.1.running_mean" in changed) == (mode == "train")
        assert "body.0.weight" not in changed
        assert "head.weight" in changed


def tensor_bytes(tensors):
    """Bytes of all elements of some tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def counting_parameters_and_memory() -> None:
    """Counting parameters and bytes, with buffers, shared weights and gradients."""
    model = nn.Sequential(
        OrderedDict(
            embed=nn.Embedding(num_embeddings=1000, embedding_dim=32),
            norm=nn.LayerNorm(32),
            decode=nn.Linear(32, 1000, bias=False),
        )
    )
    print("parameters:       ", sum(p.numel() for p in model.parameters()))
    for name, layer in model.named_children():
        print(f"  {name:16}", sum(p.numel() for p in layer.parameters()))

    model.decode.weight = model.embed.weight
    print("weights tied:     ", sum(p.numel() for p in model.parameters()))
    print("parameters, bytes:", tensor_bytes(model.parameters()))
    print("state_dict names: ", list(model.state_dict()))
    assert len(list(model.parameters())) == len(model.state_dict()) - 1

    model(torch.arange(4)).sum().backward()
    gradient_bytes = tensor_bytes(p.grad for p in model.parameters())
    print("gradients, bytes: ", gradient_bytes)
    assert gradient_bytes == tensor_bytes(model.parameters())

    model.to(torch.bfloat16)
    print("in bfloat16:      ", tensor_bytes(model.parameters()))
    assert 2 * tensor_bytes(model.parameters()) == gradient_bytes


@pytest.mark.own_device
def moving_a_module() -> None:
    """`to` moves the parameters of a module in place, and leaves plain tensors behind."""
    # The meta device holds shapes without numbers, so there is another device on every machine.
    target = torch.accelerator.current_accelerator(
        check_available=True
    ) or torch.device("meta")
    scale = Scale(features=3)
    inputs = torch.ones(2, 3)

    moved_inputs, moved_scale = inputs.to(target), scale.to(target)
    print("tensor: ", inputs.device.type, "->", moved_inputs.device.type)
    print("factor: ", scale.factor.device.type)
    print("offset: ", scale.offset.device.type)
    assert moved_inputs is not inputs
    assert moved_scale is scale
    assert scale.factor.device.type == target.type
    assert inputs.device.type == scale.offset.device.type == "cpu"

    running = RunningMean(features=3).to(target)
    print("buffers:", [buffer.device.type for buffer in running.buffers()])
    assert all(buffer.device.type == target.type for buffer in running.buffers())

    norm = nn.BatchNorm1d(num_features=3).to(torch.bfloat16)
    print("dtypes: ", {name: str(b.dtype) for name, b in norm.named_buffers()})
    assert norm.running_mean.dtype == torch.bfloat16
    assert norm.num_batches_tracked.dtype == torch.int64


def shapes(outputs):
    """Shapes of a tensor, or of the tensors in a nest of tuples, as text."""
    if isinstance(outputs, torch.Tensor):
        return str(tuple(outputs.shape)).replace(" ", "")
    return "(" + ", ".join(shapes(output) for output in outputs) + ")"


def table_row(layer, *inputs):
    """One line of the layer tables: name, parameters, shapes in, shapes out."""
    count = sum(parameter.numel() for parameter in layer.parameters())
    return f"{type(layer).__name__:23} {count:4}  {shapes(inputs[0]):11} -> {shapes(layer(*inputs))}"


def layers_for_features_and_images() -> None:
    """Parameters and output shapes of layers for feature vectors and images."""
    features = torch.rand(2, 8)
    image = torch.rand(2, 3, 32, 32)
    for layer in [
        nn.Linear(8, 4),
        nn.ReLU(),
        nn.PReLU(),
        nn.Softmax(dim=1),
        nn.Dropout(p=0.5),
        nn.BatchNorm1d(8),
        nn.LayerNorm(8),
        nn.RMSNorm(8),
    ]:
        print(table_row(layer, features))
    for layer in [
        nn.Conv2d(3, 16, kernel_size=3),
        nn.Conv2d(3, 16, kernel_size=3, padding=1),
        nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1),
        nn.Conv2d(3, 6, kernel_size=3, groups=3),
        nn.ConvTranspose2d(3, 16, kernel_size=2, stride=2),
        nn.MaxPool2d(kernel_size=2),
        nn.AvgPool2d(kernel_size=2),
        nn.AdaptiveAvgPool2d(output_size=1),
        nn.BatchNorm2d(3),
        nn.GroupNorm(num_groups=3, num_channels=3),
        nn.InstanceNorm2d(3),
        nn.Upsample(scale_factor=2),
        nn.Flatten(),
    ]:
        print(table_row(layer, image))
    assert table_row(nn.Flatten(), image).endswith("(2,3072)")


def my_attention(queries, keys, values):
    """Scaled dot-product attention by hand: each query's weighted mean of the values."""
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    return scores.softmax(dim=-1) @ values


def attention_equals_library() -> None:
    """Attention by hand, its values and gradient equal to the library's."""
    torch.manual_seed(0)
    queries = torch.randn(1, 3, 4, requires_grad=True)
    keys, values = torch.randn(1, 5, 4), torch.randn(1, 5, 2)

    by_hand = my_attention(queries, keys, values)
    library = F.scaled_dot_product_attention(queries, keys, values)
    print("queries:", tuple(queries.shape), "values:", tuple(values.shape))
    print("outputs:", tuple(by_hand.shape))
    torch.testing.assert_close(by_hand, library)

    (ours,) = torch.autograd.grad(by_hand.square().sum(), queries)
    (theirs,) = torch.autograd.grad(library.square().sum(), queries)
    torch.testing.assert_close(ours, theirs)

    # A long query gets the value of one key: that with the largest dot product.
    sharp = my_attention(1000 * keys[:, :1], keys, values)
    best = (keys[0] @ keys[0, 0]).argmax()
    print("a sharp query gets:", rounded(sharp[0, 0].tolist()))
    print("value of that key: ", rounded(values[0, best].tolist()))
    torch.testing.assert_close(sharp[0, 0], values[0, best])


def layers_for_sequences() -> None:
    """Parameters and output shapes of embedding, recurrent and attention layers."""
    words = torch.randint(100, (2, 5))
    sequence = torch.rand(2, 5, 8)
    signal = torch.rand(2, 8, 5)

    print(table_row(nn.Embedding(100, 8), words))
    print(table_row(nn.EmbeddingBag(100, 8), words))
    print(table_row(nn.Conv1d(8, 16, kernel_size=3), signal))
    for recurrent in [nn.RNN, nn.GRU, nn.LSTM]:
        print(table_row(recurrent(8, 16, batch_first=True), sequence))
    attention = nn.MultiheadAttention(embed_dim=8, num_heads=2, batch_first=True)
    print(table_row(attention, sequence, sequence, sequence))
    encoder = nn.TransformerEncoderLayer(
        d_model=8, nhead=2, dim_feedforward=16, batch_first=True
    )
    print(table_row(encoder, sequence))

    counts = [
        sum(p.numel() for p in kind(8, 16).parameters())
        for kind in [nn.RNN, nn.GRU, nn.LSTM]
    ]
    assert counts == [counts[0], 3 * counts[0], 4 * counts[0]]
    # Heads divide the features among them, so their number does not change the count.
    single = nn.MultiheadAttention(embed_dim=8, num_heads=1)
    assert sum(p.numel() for p in single.parameters()) == sum(
        p.numel() for p in attention.parameters()
    )


def convolution_output_size(size, kernel_size, stride=1, padding=0):
    """How many places a kernel fits along one axis."""
    return (size + 2 * padding - kernel_size) // stride + 1


def activations_drawn() -> None:
    """Six activations and their slopes, from the layers themselves."""
    layers = [
        nn.ReLU(),
        nn.LeakyReLU(0.1),
        nn.GELU(),
        nn.SiLU(),
        nn.Tanh(),
        nn.Sigmoid(),
    ]
    inputs = torch.linspace(-4, 4, 65, requires_grad=True)

    fig, axes = plt.subplots(
        2, 3, figsize=(6.4, 3.6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, layer in zip(axes.flat, layers, strict=True):
        outputs = layer(inputs)
        (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
        name = type(layer).__name__
        print(f"{name:9}  outputs {outputs.min():5.2f} to {outputs.max():.2f}", end="")
        print(f"  slopes {slopes.min():5.2f} to {slopes.max():.2f}")
        ax.plot(inputs.detach().cpu(), outputs.detach().cpu(), color="C0")
        ax.plot(inputs.detach().cpu(), slopes.cpu(), color="C1", linestyle="--")
        ax.set(title=name, ylim=(-1.3, 2.5))
        assert sum(1 for _ in layer.parameters()) == 0
    plt.show()


def solution_convolution_sizes() -> None:
    """The size formula of a convolution, tried on every small case."""
    image = torch.rand(1, 1, 11, 11)
    agreed = 0
    for kernel_size in [1, 2, 3, 5]:
        for stride in [1, 2, 3]:
            for padding in [0, 1, 2]:
                layer = nn.Conv2d(1, 1, kernel_size, stride, padding)
                expected = convolution_output_size(11, kernel_size, stride, padding)
                assert layer(image).shape == (1, 1, expected, expected)
                agreed += 1
    print("cases that agree: ", agreed)
    print("32, kernel 3, stride 2, padding 1:", convolution_output_size(32, 3, 2, 1))


def solution_keep_the_best() -> None:
    """A state dict shows the live weights, so the best ones must be copied."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    inputs = torch.linspace(-1, 1, 16).unsqueeze(1)
    shown = model.state_dict()
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    before = model.weight.item()

    descend(model, inputs, 3 * inputs, steps=100, lr=0.1)
    print(f"weight before:         {before:.4f}")
    print(f"weight now:            {model.weight.item():.4f}")
    print(f"state_dict as it is:   {shown['weight'].item():.4f}")
    print(f"state_dict, cloned:    {kept['weight'].item():.4f}")
    assert shown["weight"].data_ptr() == model.weight.data_ptr()

    model.load_state_dict(kept)
    assert model.weight.item() == before


class Forgetful(nn.Module):
    """A Sequential by hand that loops over `children()`."""

    def __init__(self, *layers):
        super().__init__()
        for position, layer in enumerate(layers):
            self.add_module(str(position), layer)

    def forward(self, inputs):
        for layer in self.children():
            inputs = layer(inputs)
        return inputs


def solution_shared_activation() -> None:
    """`children()` gives a module that is registered twice only once."""
    torch.manual_seed(0)
    relu = nn.ReLU()
    layers = [nn.Linear(4, 8), relu, nn.Linear(8, 3), relu]
    forgetful, library = Forgetful(*layers), nn.Sequential(*layers)
    inputs = torch.randn(32, 4)

    print("layers given:    ", len(layers))
    print("children:        ", len(list(forgetful.children())))
    print(f"smallest output, library:   {library(inputs).min():.4f}")
    print(f"smallest output, forgetful: {forgetful(inputs).min():.4f}")
    assert torch.equal(MySequential(*layers)(inputs), library(inputs))
    assert not torch.equal(forgetful(inputs), library(inputs))
