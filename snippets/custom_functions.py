"""Custom functions: writing a backward pass by hand, and checking it."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.autograd import Function, gradcheck, gradgradcheck
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks


class MatrixProduct(Function):
    """The product of two matrices, with its backward pass."""

    @staticmethod
    def forward(ctx, left, right):
        ctx.save_for_backward(left, right)
        return left @ right

    @staticmethod
    def backward(ctx, grad_output):
        left, right = ctx.saved_tensors
        return grad_output @ right.T, left.T @ grad_output


def matrix_product() -> None:
    """A matrix product with its own backward pass gives what `@` gives."""
    torch.manual_seed(0)
    inputs = torch.randn(4, 3, requires_grad=True)
    weights = torch.randn(3, 2, requires_grad=True)

    outputs = MatrixProduct.apply(inputs, weights)
    print("shape of the product:   ", tuple(outputs.shape))
    print("grad_fn:                ", type(outputs.grad_fn).__name__)
    torch.testing.assert_close(outputs, inputs @ weights)

    grad_outputs = torch.randn(4, 2)
    ours = torch.autograd.grad(outputs, (inputs, weights), grad_outputs)
    library = torch.autograd.grad(inputs @ weights, (inputs, weights), grad_outputs)
    print("shapes of the gradients:", [tuple(gradient.shape) for gradient in ours])
    for gradient, expected in zip(ours, library, strict=True):
        torch.testing.assert_close(gradient, expected)


class SavedSquare(Function):
    """A square that saves its input with `save_for_backward`."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * 2 * x


class KeptSquare(Function):
    """A square that keeps its input as an attribute of the context."""

    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * 2 * ctx.x


def saved_tensors_are_guarded() -> None:
    """A saved tensor that is overwritten before the backward pass raises; an attribute gives a wrong gradient."""
    for function in (SavedSquare, KeptSquare):
        x = torch.tensor(3.0, requires_grad=True)
        hidden = x * 1
        output = function.apply(hidden)
        hidden.mul_(10)

        outcome = ""
        try:
            output.backward()
            outcome = f"gradient {x.grad.item()} instead of 6.0"
        except RuntimeError as error:
            outcome = "RuntimeError: " + str(error).split(":")[0]
        print(f"{function.__name__}: {outcome}")
        assert (x.grad is None) == (function is SavedSquare)
        assert x.grad is None or x.grad == 60


def gradcheck_wants_doubles() -> None:
    """`gradcheck` passes a correct backward pass in float64 and fails the same one in float32."""
    torch.manual_seed(0)
    left = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    right = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    print("float64:", gradcheck(MatrixProduct.apply, (left, right)))

    message = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            gradcheck(MatrixProduct.apply, (left.float(), right.float()))
        except RuntimeError as error:
            message = str(error).splitlines()[0]
    print("float32:", message)
    print("warning:", str(caught[0].message).split(". ")[0])
    assert "Jacobian mismatch" in message

    # The slope of a square at 1.5 is 3. This is what steps of a millionth make of it.
    for dtype in (torch.float64, torch.float32):
        x = torch.tensor(1.5, dtype=dtype)
        rise = (x + 1e-6) * (x + 1e-6) - (x - 1e-6) * (x - 1e-6)
        print(f"slope of a square at 1.5 in {dtype}: {(rise / 2e-6).item():.4f}")
        assert (abs(rise / 2e-6 - 3) < 1e-3) == (dtype == torch.float64)


class WrongSoftmax(Function):
    """Softmax of a vector, as if each probability depended on its own score alone."""

    @staticmethod
    def forward(ctx, scores):
        probabilities = torch.softmax(scores, dim=-1)
        ctx.save_for_backward(probabilities)
        return probabilities

    @staticmethod
    def backward(ctx, grad_output):
        (probabilities,) = ctx.saved_tensors
        return grad_output * probabilities * (1 - probabilities)


