"""What the losses promise, on many inputs."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from snippets.losses import (
    binary_cross_entropy_by_hand,
    cross_entropy_by_hand,
    example_arguments,
    huber_by_hand,
    log_softmax_by_hand,
)

# These hold weights of their own, so no function takes the tensors alone.
WITH_PARAMETERS = {"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"}

quick = settings(max_examples=25, deadline=None)


@st.composite
def logits_and_targets(draw, limit=1e4):
    """Logits of any size that float32 takes, and a class for each row."""
    rows, classes = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    numbers = st.floats(-limit, limit, width=32)
    logits = draw(st.lists(numbers, min_size=rows * classes, max_size=rows * classes))
    targets = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return torch.tensor(logits).reshape(rows, classes), torch.tensor(targets)


@quick
@given(logits_and_targets())
def test_log_softmax_equals_the_library(case):
    logits, _ = case
    torch.testing.assert_close(
        log_softmax_by_hand(logits), F.log_softmax(logits, dim=-1)
    )


@quick
@given(logits_and_targets())
def test_log_softmax_is_a_distribution(case):
    logits, _ = case
    total = log_softmax_by_hand(logits).exp().sum(dim=-1)
    torch.testing.assert_close(total, torch.ones(len(logits)))


@quick
@given(logits_and_targets(limit=100.0), st.floats(-50, 50))
def test_log_softmax_ignores_a_shift(case, shift):
    logits, _ = case
    shifted = log_softmax_by_hand(logits.double() + shift)
    torch.testing.assert_close(shifted, log_softmax_by_hand(logits.double()))


@quick
@given(logits_and_targets())
def test_cross_entropy_equals_the_library(case):
    torch.testing.assert_close(cross_entropy_by_hand(*case), F.cross_entropy(*case))


@quick
@given(logits_and_targets(limit=30.0))
def test_cross_entropy_gradient_equals_the_library(case):
    logits, targets = case
    logits = logits.double().requires_grad_()
    (by_hand,) = torch.autograd.grad(cross_entropy_by_hand(logits, targets), logits)
    (library,) = torch.autograd.grad(F.cross_entropy(logits, targets), logits)
    torch.testing.assert_close(by_hand, library)


@quick
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1), st.floats(0.125, 8))
def test_huber_equals_the_library(residuals, delta):
    residuals = torch.tensor(residuals)
    library = F.huber_loss(
        residuals, torch.zeros_like(residuals), delta=delta, reduction="none"
    )
    torch.testing.assert_close(huber_by_hand(residuals, delta), library)


@quick
@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1))
def test_binary_cross_entropy_equals_the_library(answers):
    probabilities = torch.tensor(
        [probability for probability, _ in answers], dtype=torch.float64
    )
    targets = torch.tensor([yes for _, yes in answers], dtype=torch.float64)
    library = F.binary_cross_entropy(probabilities, targets)
    torch.testing.assert_close(
        binary_cross_entropy_by_hand(probabilities, targets), library
    )


def test_the_reference_leaves_no_loss_out():
    present = {name for name in dir(nn) if name.endswith("Loss")}
    assert present - WITH_PARAMETERS == set(example_arguments(batch=2, classes=3))
