"""Properties of autograd that hold for more than the numbers on the page."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.autograd import (
    descend,
    graph_edges,
    operation_names,
    polar_to_plane,
    rosenbrock,
)

few = settings(max_examples=25, deadline=None)
numbers = st.floats(-3, 3, allow_subnormal=False)


@few
@given(st.lists(numbers, min_size=1, max_size=6))
def test_polynomial_slope_equals_the_finite_difference(coefficients):
    """Two nearby points agree with `backward` for any polynomial."""
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    coefficients = torch.tensor(coefficients, dtype=torch.float64)
    powers = torch.arange(len(coefficients), dtype=torch.float64)

    (slope,) = torch.autograd.grad((coefficients * x**powers).sum(), x)
    ahead, behind = ((coefficients * (0.7 + h) ** powers).sum() for h in (1e-6, -1e-6))
    torch.testing.assert_close(slope, (ahead - behind) / 2e-6, atol=1e-6, rtol=1e-6)


@few
@given(st.integers(1, 6))
def test_gradients_add_up(calls):
    """As many calls, as many times the gradient."""
    x = torch.tensor(2.0, requires_grad=True)
    for _ in range(calls):
        (x**2).backward()
    assert x.grad == 4 * calls


def test_only_the_cleared_descent_settles():
    """Accumulated gradients never let the descent come to rest."""
    assert abs(descend(clear=True, steps=100)[-1] - 3) < 1e-5
    assert (
        max(abs(position - 3) for position in descend(clear=False, steps=100)[-20:]) > 2
    )


@few
@given(st.integers(1, 8))
def test_every_operation_is_a_node(count):
    """A chain of products has one node each, and one for the leaf."""
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(count):
        y = 2 * y
    assert operation_names(y) == ["MulBackward0"] * count + ["AccumulateGrad"]
    assert len(graph_edges(y)) == count


@few
@given(numbers, numbers)
def test_hessian_of_the_valley(x, y):
    """Differentiating twice gives the formula."""
    point = torch.tensor([x, y], dtype=torch.float64)
    expected = torch.tensor(
        [[1200 * x**2 - 400 * y + 2, -400 * x], [-400 * x, 200]], dtype=torch.float64
    )
    torch.testing.assert_close(
        torch.func.jacrev(torch.func.grad(rosenbrock))(point), expected
    )


@few
@given(st.floats(0.1, 5), numbers)
def test_determinant_of_polar_coordinates_is_the_radius(radius, angle):
    """A row of the Jacobian for x and one for y."""
    polar = torch.tensor([radius, angle], dtype=torch.float64)
    determinant = torch.linalg.det(torch.func.jacrev(polar_to_plane)(polar))
    torch.testing.assert_close(determinant, polar[0])


@pytest.mark.parametrize("name", ["product_sum", "stop_gradient", "gradient_hooks"])
def test_no_demo_leaves_recording_switched_off(run, name):
    """The recording mode is as before after a demo."""
    run(f"snippets.autograd.{name}")
    assert torch.is_grad_enabled()
