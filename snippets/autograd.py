"""Autograd: how gradients are recorded, computed, added up, and kept out."""

import json
import warnings
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch.autograd import forward_ad


def slope_at_a_point() -> None:
    """`backward` puts the slope of a polynomial at a point into `.grad`."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x**3 - 4 * x + 1
    print("y at 2:       ", y.item())
    print("grad before:  ", x.grad)

    y.backward()
    print("grad after:   ", x.grad.item())
    print("3 x^2 - 4:    ", 3 * 2.0**2 - 4)
    assert x.grad == 3 * 2.0**2 - 4

    # The slope is also what two nearby points say, with plain numbers and no recording.
    step = 1e-3
    left, right = ((2.0 + h) ** 3 - 4 * (2.0 + h) + 1 for h in (-step, step))
    print("rise over run:", round((right - left) / (2 * step), 4))
    assert abs((right - left) / (2 * step) - x.grad.item()) < 1e-4


def product_sum() -> None:
    """The gradient of a sum of products with respect to one factor is the other factor."""
    weights = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    features = torch.tensor([3.0, 4.0, 5.0], requires_grad=True)

    score = (weights * features).sum()
    score.backward()
    print("score:        ", score.item())
    print("weights.grad: ", weights.grad.tolist())
    print("features.grad:", features.grad.tolist())

    assert torch.equal(weights.grad, features)
    assert torch.equal(features.grad, weights)
    assert weights.grad.shape == weights.shape


def parabola(position):
    """A loss with its minimum at 3."""
    return (position - 3) ** 2


def descend(clear, steps=40):
    """Positions of gradient descent, with `.grad` cleared before each pass or never."""
    position = torch.tensor(0.0, requires_grad=True)
    path = [position.item()]
    for _ in range(steps):
        if clear:
            position.grad = None
        parabola(position).backward()
        with torch.no_grad():
            position -= 0.1 * position.grad
        path.append(position.item())
    return path


def gradients_accumulate() -> None:
    """Each `backward` adds to `.grad`; a descent that never clears it swings past the minimum."""
    position = torch.tensor(0.0, requires_grad=True)
    for call in (1, 2, 3):
        parabola(position).backward()
        print(f"grad after call {call}:", position.grad.item())
        assert position.grad == call * -6

    cleared, summed = descend(clear=True), descend(clear=False)
    print("highest position, cleared:      ", round(max(cleared), 4))
    print("highest position, never cleared:", round(max(summed), 4))
    assert max(cleared) < 3 < 5 < max(summed)
    assert abs(cleared[-1] - 3) < 1e-3

    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    ax.axhline(3, color="0.5", linewidth=1, linestyle="--")
    ax.plot(cleared, color="C0", label="cleared before each pass")
    ax.plot(summed, color="C1", label="never cleared")
    ax.set(xlabel="step", ylabel="position")
    ax.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.2))
    plt.show()


def zero_grad_sets_none() -> None:
    """`zero_grad` removes the gradient; with `set_to_none=False` it writes zeros, which an optimizer treats otherwise."""
    for set_to_none in (True, False):
        weight = torch.tensor([2.0], requires_grad=True)
        # Weight decay shrinks a parameter a little in each update, beside its gradient.
        optimizer = torch.optim.SGD([weight], lr=0.1, weight_decay=0.5)
        weight.sum().backward()

        optimizer.zero_grad(set_to_none=set_to_none)
        left_over = None if weight.grad is None else weight.grad.tolist()
        optimizer.step()
        value = round(weight.item(), 2)
        print(f"set_to_none={set_to_none!s:5}  grad {left_over}, weight {value}")
        assert (weight.grad is None) == set_to_none
        assert (weight == 2).item() == set_to_none

    by_default = torch.optim.SGD([weight], lr=0.1)
    by_default.zero_grad()
    print("by default, grad is", weight.grad)
    assert weight.grad is None


def update_by_hand() -> None:
    """Gradient descent on two parameters, updated in place while nothing is recorded."""
    hours = torch.tensor([1.0, 2.0, 3.0, 4.0])
    scores = 2.0 * hours + 1.0
    slope = torch.tensor(0.0, requires_grad=True)
    intercept = torch.tensor(0.0, requires_grad=True)

    for step in range(201):
        loss = ((slope * hours + intercept - scores) ** 2).mean()
        loss.backward()
        if step % 50 == 0:
            line = [round(slope.item(), 4), round(intercept.item(), 4)]
            print(f"step {step:3}: loss {loss.item():7.4f}, slope and intercept {line}")
        with torch.no_grad():
            for parameter in (slope, intercept):
                parameter -= 0.1 * parameter.grad
                parameter.grad = None

    assert abs(slope.item() - 2) < 1e-2
    assert abs(intercept.item() - 1) < 1e-2


def updates_without_no_grad() -> None:
    """Outside `no_grad`, an update in place is refused and an assignment makes another tensor."""
    weight = torch.tensor(5.0, requires_grad=True)
    (weight**2).backward()

    message = ""
    try:
        weight -= 0.1 * weight.grad
    except RuntimeError as error:
        message = str(error)
    print("weight -= ...:        RuntimeError:", message)
    assert "leaf Variable that requires grad" in message

    updated = weight - 0.1 * weight.grad
    (updated**2).backward()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gradient = updated.grad
    print("updated.is_leaf:     ", updated.is_leaf)
    print("updated.grad:        ", gradient)
    print("warning on reading it:", str(caught[0].message).split(". ")[0])
    print("weight.grad:         ", round(weight.grad.item(), 4))
    assert gradient is None
    assert not updated.is_leaf
    # 10 from the first call, and 2 * 4 from the second, which went on to the old tensor.
    assert weight.grad == 18


def graph_edges(tensor):
    """All pairs (node, next node) of the graph behind a tensor."""
    edges, queue = [], [tensor.grad_fn]
    for node in queue:
        for next_node, _ in node.next_functions:
            if next_node is not None:
                edges.append((node, next_node))
                if next_node not in queue:
                    queue.append(next_node)
    return edges


def draw_graph(tensor, names, ax):
    """Draw the graph behind a tensor, from left to right in the order of `backward`."""
    edges = graph_edges(tensor)
    column = {tensor.grad_fn: 0}
    # A node stands to the right of all that hand it a gradient; a pass for each edge is enough.
    for node, next_node in edges * len(edges):
        column[next_node] = max(column.get(next_node, 0), column.get(node, 0) + 1)
    depth = max(column.values())
    columns = [[n for n in column if column[n] == x] for x in range(depth + 1)]
    place = {}
    for x, nodes in enumerate(columns):
        for y, node in enumerate(nodes):
            place[node] = (x, (len(nodes) - 1) / 2 - y)

    for number, (node, next_node) in enumerate(edges):
        (x, y), (next_x, next_y) = place[node], place[next_node]
        # Two edges between the same nodes are bent apart.
        bend = 0.0
        if edges.count((node, next_node)) > 1:
            bend = 0.6 if edges.index((node, next_node)) == number else -0.6
        arrow = {"arrowstyle": "->", "color": "0.5", "shrinkA": 0, "shrinkB": 0}
        arrow["connectionstyle"] = f"arc3,rad={bend}"
        ax.annotate("", (next_x - 0.4, next_y), (x + 0.4, y), arrowprops=arrow)
    for node, (x, y) in place.items():
        leaf = getattr(node, "variable", None)
        owner = next((name for name, tensor in names.items() if tensor is leaf), "")
        color = "C1" if owner else "C0"
        corner = (x - 0.4, y - 0.22)
        ax.add_patch(plt.Rectangle(corner, 0.8, 0.44, fill=False, edgecolor=color))
        ax.text(x, y, type(node).__name__, ha="center", va="center", fontsize=6.5)
        ax.text(x, y - 0.42, owner, ha="center", va="center", fontsize=9, color=color)
    height = max(map(len, columns))
    ax.set(xlim=(-0.45, len(columns) - 0.55), ylim=(-height / 2 - 0.2, height / 2))
    ax.set_axis_off()


def graph_drawn() -> None:
    """The graph of a small loss, walked through `grad_fn` and `next_functions`."""
    features = torch.tensor([1.0, 2.0, 3.0])
    targets = torch.tensor([2.0, 4.0, 7.0])
    slope = torch.tensor(1.5, requires_grad=True)
    intercept = torch.tensor(0.5, requires_grad=True)

    residual = slope * features + intercept - targets
    loss = (residual * residual).mean()

    print("loss.grad_fn:", type(loss.grad_fn).__name__)
    for node, next_node in graph_edges(loss):
        print(f"  {type(node).__name__:13} -> {type(next_node).__name__}")

    ends = [node for _, node in graph_edges(loss) if hasattr(node, "variable")]
    assert {id(end.variable) for end in ends} == {id(slope), id(intercept)}

    fig, ax = plt.subplots(figsize=(6.4, 2.2), layout="constrained")
    draw_graph(loss, {"slope": slope, "intercept": intercept}, ax)
    plt.show()


def record_backward(loss, tensors):
    """Run `backward`; each node notes, as it runs, what arrives and what it sends along each edge."""
    nodes = list(dict.fromkeys(node for edge in graph_edges(loss) for node in edge))
    steps = []

    def note(node, sent, arrived):
        leaf = getattr(node, "variable", None)
        owners = (k for k, v in tensors.items() if v is leaf or v.grad_fn is node)
        edges = zip(node.next_functions, sent, strict=True)
        step = {"node": nodes.index(node), "name": type(node).__name__}
        step["of"] = next(owners, "")
        step["arrives"] = arrived[0].tolist()
        step["sends"] = [[nodes.index(n), g.tolist()] for (n, _), g in edges if n]
        steps.append(step)

    for node in nodes:
        node.register_hook(partial(note, node))
    loss.backward()
    return steps


def draw_flow(steps, ax):
    """Draw recorded steps from top to bottom, an arc for each edge, beside the gradients that arrived."""
    rows = {step["node"]: row for row, step in enumerate(steps)}
    for row, step in enumerate(steps):
        color = "C0" if step["sends"] else "C1"
        ax.plot(0, row, "o", color=color)
        for x, text in ((0.4, step["name"]), (2.6, step["of"]), (4.2, step["arrives"])):
            ax.text(x, row, text, va="center", fontsize=9)
        ends = [rows[target] for target, _ in step["sends"]]
        for number, end in enumerate(ends):
            # An arc that passes other rows, or is the second between two, bulges more.
            bulge = 0.3 * (end > row + 1) + 0.6 * ends[:number].count(end)
            arc = {"arrowstyle": "->", "color": "0.5", "shrinkA": 5, "shrinkB": 5}
            arc["connectionstyle"] = f"arc3,rad={bulge}"
            ax.annotate("", (0, end), (0, row), arrowprops=arc)
    ax.set(xlim=(-0.6, 5.4), ylim=(len(steps) - 0.5, -0.5))
    ax.set_axis_off()


def backward_recorded() -> None:
    """The gradients that flow along each edge of a graph, noted by hooks while `backward` ran."""
    features = torch.tensor([1.0, 2.0])
    targets = torch.tensor([4.0, 4.0])
    slope = torch.tensor(1.5, requires_grad=True)
    intercept = torch.tensor(0.5, requires_grad=True)

    product = slope * features
    prediction = product + intercept
    residual = prediction - targets
    squares = residual * residual
    loss = squares.mean()

    tensors = {"features": features, "targets": targets, "slope": slope}
    tensors |= {"intercept": intercept, "product": product, "prediction": prediction}
    tensors |= {"residual": residual, "squares": squares, "loss": loss}
    print(json.dumps({name: tensor.tolist() for name, tensor in tensors.items()}))
    steps = record_backward(loss, tensors)
    for step in steps:
        print(json.dumps(step))

    arrived = {step["of"]: step["arrives"] for step in steps}
    assert arrived["slope"] == slope.grad.item()
    assert arrived["intercept"] == intercept.grad.item()

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    draw_flow(steps, ax)
    plt.show()


def operation_names(tensor):
    """Names of the nodes behind a tensor, along the first input that has a gradient."""
    names, node = [], tensor.grad_fn
    while node is not None:
        names.append(type(node).__name__)
        node = next((after for after, _ in node.next_functions if after), None)
    return names


def control_flow_shapes_the_graph() -> None:
    """Python's `while` and `if` run first; the graph holds what was done."""
    for start in (1.5, 4.0, -4.0):
        x = torch.tensor(start, requires_grad=True)
        y = x
        while 0 < y < 10:
            y = 2 * y
        if y < 0:
            y = y.exp()

        y.backward()
        print(f"x = {start:4}: grad {x.grad.item():.4f}, nodes {operation_names(y)}")
        expected = torch.exp(x.detach()) if start < 0 else y.detach() / x.detach()
        torch.testing.assert_close(x.grad, expected)


