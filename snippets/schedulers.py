"""Schedulers: learning rates which change during training."""

import math
import textwrap
import warnings
from copy import deepcopy
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler

# Each entry makes a scheduler for a run of so many steps.
EVERY_SCHEDULE = {
    "no scheduler": lambda optimizer, steps: lr_scheduler.LambdaLR(
        optimizer, lambda step: 1.0
    ),
    "LambdaLR": lambda optimizer, steps: lr_scheduler.LambdaLR(
        optimizer, lambda step: 1 / (1 + 12 * step / steps)
    ),
    "MultiplicativeLR": lambda optimizer, steps: lr_scheduler.MultiplicativeLR(
        optimizer, lambda step: 1 - 3 / steps
    ),
    "StepLR": lambda optimizer, steps: lr_scheduler.StepLR(
        optimizer, steps // 4, gamma=0.3
    ),
    "MultiStepLR": lambda optimizer, steps: lr_scheduler.MultiStepLR(
        optimizer, [steps // 2, 3 * steps // 4], gamma=0.2
    ),
    "ConstantLR": lambda optimizer, steps: lr_scheduler.ConstantLR(
        optimizer, factor=0.3, total_iters=steps // 4
    ),
    "LinearLR": lambda optimizer, steps: lr_scheduler.LinearLR(
        optimizer, 1.0, 0.01, total_iters=steps
    ),
    "ExponentialLR": lambda optimizer, steps: lr_scheduler.ExponentialLR(
        optimizer, gamma=0.01 ** (1 / steps)
    ),
    "PolynomialLR": lambda optimizer, steps: lr_scheduler.PolynomialLR(
        optimizer, total_iters=steps, power=2
    ),
    "CosineAnnealingLR": lambda optimizer, steps: lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=steps
    ),
    "CosineAnnealingWarmRestarts": lambda optimizer, steps: (
        lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=steps // 3 + 1)
    ),
    "CyclicLR": lambda optimizer, steps: lr_scheduler.CyclicLR(
        optimizer,
        base_lr=0.0,
        max_lr=optimizer.param_groups[0]["lr"],
        step_size_up=steps // 4,
    ),
    "OneCycleLR": lambda optimizer, steps: lr_scheduler.OneCycleLR(
        optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=steps
    ),
    "SequentialLR": lambda optimizer, steps: warmup_then_cosine(
        optimizer, steps // 10, steps
    ),
    "ChainedScheduler": lambda optimizer, steps: lr_scheduler.ChainedScheduler(
        [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=steps // 2),
            lr_scheduler.ExponentialLR(optimizer, gamma=0.01 ** (1 / steps)),
        ]
    ),
    "ReduceLROnPlateau": lambda optimizer, steps: lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.3, patience=2
    ),
}


class HandScheduler:
    """Set the learning rate of every group to its first value times a factor of the step number."""

    def __init__(self, optimizer, factor):
        self.optimizer = optimizer
        self.factor = factor
        self.first_rates = [group["lr"] for group in optimizer.param_groups]
        self.step_number = -1
        # The factor of step 0 must be in place before the first step of the optimizer.
        self.step()

    def step(self):
        self.step_number += 1
        for group, first_rate in zip(
            self.optimizer.param_groups, self.first_rates, strict=True
        ):
            group["lr"] = first_rate * self.factor(self.step_number)


