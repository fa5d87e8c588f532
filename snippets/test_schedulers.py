"""Hand-written schedules against the library's, over random settings; completeness of the chapter."""

import inspect
import math
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from snippets.schedulers import (
    EVERY_SCHEDULE,
    HandScheduler,
    cosine,
    learning_rates,
    milestones_passed,
    new_optimizer,
    staircase,
    warmup,
)

rates = st.floats(1e-4, 10.0)
gammas = st.floats(0.1, 1.5)


def assert_same_rates(library, factor, lr, steps=25):
    """Run both for a number of steps and compare the rate of each."""
    optimizer = new_optimizer(lr)
    expected = learning_rates(optimizer, library(optimizer), steps)
    optimizer = new_optimizer(lr)
    by_hand = learning_rates(optimizer, HandScheduler(optimizer, factor), steps)
    for step, (left, right) in enumerate(zip(by_hand, expected, strict=True)):
        assert math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-9 * lr), (
            step,
            left,
            right,
        )


@settings(max_examples=25, deadline=None)
@given(rates, gammas, st.integers(1, 30))
def test_step(lr, gamma, step_size):
    assert_same_rates(
        partial(lr_scheduler.StepLR, step_size=step_size, gamma=gamma),
        partial(staircase, step_size=step_size, gamma=gamma),
        lr,
    )


@settings(max_examples=25, deadline=None)
@given(rates, gammas, st.lists(st.integers(1, 30), max_size=4))
def test_multistep(lr, gamma, milestones):
    assert_same_rates(
        partial(lr_scheduler.MultiStepLR, milestones=milestones, gamma=gamma),
        partial(milestones_passed, milestones=milestones, gamma=gamma),
        lr,
    )


@settings(max_examples=25, deadline=None)
@given(rates, st.integers(1, 30))
def test_cosine_also_beyond_its_end(lr, steps):
    assert_same_rates(
        partial(lr_scheduler.CosineAnnealingLR, T_max=steps),
        partial(cosine, steps=steps),
        lr,
    )


@settings(max_examples=25, deadline=None)
@given(rates, st.floats(0.01, 1.0), st.integers(1, 30))
def test_warmup(lr, start, steps):
    assert_same_rates(
        partial(lr_scheduler.LinearLR, start_factor=start, total_iters=steps),
        partial(warmup, start=start, steps=steps),
        lr,
    )


@settings(max_examples=25, deadline=None)
@given(rates, st.lists(st.floats(0.0, 2.0), min_size=25, max_size=25))
def test_any_factor(lr, factors):
    def factor(step):
        return factors[min(step, 24)]

    assert_same_rates(partial(lr_scheduler.LambdaLR, lr_lambda=factor), factor, lr)


def test_every_scheduler_of_the_library_is_shown():
    exported = {
        name
        for name in lr_scheduler.__all__
        if inspect.isclass(getattr(lr_scheduler, name))
    }
    assert set(EVERY_SCHEDULE) == exported - {"LRScheduler"} | {"no scheduler"}
