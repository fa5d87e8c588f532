"""Further properties of the helpers of the chapter on checkpoints."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.checkpoints import (
    BestKeeper,
    TrainingRun,
    checkpoint_name,
    same_bits,
    save_atomically,
)

WHOLE_SECONDS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)).map(
    lambda time: time.replace(microsecond=0)
)


@settings(max_examples=3, deadline=None)
@given(stop=st.integers(0, 3), seed=st.integers(0, 1000))
def test_a_run_resumes_equal_from_any_epoch(stop, seed):
    """Wherever the run stopped, the rest of it is the same."""
    whole = TrainingRun(seed)
    whole.train(epochs=3)
    stopped = TrainingRun(seed)
    stopped.train(epochs=stop)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.pt"
        save_atomically(stopped.state_dict(), path)
        resumed = TrainingRun(seed + 1)
        resumed.load_state_dict(torch.load(path))
    resumed.train(epochs=3 - stop)
    assert resumed.losses == whole.losses
    assert same_bits(resumed.model.state_dict(), whole.model.state_dict())


@settings(max_examples=15, deadline=None)
@given(losses=st.lists(st.floats(0, 9), max_size=6), count=st.integers(1, 3))
def test_the_best_are_kept(losses, count):
    """The files kept are those of the lowest losses."""
    with tempfile.TemporaryDirectory() as directory:
        keeper = BestKeeper(Path(directory), count)
        for epoch, loss in enumerate(losses):
            keeper.offer({}, epoch, loss)
        assert [loss for loss, _ in keeper.kept] == sorted(losses)[:count]
        assert {path for _, path in keeper.kept} == set(Path(directory).iterdir())


@settings(max_examples=25, deadline=None)
@given(st.lists(WHOLE_SECONDS, min_size=2, max_size=4, unique=True))
def test_names_sort_by_time(times):
    """The order of the names is the order of the times."""
    times = [time.replace(tzinfo=UTC) for time in times]
    assert sorted(times) == sorted(
        times, key=lambda time: checkpoint_name(time, 1, 0.5)
    )


def test_bits_are_more_than_equality():
    """Negative zero equals zero, and has other bits; NaN equals nothing, and has the same."""
    assert not same_bits({"a": torch.tensor(0.0)}, {"a": torch.tensor(-0.0)})
    assert same_bits(
        {"a": torch.tensor(float("nan"))}, {"a": torch.tensor(float("nan"))}
    )
    assert not same_bits({"a": torch.zeros(2)}, {"b": torch.zeros(2)})
