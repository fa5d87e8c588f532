"""Internals: how one line of Python becomes operators, a backward graph, and kernels."""

import dis
import inspect
import os
from collections import Counter
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode, resolve_name
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from snippets.torchscript import silence


class OperatorLog(TorchDispatchMode):
    """While active, notes every operator that reaches the backend."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if operator.namespace == "aten":
            self.names.append(str(operator))
        return operator(*args, **(kwargs or {}))


class CallLog(TorchFunctionMode):
    """While active, notes every call of a torch function from Python, and how many operators were logged before."""

    def __init__(self, operators):
        super().__init__()
        self.operators = operators
        self.calls = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        before = len(self.operators.names)
        result = function(*args, **(kwargs or {}))
        if len(self.operators.names) > before:
            name = (resolve_name(function) or function.__name__).split(".")[-1]
            self.calls.append((name, before, len(self.operators.names)))
        return result


class NanFinder(TorchDispatchMode):
    """While active, raises at the first operator that returns a tensor with a NaN."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        if (
            isinstance(result, torch.Tensor)
            and result.is_floating_point()
            and result.isnan().any()
        ):
            raise FloatingPointError(f"{operator} returned NaN")
        return result


def linear(inputs, weight, bias):
    """A linear layer with the operator that `F.linear` ends in."""
    return torch.addmm(bias, inputs, weight.t())


def cross_entropy(logits, targets):
    """Cross-entropy from elementary operations, without overflow."""
    # Softmax does not change when a row is shifted, and `exp` of numbers up to 0 cannot overflow.
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_probabilities = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    chosen = log_probabilities.gather(dim=1, index=targets.unsqueeze(1))
    return -chosen.mean()


def backward_graph(node, depth=0):
    """Yield the nodes of a backward graph with their depths; one that two paths reach comes twice."""
    yield depth, node
    for following, _ in node.next_functions:
        if following is not None:
            yield from backward_graph(following, depth + 1)


def saved_tensors(node):
    """The tensors that a node of the backward graph keeps, by name."""
    names = [name for name in dir(node) if name.startswith("_saved_")]
    saved = {name.removeprefix("_saved_"): getattr(node, name) for name in names}
    return {
        name: value for name, value in saved.items() if isinstance(value, torch.Tensor)
    }


def depth_of(event):
    """How many profiled events an event lies inside."""
    return 0 if event.cpu_parent is None else 1 + depth_of(event.cpu_parent)


def layer_of(event):
    """Whether a profiled event is an operator, a part of the backward engine, or a range around Python code."""
    # Autograd reports its own `detach` without the prefix.
    if event.name.startswith("aten::") or event.name == "detach":
        return "operators"
    if event.name in ("forward", "backward", "update") or event.name.startswith(
        "Optimizer."
    ):
        return "Python"
    return "backward engine"


def find_the_source() -> None:
    """Where the source of a class is, and where Python source ends."""
    package = Path(torch.__file__).parent
    for thing in (nn.Linear, nn.CrossEntropyLoss, torch.optim.SGD, F.cross_entropy):
        file = Path(inspect.getsourcefile(thing)).relative_to(package)
        print(f"{thing.__name__:16} torch/{file.as_posix()}")

    print(inspect.getsource(nn.Linear.forward).splitlines()[-1])
    refused = []
    for function in (F.linear, torch.relu, torch._C._nn.cross_entropy_loss):
        try:
            inspect.getsource(function)
        except TypeError:
            refused.append(function.__name__)
            print(f"{function.__name__:18} {type(function).__name__}: no Python source")
    assert len(refused) == 3
    # The last thing that `F.cross_entropy` does in Python is to call the built-in.
    assert "cross_entropy_loss" in [
        i.argval for i in dis.get_instructions(F.cross_entropy)
    ]


