"""Conventions hold for more than the examples on the page."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snippets.conventions import samples_changed

# Unary operations on floats, each with a twin whose name ends in an underscore.
UNARY = [
    name
    for name in [
        "abs",
        "ceil",
        "cos",
        "erf",
        "exp",
        "floor",
        "log1p",
        "neg",
        "round",
        "sigmoid",
        "sin",
        "sqrt",
        "square",
        "tanh",
    ]
    if hasattr(torch.Tensor, name + "_")
]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(UNARY), st.lists(st.floats(0, 10, width=32), min_size=1, max_size=8)
)
def test_the_underscore_writes_what_its_twin_returns(name, numbers):
    tensor = torch.tensor(numbers)
    address = tensor.data_ptr()
    expected = getattr(tensor, name)()
    returned = getattr(tensor, name + "_")()
    assert returned is tensor
    assert tensor.data_ptr() == address
    assert torch.equal(tensor, expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5))
def test_samples_changed_tells_mixing_from_separate_layers(samples, features):
    torch.manual_seed(0)
    batch = torch.rand(samples, features)
    assert samples_changed(nn.Linear(features, 2), batch, batch_dim=0) == [True] + [
        False
    ] * (samples - 1)
    assert (
        samples_changed(lambda rows: rows - rows.mean(dim=0), batch, batch_dim=0)
        == [True] * samples
    )