def constants_leave_the_graph() -> None:
    """A tensor that needs no gradient has no node, and what is made of such tensors has no graph."""
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    scale = torch.tensor([10.0, 20.0])

    prepared = (scale / 10).exp()
    outputs = weights * prepared
    print("prepared.grad_fn:", prepared.grad_fn)
    print("outputs.grad_fn: ", type(outputs.grad_fn).__name__)

    next_nodes = [node for node, _ in outputs.grad_fn.next_functions]
    inputs = [node and type(node).__name__ for node in next_nodes]
    print("leads to the nodes:", inputs)
    assert inputs == ["AccumulateGrad", None]
    assert prepared.grad_fn is None

    outputs.sum().backward()
    print("scale.grad:", scale.grad)
    assert scale.grad is None
    assert torch.equal(weights.grad, prepared)


def leaf_rules() -> None:
    """A leaf is a tensor that no recorded operation made; `.grad` is kept for leaves that require it."""
    made = torch.zeros(2, requires_grad=True)
    scaled = torch.ones(2, requires_grad=True) * 0.1
    switched_on = (torch.ones(2) * 0.1).requires_grad_()
    plain = torch.ones(2) * 0.1
    kept = made * 2
    kept.retain_grad()

    (made + scaled + switched_on + plain + kept).sum().backward()
    names = ("made", "scaled", "switched_on", "plain", "kept")
    tensors = (made, scaled, switched_on, plain, kept)
    for name, tensor in zip(names, tensors, strict=True):
        # Reading `.grad` of a tensor that is no leaf warns, unless it was told to keep it.
        has_grad = (tensor.is_leaf or tensor.retains_grad) and tensor.grad is not None
        print(f"{name:11}  requires_grad {tensor.requires_grad!s:5}", end="  ")
        print(f"is_leaf {tensor.is_leaf!s:5}  has a gradient: {has_grad}")
        assert tensor.is_leaf == (tensor.grad_fn is None)
    assert made.grad.tolist() == [3, 3]
    assert switched_on.grad.tolist() == [1, 1]
    assert not scaled.is_leaf

    message = ""
    try:
        torch.tensor([1, 2], requires_grad=True)
    except RuntimeError as error:
        message = str(error)
    print("integers: RuntimeError:", message)
    assert "floating point" in message


