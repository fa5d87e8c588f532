"""Properties of the definitions in the chapter on the training loop."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as reference_matrix
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from snippets.training_loop import (
    EarlyStopping,
    bytes_kept_for_backward,
    confusion_matrix,
    gradient_of,
    make_train_step,
    precision_recall_f1,
    run_epoch,
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)
)
def test_confusion_matrix_is_scikit_learns(pairs):
    """Same counts, and F1 is the harmonic mean of the other two."""
    targets, predictions = torch.tensor(pairs).unbind(1)
    matrix = confusion_matrix(targets, predictions, classes=4)
    assert (
        matrix.tolist()
        == reference_matrix(targets, predictions, labels=range(4)).tolist()
    )
    for precision, recall, f1 in zip(
        *(metric.tolist() for metric in precision_recall_f1(matrix)), strict=True
    ):
        expected = (
            2 * precision * recall / (precision + recall) if precision + recall else 0.0
        )
        assert math.isclose(f1, expected, rel_tol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(2, 20), batch_size=st.integers(1, 20), seed=st.integers(0, 1000)
)
def test_batch_size_does_not_change_the_mean(count, batch_size, seed):
    """An epoch without an optimizer gives the mean over all samples, for any batch size."""
    torch.manual_seed(seed)
    inputs, targets = torch.randn(count, 3), torch.randint(4, (count,))
    model, loss_fn = nn.Linear(3, 4), nn.CrossEntropyLoss()
    loss, accuracy = run_epoch(
        model,
        DataLoader(TensorDataset(inputs, targets), batch_size=batch_size),
        loss_fn,
    )
    assert math.isclose(loss, loss_fn(model(inputs), targets).item(), rel_tol=1e-4)
    assert math.isclose(
        accuracy,
        (model(inputs).argmax(dim=1) == targets).float().mean().item(),
        rel_tol=1e-5,
    )
    assert model.weight.grad is None


@settings(max_examples=25, deadline=None)
@given(
    losses=st.lists(st.floats(0, 10), min_size=1, max_size=20),
    patience=st.integers(1, 4),
)
def test_early_stopping_keeps_the_first_best(losses, patience):
    """It stops `patience` epochs after the best, and its weights are those of that epoch."""
    stopping, model = EarlyStopping(patience), nn.Linear(1, 1, bias=False)
    seen = []
    for epoch, loss in enumerate(losses, start=1):
        nn.init.constant_(model.weight, epoch)
        seen.append(loss)
        if stopping.should_stop(model, loss):
            assert epoch == stopping.best_epoch + patience
            break
    best = seen.index(min(seen)) + 1
    assert stopping.best_epoch == best
    assert stopping.best_state["weight"].item() == best


def test_train_step_switches_to_training():
    """A step after a validation trains with dropout again."""
    model = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)).eval()
    train_step = make_train_step(
        model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
    )
    train_step(torch.ones(1, 2), torch.tensor([0]))
    assert model.training


def test_kept_bytes_of_a_square():
    """A square keeps its input: four bytes for each number."""
    numbers = torch.randn(1000, requires_grad=True)
    assert bytes_kept_for_backward(lambda: numbers.square().sum()) == 4000


def test_gradient_of_is_one_vector():
    """Weights first, then the bias."""
    model = nn.Linear(2, 1)
    model(torch.tensor([[3.0, 4.0]])).sum().backward()
    assert gradient_of(model).tolist() == [3, 4, 1]


def test_validation_leaves_no_graph(run):
    """The chapter's history holds numbers, not tensors with graphs."""
    namespace = run("snippets.training_loop.learning_curves")
    assert all(
        type(number) is float
        for numbers in namespace["history"].values()
        for number in numbers
    )
