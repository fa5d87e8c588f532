"""A search for good hyperparameters with Ax: first where the answer is known, then for a network."""

import logging
import math
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from snippets.modules import make_mlp


def branin(x, y):
    """A landscape with three equally low valleys, which many searches are tested on."""
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * np.cos(x) + 10


def check_minima(value):
    """Where Branin's function is lowest: all three places have the same value."""
    for x, y in [(-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475)]:
        print(f"branin({x:.4f}, {y}) = {branin(x, y):.4f}")
        assert abs(branin(x, y) - value) < 1e-4


def new_search(ranges, objective, seed):
    """A client of Ax, which proposes trials inside the ranges."""
    with warnings.catch_warnings():
        # A library that Ax builds on still uses TorchScript, which PyTorch has deprecated.
        warnings.filterwarnings("ignore", message=".*torch.jit.script")
        from ax.api.client import Client
        from ax.api.configs import RangeParameterConfig

    # Ax reports every trial; its warnings are enough here.
    for handler in logging.getLogger("ax").handlers:
        handler.setLevel(logging.WARNING)
    client = Client(random_seed=seed)
    client.configure_experiment([RangeParameterConfig(**limits) for limits in ranges])
    client.configure_optimization(objective=objective)
    return client


def run_search(client, evaluate, trials):
    """Ask for a trial, evaluate it, report the loss, and ask again."""
    history = []
    for _ in range(trials):
        for number, parameters in client.get_next_trials(max_trials=1).items():
            loss = float(evaluate(**parameters))
            if math.isfinite(loss):
                client.complete_trial(trial_index=number, raw_data={"loss": loss})
                history.append((parameters, loss))
            else:
                # A run that blew up has no loss to learn from.
                client.mark_trial_failed(trial_index=number)
    return history


def best_trial(client):
    """The parameters and the loss of the best trial so far."""
    parameters, outcome, number, _ = client.get_best_parameterization(
        use_model_predictions=False
    )
    loss, _ = outcome["loss"]
    print(f"trial {number}: loss {loss:.2f}")
    for name, value in parameters.items():
        print(f"  {name} = {value:.4g}")
    return parameters


def random_search(ranges, evaluate, trials, seed):
    """The same number of trials, drawn by lot from the same ranges."""
    rng = np.random.default_rng(seed)
    history = []
    for _ in range(trials):
        parameters = {}
        for limits in ranges:
            low, high = limits["bounds"]
            if limits.get("scaling") == "log":
                value = math.exp(rng.uniform(math.log(low), math.log(high)))
            else:
                value = rng.uniform(low, high)
            is_whole = limits["parameter_type"] == "int"
            parameters[limits["name"]] = round(value) if is_whole else value
        history.append((parameters, float(evaluate(**parameters))))
    return history


def show_best(history):
    """The parameters and the loss of the best trial of a history."""
    parameters, loss = min(history, key=lambda trial: trial[1])
    print(f"loss {loss:.2f}")
    for name, value in parameters.items():
        print(f"  {name} = {value:.4g}")


def draw_belief(client, history):
    """Branin's function, and what Ax believes about it, with all trials."""
    x, y = np.linspace(-5, 10, 46), np.linspace(0, 15, 46)
    truth = branin(x, y[:, np.newaxis])
    points = [{"x": float(a), "y": float(b)} for b in y for a in x]
    belief = [outcome["loss"][0] for outcome in client.predict(points)]

    _, axes = plt.subplots(
        1, 2, figsize=(6.4, 3.4), sharex=True, sharey=True, layout="constrained"
    )
    landscapes = {
        "the function": truth,
        "what Ax believes": np.reshape(belief, (46, 46)),
    }
    for ax, (title, values) in zip(axes, landscapes.items(), strict=True):
        levels = [2, 5, 10, 20, 50, 100, 150, 200, 250]
        ax.contour(x, y, values, levels, colors="0.5", linewidths=0.6)
        for number, (parameters, _) in enumerate(history):
            place = parameters["x"], parameters["y"]
            color = "C0" if number < 5 else "C1"
            ax.plot(*place, "o", color=color, markersize=11, alpha=0.35, clip_on=False)
            ax.text(*place, number, ha="center", va="center", fontsize=7)
        ax.set(title=title, xlabel="x")
    axes[0].set_ylabel("y")
    axes[1].plot(
        [-math.pi, math.pi, 3 * math.pi], [12.275, 2.275, 2.475], "*", color="C2"
    )
    plt.show()


def best_so_far(history):
    """The least loss up to each trial."""
    return np.minimum.accumulate([loss for _, loss in history])


def compare_with_luck(history, ranges, evaluate, seeds, lowest):
    """The best loss so far, beside that of searches which draw by lot."""
    trials = len(history)
    lucky = [
        best_so_far(random_search(ranges, evaluate, trials, seed))
        for seed in range(seeds)
    ]
    _, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    for number, losses in enumerate(lucky):
        label = "by lot" if number == 0 else None
        ax.plot(losses - lowest, color="0.5", linewidth=0.7, alpha=0.6, label=label)
    ax.plot(best_so_far(history) - lowest, ".-", color="C1", label="Ax")
    ax.set(xlabel="trial", ylabel="best loss so far, above the lowest", yscale="log")
    ax.legend()
    plt.show()

    ends = sorted(losses[-1] - lowest for losses in lucky)
    ours = best_so_far(history)[-1] - lowest
    worse = sum(end > ours for end in ends)
    print(f"Ax is better than {worse} of {seeds} random searches")
    assert worse > 0.8 * seeds


def train_network(images, labels, lr, momentum, hidden, epochs):
    """A network with one hidden layer, trained with these hyperparameters."""
    torch.manual_seed(0)
    model = make_mlp([images.size(1), hidden, 10])
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(50):
            loss = loss_fn(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def make_evaluation(images, labels, epochs):
    """A function from hyperparameters to a loss on images that were not trained with."""

    def evaluate(lr, momentum, hidden):
        train, valid = slice(0, 1200), slice(1200, None)
        model = train_network(
            images[train], labels[train], lr, momentum, hidden, epochs
        )
        with torch.no_grad():
            return nn.functional.cross_entropy(model(images[valid]), labels[valid])

    return evaluate


def retrain(parameters, images, labels, epochs):
    """A network trained with the hyperparameters that were found."""
    return train_network(images, labels, **parameters, epochs=epochs)


def draw_trials(history):
    """The trials by learning rate and momentum, and the best loss so far."""
    rates = [parameters["lr"] for parameters, _ in history]
    momentums = [parameters["momentum"] for parameters, _ in history]
    sizes = [20 + 2 * parameters["hidden"] for parameters, _ in history]
    losses = [loss for _, loss in history]
    best = int(np.argmin(losses))

    _, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2), layout="constrained")
    dots = left.scatter(rates, momentums, sizes, losses, cmap="viridis", norm="log")
    left.plot(rates[best], momentums[best], "*", color="C1", markersize=10)
    left.set(xlabel="learning rate", ylabel="momentum", xscale="log")
    plt.colorbar(dots, ax=left, label="validation loss")
    right.plot(losses, "o", color="C0", label="each trial")
    right.plot(best_so_far(history), color="C1", label="best so far")
    right.set(xlabel="trial", yscale="log")
    right.legend(fontsize=8)
    plt.show()
