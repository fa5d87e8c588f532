"""Layers written by hand against the library's, over random inputs."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snippets.modules import (
    MySequential,
    convolution_output_size,
    make_mlp,
    my_attention,
    my_cross_entropy,
    my_linear,
    my_relu,
)

few = settings(max_examples=25, deadline=None)
sizes = st.integers(1, 8)
seeds = st.integers(0, 2**31 - 1)
numbers = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf")]),
)


@few
@given(sizes, sizes, st.lists(sizes, max_size=3), seeds)
def test_my_linear_equals_the_library(in_features, out_features, batch, seed):
    """Values and all three gradients agree, for any number of batch axes."""
    torch.manual_seed(seed)
    inputs = torch.randn(*batch, in_features, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(
        out_features, in_features, dtype=torch.float64, requires_grad=True
    )
    bias = torch.randn(out_features, dtype=torch.float64, requires_grad=True)
    by_hand, library = my_linear(inputs, weight, bias), F.linear(inputs, weight, bias)
    torch.testing.assert_close(by_hand, library)
    for ours, theirs in zip(
        torch.autograd.grad(by_hand.square().sum(), (inputs, weight, bias)),
        torch.autograd.grad(library.square().sum(), (inputs, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@few
@given(sizes, sizes, sizes, seeds)
def test_two_linear_layers_are_one(inputs, hidden, outputs, seed):
    """Without an activation between them, two linear layers are one with the product of their weights."""
    torch.manual_seed(seed)
    first, second = (
        nn.Linear(inputs, hidden).double(),
        nn.Linear(hidden, outputs).double(),
    )
    samples = torch.randn(4, inputs, dtype=torch.float64)
    weight, bias = second.weight @ first.weight, second(first.bias)
    torch.testing.assert_close(second(first(samples)), my_linear(samples, weight, bias))


@few
@given(
    st.lists(numbers, max_size=12),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_my_relu_equals_the_library(values, dtype):
    """Values and gradients agree exactly, infinities and NaN included."""
    inputs = torch.tensor(values, dtype=dtype, requires_grad=True)
    by_hand, library = my_relu(inputs), F.relu(inputs)
    assert by_hand.dtype == library.dtype
    torch.testing.assert_close(by_hand, library, rtol=0, atol=0, equal_nan=True)
    ones = torch.ones_like(inputs)
    (ours,), (theirs,) = (
        torch.autograd.grad(by_hand, inputs, ones),
        torch.autograd.grad(library, inputs, ones),
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@few
@given(sizes, sizes, st.sampled_from([1.0, 100.0, 1e30]), seeds)
def test_my_cross_entropy_equals_the_library(batch, classes, scale, seed):
    """Value and gradient agree, and stay finite for logits of any size."""
    torch.manual_seed(seed)
    logits = (scale * torch.randn(batch, classes, dtype=torch.float64)).requires_grad_()
    targets = torch.randint(classes, (batch,))
    by_hand, library = (
        my_cross_entropy(logits, targets),
        F.cross_entropy(logits, targets),
    )
    assert by_hand.isfinite()
    torch.testing.assert_close(by_hand, library)
    (ours,), (theirs,) = (
        torch.autograd.grad(by_hand, logits),
        torch.autograd.grad(library, logits),
    )
    torch.testing.assert_close(ours, theirs)


@few
@given(st.lists(sizes, min_size=2, max_size=5), seeds)
def test_an_mlp_alternates_and_ends_in_a_linear_layer(widths, seed):
    """Layers alternate, and the Sequential by hand computes what the library's computes."""
    torch.manual_seed(seed)
    model = make_mlp(widths)
    assert [type(layer) for layer in model] == ([nn.Linear, nn.ReLU] * len(widths))[
        : 2 * len(widths) - 3
    ]
    inputs = torch.randn(3, widths[0])
    assert torch.equal(MySequential(*model)(inputs), model(inputs))


@few
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_the_convolution_formula(size, kernel_size, stride, padding):
    """The formula gives the library's size wherever the kernel fits."""
    if size + 2 * padding < kernel_size:
        return
    outputs = nn.Conv1d(1, 1, kernel_size, stride, padding)(torch.rand(1, 1, size))
    assert outputs.shape[-1] == convolution_output_size(
        size, kernel_size, stride, padding
    )


def test_every_hook_is_gone_but_the_last(run):
    """The block about hooks removes what it registered, save the hook that cools the logits."""
    model = run("snippets.modules.hooks_watch_every_layer")["model"]
    assert [len(layer._forward_hooks) for layer in model] == [0, 0, 0, 0, 1]


@few
@given(sizes, sizes, sizes, sizes, st.lists(sizes, max_size=2), seeds)
def test_my_attention_equals_the_library(queries, keys, width, out, batch, seed):
    """Any number of queries, keys and batch axes, with values of another width."""
    torch.manual_seed(seed)
    asked = torch.randn(*batch, queries, width, dtype=torch.float64, requires_grad=True)
    offered = torch.randn(*batch, keys, width, dtype=torch.float64)
    given = torch.randn(*batch, keys, out, dtype=torch.float64)
    by_hand = my_attention(asked, offered, given)
    library = F.scaled_dot_product_attention(asked, offered, given)
    torch.testing.assert_close(by_hand, library)
    (ours,) = torch.autograd.grad(by_hand.square().sum(), asked)
    (theirs,) = torch.autograd.grad(library.square().sum(), asked)
    torch.testing.assert_close(ours, theirs)
