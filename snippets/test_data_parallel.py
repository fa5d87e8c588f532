"""Further properties of the helpers of the chapter on data parallelism."""

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import mse_loss
from torch.utils.data import DistributedSampler

from snippets.data_parallel import TwoStages, forward_in_parts, make_batch, make_model


@settings(max_examples=25, deadline=None)
@given(batch_size=st.integers(1, 20), replica_count=st.integers(1, 6))
def test_parts_give_the_gradients_of_the_whole(batch_size, replica_count):
    """However the batch is split, outputs and gradients are those of the whole."""
    model = make_model(seed=0)
    whole = copy.deepcopy(model)
    inputs, targets = make_batch(batch_size)
    outputs = forward_in_parts(model, inputs, replica_count)
    assert torch.allclose(outputs, whole(inputs), atol=1e-6)
    mse_loss(outputs, targets).backward()
    mse_loss(whole(inputs), targets).backward()
    for weight, same in zip(model.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(weight.grad, same.grad, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(1, 40), world_size=st.integers(1, 6), epoch=st.integers(0, 5)
)
def test_a_sampler_misses_nothing_and_shares_equally(samples, world_size, epoch):
    """Every sample is drawn, all shares are equally long, and the fewest possible samples are repeated."""
    shares = []
    for rank in range(world_size):
        sampler = DistributedSampler(range(samples), world_size, rank)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
    drawn = [index for share in shares for index in share]
    assert set(drawn) == set(range(samples))
    assert len({len(share) for share in shares}) == 1
    assert len(drawn) - samples == -samples % world_size


def test_stages_are_a_state_dict_of_two_parts():
    """Cutting a model loses no weight."""
    whole = make_model(seed=0)
    stages = TwoStages(whole, "cpu", "cpu")
    assert [w.data_ptr() for w in stages.parameters()] == [
        w.data_ptr() for w in whole.parameters()
    ]