def staircase(step, step_size, gamma):
    """One factor of gamma for every completed stair."""
    return gamma ** (step // step_size)


def milestones_passed(step, milestones, gamma):
    """One factor of gamma for every milestone reached."""
    return gamma ** sum(step >= milestone for milestone in milestones)


def cosine(step, steps):
    """Half a cosine wave from 1 down to 0."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def warmup(step, start, steps):
    """A straight line from the start factor up to 1, and 1 from there."""
    return start + (1 - start) * min(step / steps, 1)


def warmup_then_cosine(optimizer, warmup_steps, steps):
    """A scheduler of two parts: a linear warm-up, then half a cosine wave."""
    return lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.LinearLR(
                optimizer, start_factor=0.1, total_iters=warmup_steps
            ),
            lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warmup_steps),
        ],
        milestones=[warmup_steps],
    )


def new_optimizer(lr):
    """An optimizer of one weight, for trying out schedules."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def learning_rates(optimizer, scheduler, steps):
    """The learning rate which each of a number of optimizer steps uses."""
    rates = []
    for step in range(1, steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step()
        elif step % 5 == 0:
            # It wants a loss each epoch: here, every five steps, one which never improves.
            scheduler.step(1.0)
    return rates


def rounded(rates):
    """Learning rates for printing."""
    return [round(rate, 4) for rate in rates]


def noisy_regression(samples, features):
    """Inputs, noisy targets, and the weights which fit them best."""
    torch.manual_seed(0)
    inputs = torch.randn(samples, features)
    targets = inputs @ torch.linspace(-1, 1, features) + torch.randn(samples)
    best = torch.linalg.lstsq(inputs, targets[:, None]).solution[:, 0]
    return inputs, targets, best


def train(make_scheduler, epochs, lr):
    """Fit a noisy regression with small batches; return how far the loss is above its minimum after each epoch."""
    inputs, targets, best = noisy_regression(samples=128, features=8)
    weights = torch.zeros(8, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=lr, momentum=0.9)
    scheduler = make_scheduler(optimizer, epochs * len(inputs) // 4)
    by_metric = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)

    excess = []
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(4):
            loss = F.mse_loss(inputs[batch] @ weights, targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not by_metric:
                scheduler.step()
        with torch.no_grad():
            # For least squares this equals the loss of all samples minus the smallest possible one.
            excess.append((inputs @ (weights - best)).square().mean().item())
            if by_metric:
                scheduler.step(F.mse_loss(inputs @ weights, targets))
    return excess


def a_scheduler_writes_rates() -> None:
    """A scheduler changes the `lr` of every parameter group."""
    body, head = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    groups = [{"params": [body], "lr": 0.01}, {"params": [head], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)

    for epoch in range(4):
        rates = [group["lr"] for group in optimizer.param_groups]
        print(f"epoch {epoch}: body {rates[0]:.5f}, head {rates[1]:.5f}")
        assert rates == scheduler.get_last_lr()
        assert math.isclose(rates[1], 10 * rates[0])

        body.grad, head.grad = torch.ones(2), torch.ones(2)
        optimizer.step()
        scheduler.step()

    print("body:", rounded(body.tolist()))
    print("head:", rounded(head.tolist()))
    assert math.isclose(head[0].item(), -0.1 * (1 + 0.5 + 0.25 + 0.125), rel_tol=1e-5)


def staircases_by_hand() -> None:
    """`StepLR` and `MultiStepLR`, and the same two by hand."""
    pairs = [
        (
            partial(lr_scheduler.StepLR, step_size=3, gamma=0.5),
            partial(staircase, step_size=3, gamma=0.5),
        ),
        (
            partial(lr_scheduler.MultiStepLR, milestones=[2, 7], gamma=0.1),
            partial(milestones_passed, milestones=[2, 7], gamma=0.1),
        ),
    ]
    for library, factor in pairs:
        optimizer = new_optimizer(lr=0.8)
        library_rates = learning_rates(optimizer, library(optimizer), steps=10)
        optimizer = new_optimizer(lr=0.8)
        hand_rates = learning_rates(
            optimizer, HandScheduler(optimizer, factor), steps=10
        )

        print(library.func.__name__)
        print("  library:", rounded(library_rates))
        print("  by hand:", rounded(hand_rates))
        assert all(map(math.isclose, library_rates, hand_rates))


def cosine_comes_back() -> None:
    """`CosineAnnealingLR` falls for `T_max` steps, then rises again."""
    optimizer = new_optimizer(lr=0.8)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    rates = learning_rates(optimizer, scheduler, steps=11)
    optimizer = new_optimizer(lr=0.8)
    by_hand = HandScheduler(optimizer, partial(cosine, steps=5))
    hand_rates = learning_rates(optimizer, by_hand, steps=11)

    print("steps 0 to 5: ", rounded(rates[:6]))
    print("steps 6 to 10:", rounded(rates[6:]))
    for rate, hand_rate in zip(rates, hand_rates, strict=True):
        assert math.isclose(rate, hand_rate, abs_tol=1e-9)
    assert abs(rates[5]) < 1e-9
    assert math.isclose(rates[10], 0.8)

    optimizer = new_optimizer(lr=0.8)
    floored = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5, eta_min=0.1)
    print("with eta_min: ", rounded(learning_rates(optimizer, floored, steps=6)))


def warm_up_first() -> None:
    """Two schedules in sequence; the warm-up lowers the rate as soon as it is made."""
    optimizer = new_optimizer(lr=0.8)
    print("before:", optimizer.param_groups[0]["lr"])
    scheduler = warmup_then_cosine(optimizer, warmup_steps=4, steps=10)
    print("after: ", rounded(scheduler.get_last_lr())[0])
    rates = learning_rates(optimizer, scheduler, steps=10)
    print("warm-up:", rounded(rates[:4]))
    print("cosine: ", rounded(rates[4:]))

    by_hand = [0.8 * warmup(step, start=0.1, steps=4) for step in range(4)]
    by_hand += [0.8 * cosine(step, steps=6) for step in range(6)]
    assert all(map(math.isclose, rates, by_hand))


def chained_schedules_multiply() -> None:
    """`ChainedScheduler` steps all its schedulers, so their factors multiply."""
    optimizer = new_optimizer(lr=0.8)
    parts = [
        lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=4),
        lr_scheduler.ExponentialLR(optimizer, gamma=0.9),
    ]
    rates = learning_rates(optimizer, lr_scheduler.ChainedScheduler(parts), steps=8)
    product = [0.8 * warmup(step, start=0.1, steps=4) * 0.9**step for step in range(8)]

    print("chained:", rounded(rates))
    print("product:", rounded(product))
    assert all(map(math.isclose, rates, product))


def one_cycle_counts_steps() -> None:
    """`OneCycleLR` sets rate and momentum, ignores the optimizer's rate, and ends."""
    optimizer = new_optimizer(lr=5.0)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=50)
    rates, momentums = [], []
    message = ""
    try:
        while True:
            rates.append(optimizer.param_groups[0]["lr"])
            momentums.append(optimizer.param_groups[0]["momentum"])
            optimizer.step()
            scheduler.step()
    except ValueError as error:
        message = str(error)

    peak = rates.index(max(rates))
    print(f"rate:     first {rates[0]:.4f}, highest {rates[peak]:.4f} at step {peak}")
    print(f"momentum: first {momentums[0]:.4f}, lowest {min(momentums):.4f}")
    print("ValueError:", message)
    assert math.isclose(rates[0], 1.0 / 25)
    assert math.isclose(max(rates), 1.0)
    assert "The specified number of total steps is 50" in message

    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.2), layout="constrained")
    for ax, name, values in zip(
        axes, ["learning rate", "momentum"], [rates, momentums], strict=True
    ):
        ax.plot(values[:50], color="C0" if name == "learning rate" else "C1")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("step")
    plt.show()


