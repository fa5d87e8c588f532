"""What the rewritten functions, the logs and the walks of the backward graph promise."""

import weakref
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.internals import (
    OperatorLog,
    backward_graph,
    cross_entropy,
    layer_of,
    linear,
    saved_tensors,
)

sizes = st.integers(min_value=1, max_value=6)


@settings(max_examples=25, deadline=None)
@given(
    batch=sizes,
    features=sizes,
    labels=sizes,
    scale=st.sampled_from([0.1, 1.0, 100.0]),
    seed=st.integers(0, 99),
)
def test_rewritten_functions_equal_the_library(batch, features, labels, scale, seed):
    torch.manual_seed(seed)
    inputs = scale * torch.randn(batch, features, dtype=torch.float64)
    weight = torch.randn(labels, features, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(labels, dtype=torch.float64)
    targets = torch.randint(labels, (batch,))

    logits = linear(inputs, weight, bias)
    torch.testing.assert_close(logits, F.linear(inputs, weight, bias))
    ours, theirs = cross_entropy(logits, targets), F.cross_entropy(logits, targets)
    torch.testing.assert_close(ours, theirs)
    gradients = [
        torch.autograd.grad(loss, weight, retain_graph=True)[0]
        for loss in (ours, theirs)
    ]
    torch.testing.assert_close(*gradients)


def test_log_is_silent_outside_its_block():
    with OperatorLog() as log:
        torch.ones(2) + 1
    noted = list(log.names)
    torch.ones(2) * 3
    assert log.names == noted
    assert noted == ["aten.ones.default", "aten.add.Tensor"]


def test_backward_graph_of_a_leaf_and_of_a_shared_input():
    leaf = torch.ones(2, requires_grad=True)
    kinds = [type(node).__name__ for _, node in backward_graph((leaf * leaf).grad_fn)]
    assert kinds == ["MulBackward0", "AccumulateGrad", "AccumulateGrad"]


def test_graph_is_freed_with_the_loss():
    class Token:
        pass

    token = Token()
    watched = weakref.ref(token)
    weight = torch.ones(2, requires_grad=True)
    loss = (2 * weight).sum()
    loss.grad_fn.next_functions[0][0].metadata["token"] = token
    del token
    assert watched() is not None
    del loss
    assert watched() is None


def test_saved_tensors_of_a_product():
    left, right = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
    assert set(saved_tensors((left * right).grad_fn)) == {"other"}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("aten::mm", "operators"),
        ("detach", "operators"),
        ("forward", "Python"),
        ("Optimizer.step#SGD.step", "Python"),
        ("AddmmBackward0", "backward engine"),
        ("torch::autograd::AccumulateGrad", "backward engine"),
    ],
)
def test_layers_of_events(name, layer):
    assert layer_of(SimpleNamespace(name=name)) == layer
