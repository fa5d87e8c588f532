"""Gradient descent on a line, watched step by step: the code of the tutorial of the same name."""

import matplotlib.pyplot as plt
import torch


def steep_line(seed):
    """Noisy points of the line y = 3x, with x from 0 to 10."""
    torch.manual_seed(seed)
    x = torch.arange(0, 10, 0.1)
    y = 3 * x + torch.randn(len(x))
    return x, y


def loss_of_line(parameters, x, y):
    """The mean squared error of a line; the last dimension of `parameters` is intercept, slope."""
    intercept, slope = parameters[..., 0:1], parameters[..., 1:2]
    return ((intercept + slope * x - y) ** 2).mean(dim=-1)


def minimum(x, y):
    """The intercept and slope of least loss, from linear algebra."""
    columns = torch.stack([torch.ones_like(x), x], dim=1)
    return torch.linalg.lstsq(columns, y.unsqueeze(1)).solution.flatten()


def draw_contours(ax, x, y):
    """Draw curves of equal loss around the minimum; from each to the next, the loss doubles."""
    best_intercept, best_slope = minimum(x, y).tolist()
    intercepts = torch.linspace(best_intercept - 14, best_intercept + 14, 57)
    slopes = torch.linspace(best_slope - 6, best_slope + 6, 57)
    grid = torch.cartesian_prod(slopes, intercepts).flip(-1)
    losses = loss_of_line(grid, x, y).reshape(57, 57)

    levels = [1.5 * 2**power for power in range(12)]
    ax.contour(intercepts, slopes, losses, levels, colors="0.5", linewidths=0.6)
    ax.plot(best_intercept, best_slope, "*", color="C2", markersize=9)
    ax.set(
        xlabel="intercept",
        ylabel="slope",
        xlim=(intercepts[0], intercepts[-1]),
        ylim=(slopes[0], slopes[-1]),
    )


def draw_valley(x, y):
    """The points, and the loss of every line near the best one."""
    _, (left, right) = plt.subplots(
        1, 2, figsize=(6.4, 3), width_ratios=(2, 3), layout="constrained"
    )
    left.plot(x, y, ".", color="C0")
    left.set(xlabel="x", ylabel="y", title="the points")
    draw_contours(right, x, y)
    right.set_title("curves of equal loss")
    plt.show()

    intercept, slope = minimum(x, y).tolist()
    print(f"least loss at intercept {intercept:.4f}, slope {slope:.4f}")


