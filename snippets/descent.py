"""The largest learning rate with which plain gradient descent converges."""

import matplotlib.pyplot as plt
import torch
from torch.autograd.functional import hessian as hessian_of


def error_of_line(line, x, y):
    """The mean squared error of a line; the last dimension of `line` is intercept, slope."""
    return ((line[..., :1] + line[..., 1:] * x - y) ** 2).mean(dim=-1)


def walk(x, y, start, lr, steps):
    """The lines which gradient descent visits, the start first."""
    line = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([line], lr=lr)
    visited = [line.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        error_of_line(line, x, y).backward()
        optimizer.step()
        visited.append(line.detach().clone())
    return torch.stack(visited)


def draw_valley(ax, x, y, best):
    """Draw lines of equal loss around the best line; from one to the next it doubles."""
    intercepts = best[0] + torch.linspace(-14, 14, 57)
    slopes = best[1] + torch.linspace(-6, 6, 57)
    losses = error_of_line(torch.cartesian_prod(slopes, intercepts).flip(-1), x, y)
    losses = losses.reshape(57, 57).cpu()
    levels = [1.5 * 2**power for power in range(12)]
    axes = (intercepts.cpu(), slopes.cpu())
    ax.contour(*axes, losses, levels, colors="0.5", linewidths=0.6)
    ax.plot(*best.cpu(), "*", color="C2", markersize=9)
    limits = {"xlim": axes[0][[0, -1]].tolist(), "ylim": axes[1][[0, -1]].tolist()}
    ax.set(xlabel="intercept", ylabel="slope", **limits)


def the_steepest_curvature_decides() -> None:
    """Below 2 over the largest curvature the steps converge, above it they explode."""
    torch.manual_seed(0)
    x = torch.arange(0, 10, 0.1)
    y = 3 * x + torch.randn(len(x))
    start, columns = [-10.0, 8.0], torch.stack([torch.ones_like(x), x], dim=1)
    best = torch.linalg.lstsq(columns, y[:, None]).solution.flatten()
    least = error_of_line(best, x, y).item()
    hessian = hessian_of(lambda line: error_of_line(line, x, y), best)
    threshold = 2 / torch.linalg.eigvalsh(hessian)[-1].item()
    print("start:      intercept {}, slope {}".format(*start))
    print("best:       intercept {:.4f}, slope {:.4f}".format(*best.tolist()))
    print(f"least loss: {least:.4f}")
    print("Hessian:    [[{:.4f}, {:.4f}], [{:.4f}, {:.4f}]]".format(*hessian.flatten()))
    print(f"threshold:  {threshold:.6f}")

    _, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2), layout="constrained")
    draw_valley(left, x, y, best)
    left.set_title("the first 30 steps", fontsize=9)
    for lr, color in {0.028: "C0", 0.03: "C3"}.items():
        path = walk(x, y, start, lr, steps=200)
        excess = (error_of_line(path, x, y) - least).tolist()
        print(f"lr {lr}: {excess[0]:.4g} above the least, then {excess[-1]:.2g}")
        left.plot(*path[:31].T.cpu(), ".-", color=color, linewidth=0.7, markersize=3)
        right.plot(excess, color=color, label=f"lr = {lr}")
        assert (excess[-1] < excess[0]) == (lr < threshold)
    right.set(xlabel="step", ylabel="loss above the least", yscale="log")
    right.legend(fontsize=8)
    plt.show()