def plateau_waits() -> None:
    """`ReduceLROnPlateau` cuts after one more bad epoch than its patience."""
    optimizer = new_optimizer(lr=0.8)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2)
    used = []
    for epoch, loss in enumerate([1.0, 0.6, 0.7, 0.59999, 0.6, 0.5, 0.6, 0.6]):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(loss)
        bad = scheduler.num_bad_epochs
        print(f"epoch {epoch}: rate {used[-1]:.2f}, loss {loss:.5f}, bad epochs {bad}")
    assert rounded(used) == [0.8] * 5 + [0.08] * 3

    message = ""
    try:
        lr_scheduler.ReduceLROnPlateau(optimizer, verbose=True)
    except TypeError as error:
        message = str(error)
    print("TypeError:", message)
    assert "unexpected keyword argument 'verbose'" in message


def wrong_order_skips_the_first_rate() -> None:
    """The scheduler steps after the optimizer; the other order warns and skips a rate."""
    right, wrong = [], []
    optimizer = new_optimizer(lr=0.8)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    for _ in range(4):
        right.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    optimizer = new_optimizer(lr=0.8)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(4):
            scheduler.step()
            wrong.append(optimizer.param_groups[0]["lr"])
            optimizer.step()

    print("right order uses:", rounded(right))
    print("wrong order uses:", rounded(wrong))
    print("warnings:", len(caught))
    message = str(caught[0].message)
    print(textwrap.fill(message.split(" See more")[0], width=72))
    assert right[0] == 0.8
    assert wrong[:3] == right[1:]
    assert len(caught) == 1


def per_epoch_or_per_batch() -> None:
    """The same scheduler, stepped once an epoch and once a batch."""
    starts = {}
    for place in ("epoch", "batch"):
        optimizer = new_optimizer(lr=0.8)
        scheduler = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        starts[place] = []
        for _ in range(4):
            starts[place].append(optimizer.param_groups[0]["lr"])
            for _ in range(10):
                optimizer.step()
                if place == "batch":
                    scheduler.step()
            if place == "epoch":
                scheduler.step()
        print(
            f"every {place}, rates of the epochs:",
            [f"{rate:.0e}" for rate in starts[place]],
        )
    assert math.isclose(starts["epoch"][3], 0.08)
    assert math.isclose(starts["batch"][3], 0.8 * 0.1**15)


def every_schedule_drawn() -> None:
    """The learning rate of forty steps under every scheduler of the library."""
    _, axes = plt.subplots(
        4, 4, figsize=(6.4, 4.4), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, make_scheduler) in zip(
        axes.flat, EVERY_SCHEDULE.items(), strict=True
    ):
        optimizer = new_optimizer(lr=1.0)
        rates = learning_rates(optimizer, make_scheduler(optimizer, 40), steps=40)
        ax.plot(rates, color="C0")
        ax.set_title(name, fontsize=7)
        ax.set(xticks=[], yticks=[])
        assert max(rates) <= 1.0 + 1e-6
    plt.show()