def three_ways_out() -> None:
    """`no_grad`, `inference_mode` and `detach` compared by what can be done with their results."""
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.no_grad():
        unrecorded = weights * 3
    with torch.inference_mode():
        inference = weights * 3
    detached = weights.detach()

    names = ("no_grad", "inference_mode", "detach")
    for name, tensor in zip(names, (unrecorded, inference, detached), strict=True):
        shares = tensor.data_ptr() == weights.data_ptr()
        outcome = "works"
        try:
            (tensor * weights).sum().backward()
        except RuntimeError as error:
            outcome = str(error).split(". ")[0]
        print(f"{name}: requires_grad {tensor.requires_grad}, shares memory {shares}")
        print("  as a factor:", outcome)
        assert not tensor.requires_grad
        assert (outcome == "works") == (not tensor.is_inference())
        assert shares == (tensor is detached)

    # Addition needs none of its operands for its gradient, so it has nothing to save.
    print("inference + weights:", (inference + weights).tolist())
    assert (inference + weights).requires_grad
    assert (inference.clone() * weights).requires_grad


def stop_gradient() -> None:
    """Detaching a target lets only the prediction learn; detaching everything leaves nothing to learn."""
    weight = torch.tensor(2.0, requires_grad=True)

    for name in ("whole", "target detached"):
        prediction, target = 3 * weight, weight**2
        if name == "target detached":
            target = target.detach()
        loss = (prediction - target) ** 2
        (gradient,) = torch.autograd.grad(loss, weight)
        print(f"{name:15}  loss {loss.item()}  gradient {gradient.item()}")
        # The outer derivative is 2 * (6 - 4); the inner one is 3 - 2 * weight, or 3 alone.
        assert gradient == 4 * (3 - 4 if name == "whole" else 3)

    message = ""
    try:
        (3 * weight.detach() - 4).backward()
    except RuntimeError as error:
        message = str(error)
    print("all detached: RuntimeError:", message)
    assert "does not require grad" in message
    assert weight.grad is None


