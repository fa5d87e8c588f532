"""One line, fitted in five ways: the code of the tutorial of the same name."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def line_data(seed):
    """A hundred noisy points of the line y = 1 + 2x: 80 to fit with, 20 to check with."""
    np.random.seed(seed)
    x = np.random.rand(100, 1)
    y = 1 + 2 * x + 0.1 * np.random.randn(100, 1)

    order = np.arange(100)
    np.random.shuffle(order)
    train, held_out = order[:80], order[80:]
    return x[train], y[train], x[held_out], y[held_out]


def closed_form(x, y):
    """The intercept and slope of least squared error, from linear algebra."""
    columns = np.hstack([np.ones_like(x), x])
    solution, *_ = np.linalg.lstsq(columns, y)
    intercept, slope = solution.ravel().tolist()
    print(f"intercept {intercept:.4f}, slope {slope:.4f}")

    # With this data, every way must end at these two numbers.
    assert abs(intercept - 1.0235) < 1e-3
    assert abs(slope - 1.9690) < 1e-3
    return intercept, slope


def draw_errors(x, y, intercept, slope):
    """The points, a line through them, and the error of each point."""
    predictions = intercept + slope * x
    loss = ((predictions - y) ** 2).mean()

    _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    ax.vlines(x, predictions, y, color="C1", linewidth=1, label="errors")
    ax.plot(x, y, "o", color="C0", markersize=4, label="points")
    ax.axline((0, intercept), slope=slope, color="C2", label="line")
    ax.set(xlabel="x", ylabel="y")
    ax.set_title(f"y = {intercept} + {slope} x has a mean squared error of {loss:.3f}")
    ax.legend()
    plt.show()


def compare_with(solution, history):
    """The last intercept and slope of a fit, which must be those of the solution."""
    intercept, slope = history[-1]
    print(
        f"after {len(history) - 1} steps: intercept {intercept:.4f}, slope {slope:.4f}"
    )
    print(f"closed form:      intercept {solution[0]:.4f}, slope {solution[1]:.4f}")
    assert abs(intercept - solution[0]) < 1e-3
    assert abs(slope - solution[1]) < 1e-3


def fit_with_numpy(x, y, lr, steps):
    """Gradient descent in NumPy, with gradients derived on paper."""
    intercept, slope = 0.0, 0.0
    history = [(intercept, slope)]
    for _ in range(steps):
        error = intercept + slope * x - y
        intercept_gradient = 2 * error.mean()
        slope_gradient = 2 * (error * x).mean()

        intercept -= lr * intercept_gradient.item()
        slope -= lr * slope_gradient.item()
        history.append((intercept, slope))
    return history


def as_tensors(*arrays):
    """NumPy arrays as PyTorch tensors of 32-bit floats."""
    return [torch.as_tensor(array, dtype=torch.float32) for array in arrays]


def compare_gradients(x, y):
    """The gradients at intercept 0 and slope 0: from paper, and from autograd."""
    error = 0.0 + 0.0 * x - y
    print(f"on paper: {2 * error.mean():.4f} {2 * (error * x).mean():.4f}")

    inputs, targets = as_tensors(x, y)
    intercept = torch.tensor(0.0, requires_grad=True)
    slope = torch.tensor(0.0, requires_grad=True)
    loss = ((intercept + slope * inputs - targets) ** 2).mean()
    loss.backward()
    print(f"autograd: {intercept.grad:.4f} {slope.grad:.4f}")

    assert abs(intercept.grad.item() - 2 * error.mean()) < 1e-5
    assert abs(slope.grad.item() - 2 * (error * x).mean()) < 1e-5


def fit_with_autograd(x, y, lr, steps):
    """Gradient descent where PyTorch finds the gradients."""
    inputs, targets = as_tensors(x, y)
    intercept = torch.tensor(0.0, requires_grad=True)
    slope = torch.tensor(0.0, requires_grad=True)
    history = [(intercept.item(), slope.item())]
    for _ in range(steps):
        loss = ((intercept + slope * inputs - targets) ** 2).mean()
        loss.backward()

        # An update is not part of the prediction: it must not be recorded.
        with torch.no_grad():
            intercept -= lr * intercept.grad
            slope -= lr * slope.grad
        intercept.grad = None
        slope.grad = None
        history.append((intercept.item(), slope.item()))
    return history


def fit_with_optimizer(x, y, lr, steps):
    """Gradient descent where an optimizer updates the parameters."""
    inputs, targets = as_tensors(x, y)
    intercept = torch.tensor(0.0, requires_grad=True)
    slope = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([intercept, slope], lr=lr)
    history = [(intercept.item(), slope.item())]
    for _ in range(steps):
        loss = ((intercept + slope * inputs - targets) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append((intercept.item(), slope.item()))
    return history


class Line(nn.Module):
    """A line, which owns its two parameters."""

    def __init__(self):
        super().__init__()
        self.intercept = nn.Parameter(torch.tensor(0.0))
        self.slope = nn.Parameter(torch.tensor(0.0))

    def forward(self, inputs):
        return self.intercept + self.slope * inputs


def fit_module(x, y, lr, steps):
    """Gradient descent where a module holds the parameters."""
    inputs, targets = as_tensors(x, y)
    model = Line()
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    history = [(model.intercept.item(), model.slope.item())]
    for _ in range(steps):
        loss = loss_fn(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append((model.intercept.item(), model.slope.item()))
    return history


def fit_in_batches(x, y, lr, epochs, decay):
    """Gradient descent where each step sees 16 points; the rate shrinks after each epoch."""
    torch.manual_seed(0)
    dataset = TensorDataset(*as_tensors(x, y))
    loader = DataLoader(dataset, batch_size=16, shuffle=True)
    model = nn.Linear(in_features=1, out_features=1)
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=decay)
    history = [(model.bias.item(), model.weight.item())]
    for _ in range(epochs):
        for inputs, targets in loader:
            loss = loss_fn(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append((model.bias.item(), model.weight.item()))
        scheduler.step()
    return history


def distances(solution, history):
    """How far each step of a fit is from the solution, in the plane of intercept and slope."""
    return np.hypot(*(np.array(history) - solution).T)


def draw_distances(solution, **histories):
    """How far from the solution every step of some fits was."""
    _, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    # Wide lines first: a fit that walks the same path is drawn inside the one before.
    widths = np.linspace(8, 1, len(histories))
    for (name, history), width in zip(histories.items(), widths, strict=True):
        label = name.replace("_", " ")
        ax.plot(distances(solution, history), linewidth=width, label=label)
    ax.set(xlabel="step", ylabel="distance from the solution", yscale="log")
    ax.legend()
    plt.show()


def same_path(*histories):
    """Whether several fits were at the same place after every step."""
    paths = np.array(histories)
    close = bool((np.ptp(paths, axis=0) < 1e-5).all())
    print(f"{len(paths)} fits, within 0.00001 of each other at every step: {close}")
    assert close


def last_change(history, dtype):
    """How much the last step changed the slope, and the gap between numbers of a dtype there."""
    before, after = history[-2][1], history[-1][1]
    gap = np.spacing(np.array(after, dtype=dtype))
    print(f"{dtype}: changed by {abs(after - before):.1e}, gap {gap:.1e}")
    assert abs(after - before) <= gap


def compare_on_held_out(x, y, solution, history):
    """The loss on points that no fit has seen: for the solution, and for the end of a fit."""
    for name, (intercept, slope) in {"solution": solution, "fit": history[-1]}.items():
        loss = ((intercept + slope * x - y) ** 2).mean()
        print(f"{name:9} mean squared error {loss:.4f}")
        # The noise alone has a mean square of 0.01, and no line can foresee it.
        assert 0.005 < loss < 0.02
