"""The network from scratch against the library's: values, gradients, batches and start."""

import pytest
import torch
from torch import nn

from snippets.digits_from_scratch import (
    ScratchNetwork,
    check_first_loss,
    copy_parameters,
    library_network,
    new_layer,
    shuffled_batches,
)
from snippets.losses import cross_entropy_by_hand


@pytest.mark.parametrize("seed", range(3))
def test_gradients_equal_the_library(seed):
    network = ScratchNetwork(*new_layer(6, 5, seed), *new_layer(5, 4, seed + 1))
    model = library_network(6, 5, 4, seed)
    copy_parameters(model, network)
    images, labels = torch.rand(7, 6), torch.randint(4, (7,))

    cross_entropy_by_hand(network(images), labels).backward()
    nn.functional.cross_entropy(model(images), labels).backward()
    for parameter, ours in zip(model.parameters(), network.parameters, strict=True):
        torch.testing.assert_close(ours.grad, parameter.grad)
        assert ours.grad is not parameter.grad


def test_every_epoch_sees_every_image_once():
    batches = shuffled_batches(count=10, size=4, epochs=3, seed=0)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        seen = torch.cat(batches[3 * epoch : 3 * epoch + 3])
        assert sorted(seen.tolist()) == list(range(10))


def test_a_loss_that_is_no_blind_guess_is_refused():
    with pytest.raises(AssertionError):
        check_first_loss(torch.tensor(23.0), classes=10)
