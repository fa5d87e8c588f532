"""The timer of the devices chapter counts as it says."""

import torch

from snippets.devices import fastest_ms


def test_one_call_more_than_is_timed():
    calls = []
    assert fastest_ms(torch.device("cpu"), calls.append, 1, repeats=3) >= 0
    assert len(calls) == 4