def descend(x, y, start, lr, steps):
    """Where gradient descent is before the first step and after each one."""
    parameters = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([parameters], lr=lr)
    path = [parameters.detach().clone()]
    for _ in range(steps):
        loss = loss_of_line(parameters, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(parameters.detach().clone())
    return torch.stack(path)


def draw_paths(x, y, start, rates, steps):
    """The walk of gradient descent over the contours, for several learning rates."""
    rows = len(rates) // 3
    _, axes = plt.subplots(
        rows,
        3,
        figsize=(6.4, 2.3 * rows),
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for ax, lr in zip(axes.flat, rates, strict=True):
        draw_contours(ax, x, y)
        path = descend(x, y, start, lr, steps)
        ax.plot(*path.T, ".-", color="C1", linewidth=0.7, markersize=3)
        ax.set_title(f"lr = {lr}", fontsize=10)
        ax.label_outer()
    plt.show()


def draw_losses(x, y, start, rates, steps):
    """How much the loss exceeds the least possible one, step by step."""
    _, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    least = loss_of_line(minimum(x, y), x, y)
    for lr in rates:
        path = descend(x, y, start, lr, steps)
        excess = loss_of_line(path, x, y) - least
        ax.plot(excess, label=f"lr = {lr}")
        print(f"lr {lr:<6}: {excess[0]:.4g} at the start, {excess[-1]:.4g} at the end")
    ax.set(xlabel="step", ylabel="loss above the least", yscale="log")
    ax.legend(ncols=2, fontsize=8)
    plt.show()


def draw_parabola(curvature, rates, steps):
    """Gradient descent on a parabola: each step multiplies the position by one factor."""
    _, axes = plt.subplots(
        1, len(rates), figsize=(6.4, 2.4), sharey=True, layout="constrained"
    )
    places = torch.linspace(-1.5, 1.5, 61)
    for ax, lr in zip(axes, rates, strict=True):
        w = torch.tensor(1.0, requires_grad=True)
        positions = [1.0]
        for _ in range(steps):
            (slope,) = torch.autograd.grad(curvature / 2 * w**2, w)
            with torch.no_grad():
                w -= lr * slope
            positions.append(w.item())

        factor = 1 - lr * curvature
        expected = factor ** torch.arange(steps + 1)
        torch.testing.assert_close(torch.tensor(positions), expected)
        ax.plot(places, curvature / 2 * places**2, color="0.5", linewidth=1)
        heights = [curvature / 2 * position**2 for position in positions]
        ax.plot(positions, heights, ".-", color="C1", linewidth=1)
        ax.set_title(f"lr = {lr}\nfactor {factor:.2f}", fontsize=9)
        ax.set(xlabel="w", xticks=[-1, 0, 1], xlim=(-1.6, 1.6), ylim=(0, curvature))
    axes[0].set_ylabel("loss")
    plt.show()


def curvatures(x, y):
    """The Hessian of the loss, its eigenvalues, and the directions that belong to them."""

    def loss(parameters):
        return loss_of_line(parameters, x, y)

    hessian = torch.autograd.functional.hessian(loss, torch.tensor([-10.0, 8.0]))
    elsewhere = torch.autograd.functional.hessian(loss, torch.tensor([5.0, 0.0]))
    torch.testing.assert_close(hessian, elsewhere)

    eigenvalues, directions = torch.linalg.eigh(hessian)
    print("Hessian:    ", [[round(h, 4) for h in row] for row in hessian.tolist()])
    print("eigenvalues:", [round(value, 4) for value in eigenvalues.tolist()])
    print(f"2 / largest:  {2 / eigenvalues[-1]:.4f}")
    return eigenvalues, directions


def draw_directions(x, y, start, lr, steps, eigenvalues, directions):
    """The distance from the minimum along each direction: measured, and predicted."""
    path = descend(x, y, start, lr, steps)
    distances = (path - minimum(x, y)) @ directions
    factors = 1 - lr * eigenvalues
    predicted = distances[0] * factors ** torch.arange(steps + 1).unsqueeze(1)
    torch.testing.assert_close(distances, predicted, rtol=1e-3, atol=1e-3)

    _, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    for number, name in enumerate(("along the valley", "across the valley")):
        label = (
            f"{name}: curvature {eigenvalues[number]:.2f}, factor {factors[number]:.4f}"
        )
        ax.plot(predicted[:, number], color=f"C{number}", linewidth=1, label=label)
        ax.plot(distances[:, number], ".", color=f"C{number}", markersize=4)
    ax.set(xlabel="step", ylabel="distance from the minimum")
    ax.legend(fontsize=8)
    plt.show()


def losses_after(x, y, start, rates, steps):
    """The loss after many steps, for many learning rates at once."""
    # Every row walks on its own: no row's loss depends on another row.
    parameters = torch.tensor(start).repeat(len(rates), 1).requires_grad_()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(
            loss_of_line(parameters, x, y).sum(), parameters
        )
        with torch.no_grad():
            parameters -= rates.unsqueeze(1) * gradient
    return loss_of_line(parameters, x, y).detach()


def check_threshold(x, y, start, eigenvalues):
    """A learning rate below 2 / λ converges, one above explodes."""
    threshold = 2 / eigenvalues[-1].item()
    below, above = torch.tensor([0.028, 0.03])
    losses = losses_after(x, y, start, torch.stack([below, above]), steps=1000)
    least = loss_of_line(minimum(x, y), x, y)
    first = loss_of_line(torch.tensor(start), x, y)
    print(f"start:     loss {first:.4g}, least possible {least:.4f}")
    print(f"lr 0.028:  loss {losses[0]:.4f} after 1000 steps")
    print(f"lr 0.03:   loss {losses[1]:.2g} after 1000 steps")

    assert abs(threshold - 0.0298) < 5e-5
    assert 0.028 < threshold < 0.03
    torch.testing.assert_close(losses[0], least, rtol=1e-4, atol=0)
    assert losses[1] > 1e6 * first


def standardized(x):
    """The same numbers, shifted to mean 0 and scaled to standard deviation 1."""
    return (x - x.mean()) / x.std(correction=0)


def draw_cliffs(y, start, steps, **inputs):
    """The loss after many steps against the learning rate, with 2 / λ of each problem."""
    rates = torch.logspace(-4, 0.5, 181)
    _, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for color, (name, x) in zip(("C0", "C1"), inputs.items(), strict=True):
        print(name)
        eigenvalues, _ = curvatures(x, y)
        threshold = 2 / eigenvalues[-1].item()
        least = loss_of_line(minimum(x, y), x, y)
        first = loss_of_line(torch.tensor(start), x, y)
        last = losses_after(x, y, start, rates, steps)
        # Written so that a loss which has overflowed to infinity or NaN counts as risen.
        assert not (last[rates > 1.01 * threshold] <= first).any()
        assert (last[rates < 0.99 * threshold] <= first).all()

        excess = (last - least).clamp(min=1e-6)
        ax.plot(rates, excess, ".-", color=color, markersize=4, label=f"{name} x")
        ax.axvline(threshold, color=color, linestyle=":")
        ax.text(threshold, 1e6, f"{threshold:.4f} ", color=color, ha="right")
    ax.set(xlabel="learning rate", ylabel=f"loss above the least, after {steps} steps")
    ax.set(xscale="log", yscale="log", ylim=(5e-7, 1e7))
    ax.legend(loc="lower left")
    plt.show()