def one_line_several_operators() -> None:
    """What reaches the backend when one line of Python runs."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    inputs, targets = torch.randn(8, 4), torch.randint(3, (8,))

    log = OperatorLog()
    with log:
        logits = layer(inputs)
    print("layer(inputs):       ", log.names)
    log.names.clear()
    with log:
        loss = F.cross_entropy(logits, targets)
    print("F.cross_entropy(...):", log.names)
    log.names.clear()
    with log:
        loss.backward()
    print("loss.backward():")
    print("  " + "\n  ".join(log.names))
    assert "aten.nll_loss_backward.default" in log.names
    assert not any("linear" in name for name in log.names)


def step_drawn() -> None:
    """One training step: the torch functions that Python called, and the operators each led to."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    # On a GPU the default is one call for all parameters.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=False)
    inputs, targets = torch.randn(16, 4), torch.randint(3, (16,))

    log = OperatorLog()
    with log, CallLog(log) as python:
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
    print("calls in Python:", len(python.calls))
    print("operators:      ", len(log.names))
    print(
        "in backward:    ",
        next(end - start for name, start, end in python.calls if name == "backward"),
    )
    assert python.calls[-1][2] == len(log.names)

    fig, ax = plt.subplots(figsize=(6.4, 7.2), layout="constrained")
    for number, (name, start, end) in enumerate(python.calls):
        middle, color = (start + end - 1) / 2, f"C{number % 8}"
        ax.text(0, middle, name, ha="right", va="center", fontsize=8)
        for row in range(start, end):
            ax.plot([0.05, 0.95], [middle, row], color=color, linewidth=1)
            ax.text(1, row, log.names[row], va="center", fontsize=7)
    ax.set_xlim(-0.6, 2.2)
    ax.set_ylim(len(log.names), -1.5)
    ax.text(0, -1.2, "Python calls", ha="right", weight="bold", fontsize=9)
    ax.text(1, -1.2, "operators", weight="bold", fontsize=9)
    ax.axis("off")
    plt.show()


def rewritten_and_equal() -> None:
    """`linear` and `cross_entropy` of our own: same values, same gradients."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(8, 4), torch.randint(3, (8,))
    layer = nn.Linear(4, 3)
    parameters = (layer.weight, layer.bias)

    theirs = F.cross_entropy(F.linear(inputs, *parameters), targets)
    ours = cross_entropy(linear(inputs, *parameters), targets)
    print(f"theirs: {theirs.item():.6f}")
    print(f"ours:   {ours.item():.6f}")
    torch.testing.assert_close(ours, theirs)

    gradients = [torch.autograd.grad(loss, parameters) for loss in (theirs, ours)]
    for name, their_gradient, our_gradient in zip(
        ("weight", "bias"), *gradients, strict=True
    ):
        print(
            f"gradient of {name:6} is close:",
            torch.allclose(our_gradient, their_gradient, atol=1e-6),
        )
        torch.testing.assert_close(our_gradient, their_gradient)

    huge = torch.tensor([[1000.0, 0.0, -1000.0]])
    label = torch.tensor([1])
    print(
        "logits of 1000:",
        cross_entropy(huge, label).item(),
        "and",
        F.cross_entropy(huge, label).item(),
    )
    assert cross_entropy(huge, label) == F.cross_entropy(huge, label) == 1000


def rewriting_costs_operators() -> None:
    """Equal results do not mean equal work: operators of the library's loss and of ours."""
    torch.manual_seed(0)
    logits, targets = torch.randn(8, 3), torch.randint(3, (8,))
    weight, bias = torch.randn(3, 4), torch.randn(3)
    inputs = torch.randn(8, 4)

    logs = {}
    calls = {
        "F.linear": lambda: F.linear(inputs, weight, bias),
        "linear": lambda: linear(inputs, weight, bias),
        "F.cross_entropy": lambda: F.cross_entropy(logits, targets),
        "cross_entropy": lambda: cross_entropy(logits, targets),
    }
    for name, call in calls.items():
        with OperatorLog() as log:
            call()
        logs[name] = [operator.split(".")[1] for operator in log.names]
        print(f"{name:15} {len(log.names):2}:", " ".join(logs[name]))
    assert logs["linear"] == logs["F.linear"]
    assert len(logs["cross_entropy"]) > len(logs["F.cross_entropy"])


def dispatch_keys() -> None:
    """A tensor carries the keys by which the dispatcher chooses the next layer of code."""
    tensors = {
        "plain": torch.ones(2),
        "meta": torch.ones(2, device="meta"),
        "sparse": torch.eye(2).to_sparse(),
    }
    with torch.inference_mode():
        tensors["inference"] = torch.ones(2)

    for name, tensor in tensors.items():
        keys = torch._C._dispatch_keys(tensor)
        print(f"{name:9}  {keys}")
        assert keys.has(torch._C.DispatchKey.ADInplaceOrView) == (name != "inference")

    # A meta tensor has a shape and no numbers; its kernels compute shapes only.
    product = torch.ones(1000, 2000, device="meta") @ torch.ones(
        2000, 3000, device="meta"
    )
    print("meta product:", tuple(product.shape))


def registered_kernels() -> None:
    """Which operators have kernels of their own, and which are made of others."""
    keys = ("CPU", "Meta", "CompositeExplicitAutograd", "CompositeImplicitAutograd")
    found = {}
    for operator in ("linear", "cross_entropy_loss", "addmm", "relu", "mm", "t"):
        found[operator] = [
            key
            for key in keys
            if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{operator}", key)
        ]
        print(f"{operator:18}  {', '.join(found[operator])}")
    assert (
        found["linear"] == found["cross_entropy_loss"] == ["CompositeImplicitAutograd"]
    )
    assert "CPU" in found["addmm"]