def numerical_jacobian(function, x, step=1e-6):
    """A Jacobian by finite differences: one column for each element of `x`."""
    columns = []
    for direction in torch.eye(len(x), dtype=x.dtype):
        ahead, behind = function(x + step * direction), function(x - step * direction)
        columns.append((ahead - behind) / (2 * step))
    return torch.stack(columns, dim=1)


def draw_signs(matrix, ax, title):
    """Draw a matrix as dots whose area shows size and whose color shows sign."""
    for row, values in enumerate(matrix.tolist()):
        for column, value in enumerate(values):
            color = "C0" if value > 0 else "C1"
            ax.scatter(column, row, s=1500 * abs(value), color=color)
    ax.set(xlim=(-0.6, 3.6), ylim=(3.6, -0.6), aspect="equal")
    ax.set(title=title, xlabel="input")
    ax.set_xticks(range(4))
    ax.set_yticks(range(4))


def wrong_backward_is_caught() -> None:
    """`gradcheck` compares two Jacobians, and a backward pass that lost terms differs from the other one."""
    scores = torch.tensor([1.0, 0.0, -0.5, 0.5], dtype=torch.float64).requires_grad_()
    assert torch.equal(WrongSoftmax.apply(scores), torch.softmax(scores, dim=-1))

    message = ""
    try:
        gradcheck(WrongSoftmax.apply, scores)
    except RuntimeError as error:
        message = str(error).splitlines()[0]
    print("gradcheck:", message)
    assert "Jacobian mismatch" in message

    numerical = numerical_jacobian(WrongSoftmax.apply, scores.detach())
    analytical = torch.autograd.functional.jacobian(WrongSoftmax.apply, scores)
    for name, jacobian in {"differences": numerical, "backward": analytical}.items():
        print(f"row 0, {name:11}:", [round(value, 4) for value in jacobian[0].tolist()])
    torch.testing.assert_close(analytical.diagonal(), numerical.diagonal())
    assert torch.equal(analytical, analytical.diagonal().diag())

    fig, axes = plt.subplots(1, 2, figsize=(5.6, 2.8), layout="constrained")
    draw_signs(numerical, axes[0], "finite differences")
    draw_signs(analytical, axes[1], "wrong backward pass")
    axes[0].set_ylabel("output")
    plt.show()


def wrong_gradient_still_learns() -> None:
    """Training along the wrong gradient lowers the loss too, so a falling loss proves nothing about it."""
    scores = torch.tensor([1.0, 0.0, -0.5, 0.5], requires_grad=True)
    losses = []
    for _ in range(4):
        loss = -WrongSoftmax.apply(scores)[0].log()
        (gradient,) = torch.autograd.grad(loss, scores)
        losses.append(loss.item())
        with torch.no_grad():
            scores -= gradient
    print("losses:        ", [round(loss, 4) for loss in losses])
    print("last gradient: ", [round(slope, 4) for slope in gradient.tolist()])

    assert losses == sorted(losses, reverse=True)
    assert gradient[1:].tolist() == [0, 0, 0]


class FrugalProduct(Function):
    """A matrix product that computes only the gradients that are asked for."""

    @staticmethod
    def forward(ctx, left, right):
        ctx.save_for_backward(left, right)
        return left @ right

    @staticmethod
    def backward(ctx, grad_output):
        left, right = ctx.saved_tensors
        print("  needs_input_grad:", ctx.needs_input_grad)
        grad_left = grad_output @ right.T if ctx.needs_input_grad[0] else None
        grad_right = left.T @ grad_output if ctx.needs_input_grad[1] else None
        return grad_left, grad_right


def skip_unneeded_gradients() -> None:
    """`needs_input_grad` tells a backward pass which of its results will be used."""
    images = torch.ones(2, 3)
    for frozen in (False, True):
        first = torch.ones(3, 3, requires_grad=not frozen)
        second = torch.ones(3, 1, requires_grad=True)
        hidden = FrugalProduct.apply(images, first)
        print("first layer frozen:" if frozen else "both layers trained:")
        FrugalProduct.apply(hidden, second).sum().backward()

        assert second.grad.tolist() == [[6], [6], [6]]
        assert (first.grad is None) == frozen
        assert (hidden.grad_fn is None) == frozen


