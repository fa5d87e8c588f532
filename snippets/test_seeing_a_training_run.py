"""What the instruments of the tutorial count and read back."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset
from torch.utils.tensorboard import SummaryWriter

from snippets.seeing_a_training_run import (
    Kept,
    kept_bytes,
    make_network,
    memory_of_a_step,
    one_by_one,
    read_scalars,
    validate,
    whole_batches,
)


@pytest.fixture
def dataset():
    torch.manual_seed(0)
    return TensorDataset(torch.rand(400, 1, 8, 8), torch.randint(10, (400,)))


def test_both_loaders_draw_the_same_batches(dataset):
    for _ in range(2):
        pairs = zip(whole_batches(dataset, 60), one_by_one(dataset, 60), strict=True)
        for (images, labels), (same_images, same_labels) in pairs:
            assert torch.equal(images, same_images)
            assert torch.equal(labels, same_labels)


def test_scalars_come_back_as_they_were_written(tmp_path):
    values = [2.5, 0.25, 4.0]
    with SummaryWriter(tmp_path) as writer:
        for step, value in enumerate(values):
            writer.add_scalar("loss/train", value, 10 * step)
    assert read_scalars(str(tmp_path), "loss/train") == ([0, 10, 20], values)


def test_activations_grow_with_the_batch_and_nothing_else_does(dataset):
    small = memory_of_a_step(dataset, 50, "Adam")
    large = memory_of_a_step(dataset, 100, "Adam")
    grown = {name for name in small if large[name] > small[name]}
    assert grown == {"activations"}
    # The mean of the loss keeps a number or two whatever the batch.
    assert large["activations"] == pytest.approx(2 * small["activations"], abs=64)


def test_parameters_are_not_counted_as_kept():
    model = make_network(seed=0)
    weight = next(model.parameters())
    activation = torch.zeros(10)
    assert kept_bytes([Kept(weight), Kept(activation), Kept(activation)], model) == 40


def test_a_sum_of_tensors_keeps_every_graph(dataset):
    leaking = validate(dataset, "sum of tensors")
    steps = [later - sooner for sooner, later in pairwise(leaking)]
    assert steps == pytest.approx([leaking[0]] * 3)
    assert len(set(validate(dataset, "sum of numbers"))) == 1
    assert not any(validate(dataset, "no_grad"))


def test_gradients_are_not_disturbed_by_the_count(dataset):
    """Counting what is kept changes nothing in the backward pass."""
    images, labels = dataset[:50]
    plain, counted = make_network(seed=0), make_network(seed=0)
    cross_entropy(plain(images), labels).backward()
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda holder: holder.tensor):
        cross_entropy(counted(images), labels).backward()
    for weight, same in zip(plain.parameters(), counted.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, same.grad)