def running_total() -> None:
    """A running total of losses keeps every graph alive, one of detached losses keeps none."""
    weight = torch.tensor(2.0, requires_grad=True)
    attached, detached = torch.tensor(0.0), torch.tensor(0.0)
    for step in range(1, 101):
        loss = (weight * step) ** 2
        attached = attached + loss
        detached = detached + loss.detach()

    nodes = {node for edge in graph_edges(attached) for node in edge}
    print("same number:          ", torch.equal(attached, detached))
    print("nodes behind attached:", len(nodes))
    print("node behind detached: ", detached.grad_fn)
    assert torch.equal(attached, detached)
    assert len(nodes) == 301
    assert detached.grad_fn is None


def graph_is_freed() -> None:
    """A second `backward` through one graph raises, unless the first was told to keep it."""
    weight = torch.tensor(3.0, requires_grad=True)
    loss = weight**2
    loss.backward()
    message = ""
    try:
        loss.backward()
    except RuntimeError as error:
        message = str(error)
    print("second call:", message.split(" (")[0])
    assert "backward through the graph a second time" in message

    weight.grad = None
    loss = weight**2
    loss.backward(retain_graph=True)
    loss.backward()
    print("grad after two calls with retain_graph:", weight.grad.item())
    assert weight.grad == 2 * 6

    # A sum saves no tensor for its gradient, so there was nothing to free.
    total = weight + 1
    total.backward()
    total.backward()
    print("grad after two calls through a sum:    ", weight.grad.item())
    assert weight.grad == 14