class Power(Function):
    """A tensor to the power of a Python number."""

    @staticmethod
    def forward(ctx, base, exponent):
        ctx.save_for_backward(base)
        ctx.exponent = exponent
        return base**exponent

    @staticmethod
    def backward(ctx, grad_output):
        (base,) = ctx.saved_tensors
        return grad_output * ctx.exponent * base ** (ctx.exponent - 1), None


class PowerWithoutNone(Power):
    """The same, but its backward pass forgets the second argument."""

    @staticmethod
    def backward(ctx, grad_output):
        return Power.backward(ctx, grad_output)[0]


def non_tensor_arguments() -> None:
    """A backward pass returns one value for each argument of `forward`: `None` for what has no gradient."""
    base = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    Power.apply(base, 3).sum().backward()
    print("gradient of cube: ", base.grad.tolist())
    assert torch.equal(base.grad, 3 * base.detach() ** 2)

    message = ""
    try:
        PowerWithoutNone.apply(base, 3).sum().backward()
    except RuntimeError as error:
        message = str(error)
    print("one value for two:", message)
    assert "incorrect number of gradients" in message


class CubeFixedSlope(Function):
    """A cube that computes its slope in the forward pass, where nothing is recorded."""

    @staticmethod
    def forward(ctx, x):
        ctx.slope = 3 * x**2
        return x**3

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.slope


def second_derivatives_checked() -> None:
    """`gradgradcheck` catches a backward pass that is right once and wrong when differentiated again."""
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    fixed_slope = CubeFixedSlope.apply
    cubes = {"Power": lambda base: Power.apply(base, 3), "CubeFixedSlope": fixed_slope}
    for name, cube in cubes.items():
        passed = "passes"
        try:
            gradgradcheck(cube, x)
        except RuntimeError as error:
            passed = str(error).split(" for ")[0]
        # The factor x makes the gradient that arrives depend on x, so there is a graph to walk.
        (slope,) = torch.autograd.grad((cube(x) * x).sum(), x, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), x)
        print(f"{name:14}  gradcheck {gradcheck(cube, x)}  gradgradcheck: {passed}")
        print(f"  second derivative of x^4: {curvature.tolist()}")
        torch.testing.assert_close(slope, 4 * x**3)
        is_right = torch.allclose(curvature, 12 * x**2)
        assert is_right == (passed == "passes") == (name == "Power")


class CubeOnce(CubeFixedSlope):
    """The same cube, declared as good for one derivative."""

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return CubeFixedSlope.backward(ctx, grad_output)


def differentiable_once() -> None:
    """`once_differentiable` turns a wrong second derivative into an error where the gradient that arrives is recorded."""
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    print("gradcheck:", gradcheck(CubeOnce.apply, x))

    (slope,) = torch.autograd.grad((CubeOnce.apply(x) * x).sum(), x, create_graph=True)
    message = ""
    try:
        slope.sum().backward()
    except RuntimeError as error:
        message = str(error)
    print("product: RuntimeError:", message)
    assert "once_differentiable" in message

    # In a sum, the gradient that arrives is a constant 1: there is nothing to guard.
    total = (CubeOnce.apply(x) + x**2).sum()
    (slope,) = torch.autograd.grad(total, x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    print("sum:     ", curvature.tolist(), "instead of", (6 * x + 2).tolist())
    assert torch.equal(curvature, torch.full_like(x, 2))


class ReLUWithMask(Function):
    """A ReLU that also returns which elements passed, as ones and zeros."""

    @staticmethod
    def forward(ctx, x):
        mask = (x > 0).to(x.dtype)
        ctx.mark_non_differentiable(mask)
        ctx.save_for_backward(mask)
        return x.clamp(min=0), mask

    @staticmethod
    def backward(ctx, grad_output, grad_mask):
        (mask,) = ctx.saved_tensors
        return grad_output * mask


def output_without_gradient() -> None:
    """`mark_non_differentiable` declares an output a constant."""
    x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    outputs, mask = ReLUWithMask.apply(x)
    print("outputs:", outputs.tolist(), "requires_grad:", outputs.requires_grad)
    print("mask:   ", mask.tolist(), "requires_grad:", mask.requires_grad)
    assert outputs.requires_grad
    assert not mask.requires_grad

    # The share of elements that passed is used as a number, not as a path for gradients.
    (outputs.sum() / mask.mean()).backward()
    print("x.grad: ", x.grad.tolist())
    torch.testing.assert_close(x.grad, mask * 1.5)


class ReLUInPlace(Function):
    """A ReLU that overwrites its input, and says so."""

    @staticmethod
    def forward(ctx, x):
        x.clamp_(min=0)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x > 0)


