"""The rules of initialization, over random sizes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snippets.initialization import (
    DEPTH,
    STARTS,
    deep_stack,
    fans,
    kaiming_and_zero,
    layer_outputs,
)

few = settings(max_examples=25, deadline=None)
sizes = st.integers(1, 12)


@few
@given(sizes, sizes, st.lists(st.integers(1, 4), max_size=3))
def test_fans_equal_the_library_s(outputs, inputs, kernel):
    """The library computes fans in a private function; ours must agree on every shape."""
    weight = torch.empty(outputs, inputs, *kernel)
    assert fans(weight) == nn.init._calculate_fan_in_and_fan_out(weight)


@few
@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 2**31 - 1))
def test_default_weights_and_biases_stay_in_bounds(in_features, out_features, seed):
    """No weight and no bias is beyond 1/sqrt(fan_in)."""
    torch.manual_seed(seed)
    for parameter in nn.Linear(in_features, out_features).parameters():
        assert parameter.abs().max() <= 1 / math.sqrt(in_features) + 1e-7


@few
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**31 - 1))
def test_orthogonal_is_orthogonal_along_the_shorter_side(rows, columns, seed):
    """Rows are orthonormal where they are fewer, columns otherwise."""
    torch.manual_seed(seed)
    weight = nn.init.orthogonal_(torch.empty(rows, columns))
    product = weight @ weight.T if rows <= columns else weight.T @ weight
    torch.testing.assert_close(
        product, torch.eye(min(rows, columns)), atol=1e-5, rtol=0
    )


@few
@given(sizes, sizes, st.booleans())
def test_kaiming_and_zero_takes_layers_without_bias(inputs, outputs, bias):
    """Biases become zero where there are any."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    layer.apply(kaiming_and_zero)
    assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("name", STARTS)
def test_a_deep_stack_has_twenty_layers(name):
    """Every start gives a stack of the same size, whose outputs are what the model computes."""
    model = deep_stack(STARTS[name], nn.ReLU)
    inputs = torch.randn(2, model[0].in_features)
    outputs = layer_outputs(model, inputs)
    assert len(outputs) == DEPTH
    assert torch.equal(outputs[-1], model(inputs))