def a_training_run_with_each() -> None:
    """The same noisy problem trained under every schedule."""
    excess = {}
    for name, make_scheduler in EVERY_SCHEDULE.items():
        excess[name] = train(make_scheduler, epochs=20, lr=0.01)
    print("loss above the smallest possible, after 20 epochs")
    for name, values in excess.items():
        print(f"{name:28} {values[-1]:.5f}")

    _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name in (
        "no scheduler",
        "StepLR",
        "OneCycleLR",
        "SequentialLR",
        "ReduceLROnPlateau",
    ):
        ax.plot(range(1, 21), excess[name], label=name)
    ax.set(
        yscale="log", xlabel="epoch", ylabel="excess loss", xticks=[1, 5, 10, 15, 20]
    )
    ax.legend(fontsize=8)
    plt.show()

    for name, values in excess.items():
        if name not in ("no scheduler", "ConstantLR"):
            assert values[-1] < excess["no scheduler"][-1] / 5


def make_the_scheduler_before_loading() -> None:
    """A scheduler made after the optimizer was loaded changes the loaded rate."""
    make_scheduler = partial(lr_scheduler.LinearLR, start_factor=0.1, total_iters=10)
    optimizer = new_optimizer(lr=1.0)
    scheduler = make_scheduler(optimizer)
    learning_rates(optimizer, scheduler, steps=6)
    saved = deepcopy(
        {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    )
    rates = {"uninterrupted": learning_rates(optimizer, scheduler, steps=4)}

    optimizer = new_optimizer(lr=1.0)
    scheduler = make_scheduler(optimizer)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    rates["made, then loaded"] = learning_rates(optimizer, scheduler, steps=4)

    optimizer = new_optimizer(lr=1.0)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler = make_scheduler(optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    rates["loaded, then made"] = learning_rates(optimizer, scheduler, steps=4)

    for name, values in rates.items():
        print(f"{name:18}", rounded(values))
    assert rates["made, then loaded"] == rates["uninterrupted"]
    assert math.isclose(10 * rates["loaded, then made"][0], rates["uninterrupted"][0])


def solution_inverse_square_root() -> None:
    """A warm-up, then the inverse square root of the step, as a `LambdaLR`."""
    optimizer = new_optimizer(lr=0.8)
    factors = [min(step / 4, (4 / step) ** 0.5) for step in range(1, 18)]
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: factors[step])
    rates = learning_rates(optimizer, scheduler, steps=16)

    print("warm-up:", rounded(rates[:4]))
    print("after:  ", rounded(rates[4:10]))
    print("        ", rounded(rates[10:]))
    assert max(rates) == rates[3] == 0.8
    # Four times as many steps, half the rate.
    assert math.isclose(rates[15], 0.4)


def solution_changed_by_hand() -> None:
    """Which schedulers keep a learning rate which you change in between."""
    pairs = [
        (lr_scheduler.ExponentialLR, 0.5),
        (lr_scheduler.LambdaLR, lambda step: 0.5**step),
    ]
    for scheduler_class, argument in pairs:
        optimizer = new_optimizer(lr=0.8)
        scheduler = scheduler_class(optimizer, argument)
        rates = learning_rates(optimizer, scheduler, steps=2)
        optimizer.param_groups[0]["lr"] = 100.0
        rates += learning_rates(optimizer, scheduler, steps=3)
        print(f"{scheduler_class.__name__:13}", rounded(rates))
        assert math.isclose(
            rates[3], 50.0 if scheduler_class is lr_scheduler.ExponentialLR else 0.1
        )


def solution_range_test() -> None:
    """Raise the rate in every step and watch where the loss turns."""
    inputs, targets, _ = noisy_regression(samples=256, features=8)
    weights = torch.zeros(8, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=0.001)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=1.15)
    rates, losses = [], []
    for batch in torch.randint(len(inputs), (56, 16)):
        rates.append(scheduler.get_last_lr()[0])
        losses.append(F.mse_loss(inputs @ weights, targets).item())
        loss = F.mse_loss(inputs[batch] @ weights, targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()

    turn = losses.index(min(losses))
    for step in (0, 20, turn, 45, 55):
        print(f"step {step:2}: rate {rates[step]:.3f}, loss {losses[step]:.3f}")
    assert 0 < turn < 45
    assert losses[-1] > losses[0]