class ReLUInPlaceUndeclared(ReLUInPlace):
    """A ReLU that overwrites its input without a word."""

    @staticmethod
    def forward(ctx, x):
        x.clamp_(min=0)
        ctx.save_for_backward(x)
        return x


def declare_in_place_writes() -> None:
    """`mark_dirty` gives the overwritten tensor its new place in the graph; without it the gradient is that of the old one."""
    for function in (ReLUInPlace, ReLUInPlaceUndeclared):
        x = torch.tensor([-1.0, 2.0], requires_grad=True)
        hidden = x * 10
        returned = function.apply(hidden)

        # The call overwrote `hidden`, so a reader of this line expects the gradient of a ReLU.
        hidden.sum().backward()
        print(function.__name__)
        print("  hidden:", hidden.tolist(), " returned itself:", returned is hidden)
        print("  grad_fn of hidden:", type(hidden.grad_fn).__name__)
        print("  x.grad:", x.grad.tolist())
        assert hidden.tolist() == [0, 20]
        assert x.grad.tolist() == ([0, 10] if function is ReLUInPlace else [10, 10])


class RoundStraightThrough(Function):
    """Rounding whose backward pass pretends that nothing was rounded."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def straight_through() -> None:
    """A straight-through estimator trains what lies before a step function."""
    targets = torch.tensor([3.0, -2.0, 5.0])
    straight = RoundStraightThrough.apply
    for name, rounding in {"torch.round": torch.round, "straight": straight}.items():
        levels = torch.tensor([0.2, 0.2, 0.2], requires_grad=True)
        for _ in range(50):
            loss = ((rounding(levels) - targets) ** 2).sum()
            (gradient,) = torch.autograd.grad(loss, levels)
            with torch.no_grad():
                levels -= 0.1 * gradient
        learned = levels.detach().round()
        print(f"{name:11}  rounded levels after 50 steps: {learned.tolist()}")
        assert torch.equal(learned, targets) == (rounding is straight)

    # The same without a Function: a constant takes the value from x to its rounding.
    x = torch.tensor([0.4, 1.6], requires_grad=True)
    rounded = x + (x.round() - x).detach()
    torch.testing.assert_close(rounded, x.round())
    assert torch.autograd.grad(rounded.sum(), x)[0].tolist() == [1, 1]

    precise = x.detach().double().requires_grad_()
    passed = gradcheck(RoundStraightThrough.apply, precise, raise_exception=False)
    print("passes gradcheck:", passed)
    assert not passed


class ReverseGradient(Function):
    """The identity, whose backward pass turns the gradient around and scales it."""

    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x

    @staticmethod
    def backward(ctx, grad_output):
        return -ctx.strength * grad_output, None


def gradient_reversal() -> None:
    """With a reversed gradient, one loss teaches a critic to succeed and the features to make it fail."""
    feature = torch.tensor(2.0, requires_grad=True)
    critic = torch.tensor(0.5, requires_grad=True)

    for name in ("plain", "reversed"):
        shown = ReverseGradient.apply(feature, 0.1) if name == "reversed" else feature
        critic_loss = (critic * shown - 3) ** 2
        grads = torch.autograd.grad(critic_loss, (critic, feature))
        slopes = f"critic {grads[0].item():.1f}, feature {grads[1].item():.1f}"
        print(f"{name:8}  loss {critic_loss.item()}  gradients: {slopes}")
        assert critic_loss == 4
        assert grads[0] == -8
        expected = torch.tensor(-2.0 if name == "plain" else 0.2)
        torch.testing.assert_close(grads[1], expected)


class Cube(Function):
    """A cube with `forward` and `setup_context` apart, as `torch.func` needs it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * 3 * x**2