def second_derivative() -> None:
    """With `create_graph=True` a gradient has a graph too, and can be differentiated."""
    x = torch.tensor(2.0, requires_grad=True)
    derivative = x**4
    for order, expected in enumerate([32, 48, 48, 24], start=1):
        (derivative,) = torch.autograd.grad(derivative, x, create_graph=True)
        recorded = derivative.requires_grad
        print(f"derivative {order}: {derivative.item():4.1f}  recorded: {recorded}")
        assert derivative == expected
        assert derivative.requires_grad

    (alone,) = torch.autograd.grad(x**4, x)
    print("without create_graph, recorded:", alone.requires_grad)
    assert not alone.requires_grad


def backward_multiplies_the_jacobian() -> None:
    """`backward` on a vector multiplies a vector by the Jacobian, without building the Jacobian."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    outputs = torch.stack([x[0] * x[1], x[0] ** 2, 3 * x[1]])
    message = ""
    try:
        outputs.backward()
    except RuntimeError as error:
        message = str(error)
    print("without a vector:", message)
    assert "scalar outputs" in message

    vector = torch.tensor([1.0, 10.0, 100.0])
    rows = [torch.autograd.grad(y, x, retain_graph=True)[0] for y in outputs]
    jacobian = torch.stack(rows)
    outputs.backward(gradient=vector)
    print("Jacobian:         ", jacobian.tolist())
    print("vector @ Jacobian:", (vector @ jacobian).tolist())
    print("x.grad:           ", x.grad.tolist())
    assert torch.equal(x.grad, vector @ jacobian)


def rosenbrock(point):
    """A curved valley, popular for testing minimizers: its minimum is at (1, 1)."""
    x, y = point
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def polar_to_plane(polar):
    """The point (x, y) of a radius and an angle."""
    radius, angle = polar
    return torch.stack([radius * angle.cos(), radius * angle.sin()])


def jacobian_and_hessian() -> None:
    """Gradient, Jacobian and Hessian as functions made from a function, in both of PyTorch's interfaces."""
    point = torch.tensor([1.0, 2.0])
    gradient_of = torch.func.grad(rosenbrock)
    # The Hessian is the Jacobian of the gradient.
    hessian_of = torch.func.jacrev(gradient_of)
    print("gradient:", gradient_of(point).tolist())
    print("Hessian: ", hessian_of(point).tolist())
    older = torch.autograd.functional.hessian(rosenbrock, point)
    assert torch.equal(older, hessian_of(point))

    polar = torch.tensor([2.0, 0.0])
    jacobian = torch.func.jacrev(polar_to_plane)(polar)
    print("Jacobian:", jacobian.tolist())
    assert jacobian.tolist() == [[1, 0], [0, 2]]
    older = torch.autograd.functional.jacobian(polar_to_plane, polar)
    assert torch.equal(older, jacobian)

    print("point.requires_grad:", point.requires_grad, " point.grad:", point.grad)
    assert point.grad is None