def names_of_operators() -> None:
    """The parts of an operator's name, and what its schema says."""
    log = OperatorLog()
    with log:
        numbers = torch.zeros(3)
        numbers.add_(torch.ones(3))
        numbers + 1
        numbers.sum()
        numbers.sum(dim=0)
        numbers.view(3, 1)
    for name in log.names:
        namespace, operator, overload = name.split(".")
        print(f"{namespace}  {operator:6}  {overload}")
    assert log.names[-3:] == [
        "aten.sum.default",
        "aten.sum.dim_IntList",
        "aten.view.default",
    ]

    for overload in (
        torch.ops.aten.add.Tensor,
        torch.ops.aten.add_.Tensor,
        torch.ops.aten.view.default,
    ):
        print(overload._schema)
    assert torch.ops.aten.add_.Tensor._schema.is_mutable
    assert not torch.ops.aten.add.Tensor._schema.is_mutable


def operators_in_a_trace() -> None:
    """An exported trace names the same operators, before and after they are taken apart."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    inputs = torch.randn(16, 4)

    exported = torch.export.export(model.eval(), (inputs,))
    # Up to torch 2.11, taking apart warns of a function that torch itself uses.
    with silence("`isinstance"):
        decomposed = exported.run_decompositions()
    graphs = {"exported": exported.graph, "decomposed": decomposed.graph}
    names = {
        key: [str(n.target) for n in graph.nodes if n.op == "call_function"]
        for key, graph in graphs.items()
    }
    with OperatorLog() as log, torch.no_grad():
        model(inputs)

    for key, operators in {**names, "dispatched": log.names}.items():
        print(f"{key:10}  {operators}")
    assert "aten.linear.default" in names["exported"]
    assert "aten.linear.default" not in names["decomposed"]
    assert (
        Counter(log.names)["aten.addmm.default"]
        == names["decomposed"].count("aten.addmm.default")
        == 2
    )


def graph_of_nodes() -> None:
    """The backward graph: nodes in C++, edges to the nodes that come next, parameters at the ends."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    loss = F.cross_entropy(layer(torch.randn(8, 4)), torch.randint(3, (8,)))

    owners = {id(parameter): name for name, parameter in layer.named_parameters()}
    ends = []
    for depth, node in backward_graph(loss.grad_fn):
        owner = owners.get(id(getattr(node, "variable", None)), "")
        print("  " * depth + type(node).__name__ + (f" of {owner}" if owner else ""))
        ends += [owner] if owner else []
    assert sorted(ends) == ["bias", "weight"]

    addmm = next(
        node
        for _, node in backward_graph(loss.grad_fn)
        if type(node).__name__ == "AddmmBackward0"
    )
    for argument, (following, output) in zip(
        ("bias", "inputs", "weight.t()"), addmm.next_functions, strict=True
    ):
        target = (
            f"input {output} of {type(following).__name__}" if following else "nowhere"
        )
        print(f"gradient of {argument:10} goes to {target}")
    assert addmm.next_functions[1][0] is None


def graph_holds_tensors() -> None:
    """A node keeps the tensors that its formula needs, shared with the forward pass, until backward frees them."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    inputs, targets = torch.randn(8, 4), torch.randint(3, (8,))
    loss = F.cross_entropy(layer(inputs), targets)

    for _, node in backward_graph(loss.grad_fn):
        shapes = {
            name: tuple(tensor.shape) for name, tensor in saved_tensors(node).items()
        }
        print(f"{type(node).__name__:20} {shapes}")
    addmm = loss.grad_fn.next_functions[0][0].next_functions[0][0]
    print(
        "saved inputs share memory:", addmm._saved_mat1.data_ptr() == inputs.data_ptr()
    )
    assert addmm._saved_mat1.data_ptr() == inputs.data_ptr()
    # The gradient of the weight needs the inputs; nothing here needs a gradient of the inputs, so no weight is kept.
    assert addmm._saved_mat2 is None

    loss.backward()
    message = ""
    try:
        addmm._saved_mat1  # noqa: B018
    except RuntimeError as error:
        message = str(error).split(".")[0]
    print("after backward:", message)
    assert "already been freed" in message


def bytes_held_for_backward() -> None:
    """How many bytes a forward pass leaves behind for backward, by batch size."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))

    held = []

    def keep(tensor):
        held.append(tensor)
        return tensor

    sizes, kilobytes = [1, 16, 64, 128, 256], []
    for batch in sizes:
        held.clear()
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            F.cross_entropy(
                model(torch.randn(batch, 64)), torch.zeros(batch, dtype=torch.int64)
            )
        # The same memory is often saved by two nodes: count each storage once, and leave out the parameters.
        owned = {
            parameter.untyped_storage().data_ptr() for parameter in model.parameters()
        }
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in held
        }
        kilobytes.append(
            sum(size for address, size in storages.items() if address not in owned)
            / 1000
        )
        print(
            f"batch {batch:3}: {len(held)} tensors saved, {kilobytes[-1]:6.1f} kB beside the parameters"
        )

    # Features, hidden activations, log-probabilities: four bytes each. A target has eight.
    by_hand = [batch * (4 * (64 + 256 + 10) + 8) / 1000 for batch in sizes]
    assert all(
        abs(kb - expected) < 0.01
        for kb, expected in zip(kilobytes, by_hand, strict=True)
    )