def context_apart_and_vmap() -> None:
    """`setup_context` opens a function to `torch.func`, and `generate_vmap_rule` to `vmap`."""
    samples = torch.tensor([1.0, 2.0, 3.0])
    slope_of = torch.func.grad(Cube.apply)
    print("slope at 2:         ", slope_of(samples[1]).item())
    slopes = torch.func.vmap(slope_of)(samples)
    curvatures = torch.func.vmap(torch.func.grad(slope_of))(samples)
    print("slopes by vmap:     ", slopes.tolist())
    print("second derivatives: ", curvatures.tolist())
    assert torch.equal(slopes, 3 * samples**2)
    assert torch.equal(curvatures, 6 * samples)

    message = ""
    try:
        torch.func.grad(CubeFixedSlope.apply)(samples[1])
    except RuntimeError as error:
        message = str(error).split(", it must")[1].split(". ")[0]
    print("all in forward: must", message.strip())
    assert "setup_context" in message


def cube_root_forward(x: torch.Tensor) -> torch.Tensor:
    """Cube roots, negative ones too, computed by NumPy."""
    return torch.from_numpy(np.cbrt(x.detach().cpu().numpy())).to(x.device)


def cube_root_setup(ctx, inputs, output):
    """Save the root: the slope at x is 1 / (3 root^2)."""
    ctx.save_for_backward(output)


def cube_root_backward(ctx, grad_output):
    """The gradient of a cube root."""
    (root,) = ctx.saved_tensors
    return grad_output / (3 * root**2)


def operator_of_our_own() -> None:
    """`torch.library.custom_op` makes an operator that autograd, `gradcheck` and `torch.compile` accept."""
    name = "torchproof::cube_root"
    cube_root = torch.library.custom_op(name, cube_root_forward, mutates_args=())
    # Compilers ask for the shape and dtype of a result before there are numbers.
    cube_root.register_fake(torch.empty_like)
    cube_root.register_autograd(cube_root_backward, setup_context=cube_root_setup)

    volumes = torch.tensor([8.0, -27.0], dtype=torch.float64, requires_grad=True)
    roots = cube_root(volumes)
    roots.sum().backward()
    print("roots:    ", [round(root, 4) for root in roots.tolist()])
    print("grad:     ", [round(slope, 4) for slope in volumes.grad.tolist()])
    print("gradcheck:", gradcheck(cube_root, volumes))
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    results = torch.library.opcheck(cube_root, (volumes,), test_utils=checks)
    print("opcheck:  ", *results.values())

    def show_graph(graph_module, example_inputs):
        nodes = graph_module.graph.nodes
        calls = [node.target.__name__ for node in nodes if node.op == "call_function"]
        print("traced:   ", calls)
        return graph_module.forward

    # With `fullgraph=True`, what cannot be traced is an error.
    compiler = torch.compile(fullgraph=True, backend=show_graph)
    doubled = compiler(lambda x: 2 * cube_root(x))(volumes)
    print("compiled: ", [round(value, 4) for value in doubled.tolist()])
    torch.testing.assert_close(doubled, 2 * roots)