def squared_error(weights, features, target):
    """The squared error of a linear prediction for one sample."""
    return (features @ weights - target) ** 2


def per_sample_gradients() -> None:
    """`grad` differentiates a function, `vmap` runs it for every sample: one gradient each."""
    torch.manual_seed(0)
    weights = torch.tensor([1.0, -1.0, 0.5])
    features, targets = torch.randn(4, 3), torch.randn(4)

    gradient_of = torch.func.grad(squared_error)
    gradients_of = torch.func.vmap(gradient_of, in_dims=(None, 0, 0))
    gradients = gradients_of(weights, features, targets)
    largest = gradients.abs().amax(dim=1).tolist()
    print("one gradient for each sample:", tuple(gradients.shape))
    print("largest slope of each sample:", [round(slope, 4) for slope in largest])

    leaf = weights.clone().requires_grad_()
    for row, sample, target in zip(gradients, features, targets, strict=True):
        (expected,) = torch.autograd.grad(squared_error(leaf, sample, target), leaf)
        torch.testing.assert_close(row, expected)

    # The batch gives their sum at once, and that is all that `backward` can give.
    ((features @ leaf - targets) ** 2).sum().backward()
    torch.testing.assert_close(leaf.grad, gradients.sum(dim=0))


def forward_mode() -> None:
    """Forward mode carries a direction along with the values: one pass gives the Jacobian times a vector."""
    polar = torch.tensor([2.0, 0.5])
    direction = torch.tensor([0.0, 1.0])

    with warnings.catch_warnings(), forward_ad.dual_level():
        # The first dual tensor of a process warns about PyTorch's own use of TorchScript.
        warnings.filterwarnings("ignore", message=".*torch.jit.script")
        dual = forward_ad.make_dual(polar, direction)
        outputs, tangent = forward_ad.unpack_dual(polar_to_plane(dual))
    print("outputs:", [round(value, 4) for value in outputs.tolist()])
    print("tangent:", [round(value, 4) for value in tangent.tolist()])

    jacobian = torch.func.jacrev(polar_to_plane)(polar)
    torch.testing.assert_close(tangent, jacobian @ direction)
    same_outputs, same_tangent = torch.func.jvp(polar_to_plane, (polar,), (direction,))
    torch.testing.assert_close((same_outputs, same_tangent), (outputs, tangent))
    torch.testing.assert_close(torch.func.jacfwd(polar_to_plane)(polar), jacobian)
    # Turning moves a point at right angles to its radius.
    torch.testing.assert_close(outputs @ tangent, torch.tensor(0.0), atol=1e-6, rtol=0)


