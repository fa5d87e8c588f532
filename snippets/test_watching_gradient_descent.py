"""The rule 2 / λ on lines of all kinds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.watching_gradient_descent import (
    curvatures,
    loss_of_line,
    losses_after,
    minimum,
    standardized,
)


@st.composite
def noisy_lines(draw):
    """Points of a line with a width, a place and a slope of its own."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    width, shift = draw(st.floats(0.5, 10)), draw(st.floats(-3, 3))
    x = width * torch.rand(50) + shift
    return x, draw(st.floats(-5, 5)) * x + torch.randn(50)


@settings(max_examples=10, deadline=None)
@given(noisy_lines(), st.sampled_from([0.5, 0.9, 0.98, 1.02, 1.1, 1.5]))
def test_descent_diverges_only_beyond_the_threshold(line, share):
    x, y = line
    eigenvalues, directions = curvatures(x, y)
    # A start beside the minimum, across the valley: there the largest curvature rules.
    start = (minimum(x, y) + directions[:, 1]).tolist()
    rates = torch.tensor([share * 2 / eigenvalues[-1].item()])

    (last,) = losses_after(x, y, start, rates, steps=100)
    first = loss_of_line(torch.tensor(start), x, y)
    assert (last > first) == (share > 1)


@settings(max_examples=10, deadline=None)
@given(noisy_lines())
def test_standardized_inputs_have_equal_curvatures(line):
    x, y = line
    eigenvalues, _ = curvatures(standardized(x), y)
    assert eigenvalues.tolist() == pytest.approx([2, 2], rel=1e-4)