def bumpy(x):
    """A chain of element-wise operations whose results are needed again for the gradient."""
    return torch.sin(torch.exp(torch.tanh(x)) * torch.sigmoid(x))


class Recomputed(Function):
    """A function of one tensor that saves its input alone, and runs again in backward."""

    @staticmethod
    def forward(ctx, function, x):
        ctx.function = function
        ctx.save_for_backward(x)
        return function(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        # With `once_differentiable` nothing is recorded here: switch it on for the second run.
        with torch.enable_grad():
            output = ctx.function(x)
        return None, *torch.autograd.grad(output, x, grad_output)


def saved_bytes(function, x):
    """Bytes that the graph behind `function(x)` saves, each tensor counted once."""
    saved = {}

    def note(tensor):
        saved[tensor.data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        function(x)
    return sum(tensor.nbytes for tensor in saved.values())


def recompute_to_save_memory() -> None:
    """Recomputing in the backward pass saves memory between the two passes, for a second forward pass."""
    torch.manual_seed(0)
    x = torch.randn(1000, requires_grad=True)
    plain = saved_bytes(bumpy, x)
    lean = saved_bytes(lambda data: Recomputed.apply(bumpy, data), x)
    print("bytes of the input:    ", x.nbytes)
    print("saved by autograd:     ", plain)
    print("saved when recomputing:", lean)
    assert lean == x.nbytes
    assert plain == 4 * lean

    (expected,) = torch.autograd.grad(bumpy(x).sum(), x)
    (gradient,) = torch.autograd.grad(Recomputed.apply(bumpy, x).sum(), x)
    for name, slopes in {"by autograd": expected, "when recomputing": gradient}.items():
        print(f"slopes {name:16}", [round(slope, 4) for slope in slopes[:3].tolist()])
    torch.testing.assert_close(gradient, expected)


class Softmax(Function):
    """Softmax over the last dimension, with its whole backward pass."""

    @staticmethod
    def forward(ctx, scores):
        probabilities = torch.softmax(scores, dim=-1)
        ctx.save_for_backward(probabilities)
        return probabilities

    @staticmethod
    def backward(ctx, grad_output):
        (probabilities,) = ctx.saved_tensors
        expected = (grad_output * probabilities).sum(dim=-1, keepdim=True)
        return probabilities * (grad_output - expected)


def solution_softmax() -> None:
    """All terms of the Jacobian of softmax, without building it."""
    torch.manual_seed(0)
    scores = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    print("gradcheck:    ", gradcheck(Softmax.apply, scores))
    # `save_for_backward` knows the graph of an output, so second derivatives are right.
    print("gradgradcheck:", gradgradcheck(Softmax.apply, scores))

    vector = torch.randn(4, dtype=torch.float64)
    arriving = vector.expand(3, 4)
    (gradient,) = torch.autograd.grad(Softmax.apply(scores), scores, arriving)
    (expected,) = torch.autograd.grad(scores.softmax(dim=-1), scores, arriving)
    torch.testing.assert_close(gradient, expected)


class LimitGradient(Function):
    """The identity, whose backward pass limits each element of the gradient to a bound."""

    @staticmethod
    def forward(ctx, x, bound):
        ctx.bound = bound
        return x

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.clamp(-ctx.bound, ctx.bound), None


def solution_limit_the_gradient() -> None:
    """An identity that limits the gradient passes `gradcheck` only while it has nothing to limit."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (LimitGradient.apply(x, 5.0) ** 3).sum().backward()
    print("x.grad:           ", x.grad.tolist())
    assert x.grad.tolist() == [3, 5]

    precise = x.detach().double().requires_grad_()
    for bound in (5.0, 0.5):
        # `gradcheck` differentiates for `precise` alone; the bound is no tensor.
        passed = gradcheck(LimitGradient.apply, (precise, bound), raise_exception=False)
        print(f"gradcheck, bound {bound}: {passed}")
        assert passed == (bound > 1)
