"""Properties of the custom functions, for shapes and values that no page shows."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from snippets.custom_functions import (
    Cube,
    MatrixProduct,
    Power,
    Recomputed,
    ReLUInPlace,
    ReLUWithMask,
    ReverseGradient,
    RoundStraightThrough,
    Softmax,
    WrongSoftmax,
    bumpy,
    cube_root_forward,
    numerical_jacobian,
    saved_bytes,
)

few = settings(max_examples=10, deadline=None)
sizes = st.integers(1, 3)


def doubles(*shape, seed=0):
    """Random numbers in float64 that require a gradient."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(
        *shape, dtype=torch.float64, generator=generator
    ).requires_grad_()


@few
@given(sizes, sizes, sizes)
def test_matrix_product_is_right_for_every_shape(rows, inner, columns):
    """Once and twice differentiated."""
    factors = (doubles(rows, inner), doubles(inner, columns, seed=1))
    assert gradcheck(MatrixProduct.apply, factors)
    assert gradgradcheck(MatrixProduct.apply, factors)


@few
@given(st.integers(2, 5), st.integers(0, 100))
def test_softmax_has_the_jacobian_of_the_finite_differences(count, seed):
    """The whole one does, and the wrong one has its diagonal."""
    scores = doubles(count, seed=seed).detach()
    numerical = numerical_jacobian(Softmax.apply, scores)
    analytical = torch.autograd.functional.jacobian(Softmax.apply, scores)
    torch.testing.assert_close(analytical, numerical, atol=1e-8, rtol=1e-6)
    wrong = torch.autograd.functional.jacobian(WrongSoftmax.apply, scores)
    torch.testing.assert_close(wrong, numerical.diagonal().diag(), atol=1e-8, rtol=1e-6)


@few
@given(st.integers(2, 5), st.integers(0, 100))
def test_powers_and_cubes(exponent, seed):
    """The functions agree with autograd's own rule for powers."""
    x = doubles(4, seed=seed)
    assert gradcheck(lambda base: Power.apply(base, exponent), x)
    torch.testing.assert_close(
        torch.func.vmap(torch.func.grad(Cube.apply))(x.detach()),
        torch.autograd.grad((x**3).sum(), x)[0],
    )


@few
@given(st.integers(0, 100))
def test_relus_agree_with_the_library(seed):
    """In place or with a mask, the gradient is that of `torch.relu`."""
    x = doubles(5, seed=seed)
    (expected,) = torch.autograd.grad((torch.relu(x) ** 2).sum(), x)
    (in_place,) = torch.autograd.grad((ReLUInPlace.apply(x * 1) ** 2).sum(), x)
    (masked,) = torch.autograd.grad((ReLUWithMask.apply(x)[0] ** 2).sum(), x)
    assert torch.equal(in_place, expected)
    assert torch.equal(masked, expected)


@few
@given(st.integers(0, 100), st.floats(0.1, 3))
def test_pretended_gradients(seed, strength):
    """What arrives leaves unchanged, or turned around and scaled."""
    x, arriving = doubles(4, seed=seed), doubles(4, seed=seed + 1).detach()
    rounded, reversed_x = (
        RoundStraightThrough.apply(x),
        ReverseGradient.apply(x, strength),
    )
    assert torch.equal(torch.autograd.grad(rounded, x, arriving)[0], arriving)
    (turned,) = torch.autograd.grad(reversed_x, x, arriving)
    assert torch.equal(turned, -strength * arriving)


@pytest.mark.parametrize("function", [bumpy, torch.sin, lambda x: x * x.sum()])
def test_recomputing_changes_nothing_but_memory(function):
    """Same values and gradients, and only the input is saved."""
    x = doubles(6)
    assert torch.equal(Recomputed.apply(function, x), function(x))
    assert gradcheck(lambda data: Recomputed.apply(function, data), x)
    assert saved_bytes(lambda data: Recomputed.apply(function, data), x) == x.nbytes


@few
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_cube_root_undoes_the_cube(values):
    """For negative numbers too."""
    x = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(cube_root_forward(x) ** 3, x)
