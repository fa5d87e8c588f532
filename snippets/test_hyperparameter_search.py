"""What the searches promise: proposals in their ranges, and trials that fail."""

import math

import pytest

from snippets.hyperparameter_search import new_search, random_search, run_search

RANGES = [
    {"name": "lr", "bounds": (0.001, 1.0), "parameter_type": "float", "scaling": "log"},
    {"name": "hidden", "bounds": (8, 128), "parameter_type": "int", "scaling": "log"},
]


def size_of_step(lr, hidden):
    """A loss, unless the learning rate is large: then there is none."""
    return math.nan if lr > 0.1 else lr * hidden


def assert_in_ranges(history):
    for parameters, _ in history:
        assert 0.001 <= parameters["lr"] <= 1
        assert 8 <= parameters["hidden"] <= 128
        assert isinstance(parameters["hidden"], int)


def test_random_search_draws_from_the_ranges():
    history = random_search(RANGES, size_of_step, trials=200, seed=0)
    assert_in_ranges(history)
    # On a logarithmic scale, two thirds of the range are below 0.1.
    small = sum(parameters["lr"] < 0.1 for parameters, _ in history)
    assert 110 < small < 155


# Ax calls pandas in ways that the newest pandas deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_trial_without_a_loss_is_failed_and_the_search_goes_on():
    pytest.importorskip("ax", reason="pip install '.[tutorials]' for Ax")
    client = new_search(RANGES, objective="-loss", seed=0)
    history = run_search(client, size_of_step, trials=4)
    assert_in_ranges(history)
    statuses = client.summarize()["trial_status"].tolist()
    assert len(statuses) == 4
    assert "FAILED" in statuses
    assert statuses.count("COMPLETED") == len(history) >= 1
