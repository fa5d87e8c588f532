"""Hand-written optimizers against the library's, over random inputs; completeness of the tables."""

import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.optimizers import (
    EVERY_OPTIMIZER,
    ON_THE_SURFACE,
    HandAdam,
    HandAdamW,
    HandMomentum,
    HandRMSprop,
    HandSGD,
)

rates = st.floats(1e-4, 1.0)
fractions = st.floats(0.0, 0.999)
gradients = st.lists(
    st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 3), min_size=1, max_size=8
)


def assert_same_path(ours, library, slopes):
    """Step both from the same weights along the same gradients and compare after each step."""
    by_hand = [
        torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64),
        torch.full((2, 2), 0.5, dtype=torch.float64),
    ]
    by_library = [weights.clone() for weights in by_hand]
    optimizers = [(by_hand, ours(by_hand)), (by_library, library(by_library))]
    for slope in slopes:
        for params, optimizer in optimizers:
            params[0].grad = torch.tensor(slope, dtype=torch.float64)
            params[1].grad = params[0].grad.sum() * torch.eye(2, dtype=torch.float64)
            optimizer.step()
        torch.testing.assert_close(by_hand, by_library)


@settings(max_examples=25, deadline=None)
@given(gradients, rates)
def test_sgd(slopes, lr):
    assert_same_path(lambda p: HandSGD(p, lr), lambda p: torch.optim.SGD(p, lr), slopes)


@settings(max_examples=25, deadline=None)
@given(gradients, rates, fractions)
def test_momentum(slopes, lr, momentum):
    assert_same_path(
        lambda p: HandMomentum(p, lr, momentum),
        lambda p: torch.optim.SGD(p, lr, momentum=momentum),
        slopes,
    )


@settings(max_examples=25, deadline=None)
@given(gradients, rates, fractions)
def test_rmsprop(slopes, lr, alpha):
    assert_same_path(
        lambda p: HandRMSprop(p, lr, alpha),
        lambda p: torch.optim.RMSprop(p, lr, alpha=alpha),
        slopes,
    )


@settings(max_examples=25, deadline=None)
@given(gradients, rates, st.tuples(fractions, fractions), st.floats(1e-10, 1e-2))
def test_adam(slopes, lr, betas, eps):
    assert_same_path(
        lambda p: HandAdam(p, lr, betas, eps),
        lambda p: torch.optim.Adam(p, lr, betas=betas, eps=eps),
        slopes,
    )


@settings(max_examples=25, deadline=None)
@given(gradients, rates, st.tuples(fractions, fractions), st.floats(0.0, 1.0))
def test_adamw(slopes, lr, betas, decay):
    assert_same_path(
        lambda p: HandAdamW(p, lr, betas, weight_decay=decay),
        lambda p: torch.optim.AdamW(p, lr, betas=betas, weight_decay=decay),
        slopes,
    )


@settings(max_examples=25, deadline=None)
@given(gradients, rates, st.floats(0.0, 1.0))
def test_decay_inside_the_gradient_is_decay_outside_for_plain_sgd(slopes, lr, decay):
    class Decoupled(HandSGD):
        @torch.no_grad()
        def step(self):
            for parameter in self.params:
                parameter -= self.lr * decay * parameter + self.lr * parameter.grad

    assert_same_path(
        lambda p: Decoupled(p, lr),
        lambda p: torch.optim.SGD(p, lr, weight_decay=decay),
        slopes,
    )


def library_optimizers():
    """All optimizer classes which the library exports."""
    exported = [getattr(torch.optim, name) for name in torch.optim.__all__]
    classes = {
        item
        for item in exported
        if inspect.isclass(item) and issubclass(item, torch.optim.Optimizer)
    }
    return classes - {torch.optim.Optimizer}


def test_the_table_names_every_optimizer():
    assert {
        optimizer_class for optimizer_class, _ in EVERY_OPTIMIZER
    } == library_optimizers()


def test_the_figure_shows_every_optimizer_for_a_dense_vector():
    shown = {optimizer_class for optimizer_class, _ in ON_THE_SURFACE.values()}
    assert shown == library_optimizers() - {torch.optim.SparseAdam, torch.optim.Muon}
    with pytest.raises(ValueError, match="2D"):
        torch.optim.Muon([torch.zeros(2, requires_grad=True)])


def test_only_adagrad_has_state_before_the_first_step():
    for optimizer_class, options in EVERY_OPTIMIZER:
        optimizer = optimizer_class([torch.zeros(2, 2, requires_grad=True)], **options)
        assert bool(optimizer.state) == (optimizer_class is torch.optim.Adagrad)