def in_place_and_versions() -> None:
    """Each in-place write raises a tensor's version; `backward` compares it with the version it saved."""
    for function in (torch.exp, torch.sin):
        x = torch.tensor([0.5, 1.0], requires_grad=True)
        outputs = function(x)
        before = outputs._version
        outputs.mul_(10)
        print(f"{function.__name__}: version {before} became {outputs._version}")

        message = ""
        try:
            outputs.sum().backward()
        except RuntimeError as error:
            message = str(error)
        versions = message[message.find("is at version") :].split(".")[0]
        result = versions or [round(slope, 4) for slope in x.grad.tolist()]
        print("     backward:", result)
        # The slope of exp is its output, so that was saved; the slope of sin needs its input.
        assert bool(message) == (function is torch.exp)
    torch.testing.assert_close(x.grad, 10 * x.detach().cos())

    x = torch.tensor([0.5, 1.0], requires_grad=True)
    outputs = torch.exp(x)
    outputs = outputs * 10
    outputs.sum().backward()
    torch.testing.assert_close(x.grad, outputs)


def gradient_hooks() -> None:
    """A hook on a tensor sees its gradient on the way, and may replace it."""
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    hidden = weight * 3
    loss = (hidden**2).sum()

    seen = []
    hidden.register_hook(lambda grad: seen.append(grad.tolist()))
    handle = hidden.register_hook(lambda grad: grad.clamp(-10, 10))
    weight.register_post_accumulate_grad_hook(lambda w: seen.append(w.grad.tolist()))

    loss.backward(retain_graph=True)
    print("at hidden:           ", seen[0])
    print("in weight.grad:      ", seen[1])
    assert seen[0] == [6, 12]
    assert seen[1] == [6 * 3, 10 * 3]

    handle.remove()
    weight.grad = None
    loss.backward()
    print("without the clamping:", weight.grad.tolist())
    assert weight.grad.tolist() == [18, 36]


def find_the_nan() -> None:
    """`detect_anomaly` stops at the operation whose gradient became NaN, and names the line that called it."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    roots = torch.where(x > 0, torch.sqrt(x), 0.0)
    roots.sum().backward()
    print("roots:", roots.tolist())
    print("grad: ", x.grad.tolist())
    assert x.grad.isnan().tolist() == [True, False]

    message = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly():
            loss = torch.where(x > 0, torch.sqrt(x), 0.0).sum()
            try:
                loss.backward()
            except RuntimeError as error:
                message = str(error)
    traceback = str(caught[-1].message).splitlines()
    print("error:  ", message)
    print("warning:", traceback[0])
    print("   line:", next(line.strip() for line in traceback if "sqrt(x)" in line))
    assert "SqrtBackward0" in message
    assert "will increase the runtime" in str(caught[0].message)


def solution_newton() -> None:
    """Newton's method: each step solves with the Hessian for the gradient."""
    point = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    gradient_of = torch.func.grad(rosenbrock)
    hessian_of = torch.func.jacrev(gradient_of)
    for step in range(6):
        gradient = gradient_of(point)
        place = [round(coordinate, 4) for coordinate in point.tolist()]
        steepest = gradient.abs().max().item()
        print(f"step {step}: steepest slope {steepest:9.4f} at {place}")
        point = point - torch.linalg.solve(hessian_of(point), gradient)

    torch.testing.assert_close(point, torch.ones(2, dtype=torch.float64))


def solution_safe_root() -> None:
    """Choosing the input first keeps the infinite slope out of the graph."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    positive = x > 0
    # The root of 1 is taken where x is not positive; its value and gradient are thrown away.
    safe = torch.where(positive, x, 1.0)
    roots = torch.where(positive, torch.sqrt(safe), 0.0)

    roots.sum().backward()
    print("roots:", roots.tolist())
    print("grad: ", x.grad.tolist())
    assert roots.tolist() == [0, 2]
    assert x.grad.tolist() == [0, 0.25]