@pytest.mark.measurement
@pytest.mark.cpu_only("for a GPU, backward runs in a thread of its own")
def profile_one_step() -> None:
    """A timeline of one training step: ranges that Python opens, and the operators inside them."""
    # The profiler logs its start and stop to standard error, unless it is told not to.
    os.environ["KINETO_LOG_LEVEL"] = "6"
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = torch.randn(128, 64), torch.randint(10, (128,))

    for _ in range(2):  # the first step also pays for what happens once
        with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
            with record_function("forward"):
                loss = F.cross_entropy(model(inputs), targets)
            with record_function("backward"):
                loss.backward()
            with record_function("update"):
                optimizer.step()
                optimizer.zero_grad()

    events = profiler.events()
    phases = [
        event for event in events if event.name in ("forward", "backward", "update")
    ]
    start = min(event.time_range.start for event in events)
    fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    for layer, color in {
        "Python": "0.5",
        "backward engine": "C1",
        "operators": "C0",
    }.items():
        mine = [event for event in events if layer_of(event) == layer]
        own_time = sum(event.self_cpu_time_total for event in mine)
        print(f"{layer:15}  {len(mine):3} events, {own_time:6.0f} µs of their own")
        for row in {depth_of(event) for event in mine}:
            ranges = [event.time_range for event in mine if depth_of(event) == row]
            spans = [(span.start - start, span.elapsed_us()) for span in ranges]
            ax.broken_barh(spans, (row, 0.9), color=color)
        ax.plot([], [], color=color, linewidth=6, label=layer)
    assert {"aten::addmm", "aten::relu", "aten::mm"} <= {event.name for event in events}

    for event in phases:
        ax.text(event.time_range.start - start, -0.2, event.name, fontsize=8)
    ax.invert_yaxis()
    ax.set_yticks([])
    fig.legend(loc="outside lower center", ncols=3, fontsize=8)
    ax.set_xlabel("microseconds since the start of the step")
    plt.show()


@pytest.mark.measurement
def price_of_a_call() -> None:
    """The time of one addition, by size: below some size only the way to the kernel is paid."""
    sizes = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
    microseconds = []
    for size in sizes:
        numbers = torch.ones(size)
        fastest = float("inf")
        for _ in range(20):
            if numbers.device.type != "cpu":
                torch.accelerator.synchronize()
            start = perf_counter()
            for _ in range(20):
                numbers + numbers
            if numbers.device.type != "cpu":
                torch.accelerator.synchronize()
            fastest = min(fastest, (perf_counter() - start) / 20)
        microseconds.append(1e6 * fastest)
        print(f"{size:9,} elements: {microseconds[-1]:8.2f} µs")

    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    ax.loglog(sizes, microseconds, "o-")
    ax.set_xlabel("elements")
    ax.set_ylabel("µs for one addition")
    plt.show()


def solution_find_the_nan() -> None:
    """The first operator that returns NaN, found by a mode."""
    probabilities = torch.tensor([0.5, 0.0, -0.001])
    message = ""
    try:
        with NanFinder():
            entropy = -(probabilities * probabilities.log()).sum()
            print("entropy:", entropy.item())
    except FloatingPointError as error:
        message = str(error)
    print("FloatingPointError:", message)
    assert message == "aten.log.default returned NaN"


def solution_count_the_graph() -> None:
    """Nodes of a backward graph, counted by kind, for a deeper network."""
    torch.manual_seed(0)
    layers = [module for _ in range(5) for module in (nn.Linear(8, 8), nn.Tanh())]
    loss = nn.Sequential(*layers)(torch.randn(4, 8)).sum()

    counts = Counter(type(node).__name__ for _, node in backward_graph(loss.grad_fn))
    for kind, count in counts.items():
        print(f"{kind:16} {count:2}")
    assert counts["AddmmBackward0"] == counts["TanhBackward0"] == 5
    assert counts["AccumulateGrad"] == 10
