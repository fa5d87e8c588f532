"""What the helpers and the capped function promise, on many inputs."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.torchscript import (
    CapLength,
    CapLengthWithCond,
    Classifier,
    best_times,
    cap_length,
    double_until,
    node_kinds,
    silence,
)

vectors = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(vectors)
def test_cap_length_returns_at_most_length_one(numbers):
    features = torch.tensor(numbers)
    capped = cap_length(features)
    assert capped.norm() <= 1 + 1e-5
    if features.norm() <= 1:
        assert torch.equal(capped, features)
    torch.testing.assert_close(CapLengthWithCond()(features), CapLength()(features))


def test_scripted_function_takes_both_ways():
    with silence("`torch.jit"):
        scripted = torch.jit.script(cap_length)
    for scale in (0.1, 1.0, 7.0):
        features = scale * torch.tensor([0.6, 0.8])
        torch.testing.assert_close(scripted(features), cap_length(features))
    assert (0, "prim::If") in list(node_kinds(scripted.graph))


def test_silence_silences_nothing_else():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silence("`torch.jit"):
            warnings.warn(
                "`torch.jit.script` is deprecated", FutureWarning, stacklevel=1
            )
            warnings.warn("something else", FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something else"]


def test_doubling_stops_at_the_limit():
    assert double_until(torch.tensor([8.0]), 8.0).item() == 8
    assert double_until(torch.tensor([0.1]), 8.0).item() == pytest.approx(12.8)


def test_best_times_times_each_variant():
    times = best_times({"one": torch.sin, "two": torch.cos}, torch.ones(3))
    assert set(times) == {"one", "two"}
    assert all(time > 0 for time in times.values())


def test_export_refuses_the_branch_by_default_too():
    with pytest.raises(RuntimeError, match="data-dependent"):
        torch.export.export(CapLength(), (torch.tensor([0.3, 0.4]),))


def test_export_fixes_sizes_unless_told():
    exported = torch.export.export(Classifier(), (torch.ones(2, 4),)).module()
    exported(torch.zeros(2, 4))
    with pytest.raises(AssertionError, match="Guard failed"):
        exported(torch.zeros(5, 4))
