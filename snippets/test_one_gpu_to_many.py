"""What the tutorial on many devices checks must be able to fail."""

import ast
import socket

import pytest
import torch
from torch import nn

from snippets.data_parallel import make_batch, make_model
from snippets.one_gpu_to_many import (
    compare_trained,
    free_port,
    gradient_of_rows,
    share_the_gradient,
    train_alone,
    train_without_processes,
    write_script,
)


def test_shares_must_be_equal(capsys):
    """64 rows do not divide by three: the mean of the shares is not the gradient of the batch."""
    with pytest.raises(AssertionError):
        share_the_gradient(make_batch(64), count=3)
    assert "agrees with the batch: False" in capsys.readouterr().out


def test_first_gradient_of_a_training_is_that_of_all_rows():
    batch = make_batch(64)
    first = train_alone(steps=1)["gradients"][0]
    torch.testing.assert_close(first, gradient_of_rows(batch, slice(None)))


def test_a_rank_that_learned_something_else_is_noticed():
    alone = train_without_processes(batch_size=32, epochs=1)
    same = {"losses": alone["losses"], "weights": alone["weights"]}
    compare_trained([same, same], alone)
    other = {name: weight + 1e-3 for name, weight in alone["weights"].items()}
    with pytest.raises(AssertionError):
        compare_trained([same, {**same, "weights": other}], alone)


def test_a_written_script_is_a_program(tmp_path):
    """The script defines what it was given, and calls nothing when it is imported."""
    path = tmp_path / "script.py"
    call = "make_model(seed=0)"
    write_script(path, make_model, make_batch, call=call)
    tree = ast.parse(path.read_text())
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert defined == ["make_model", "make_batch"]

    namespace = {"__name__": "imported"}
    exec(path.read_text(), namespace)
    assert isinstance(namespace["make_model"](seed=0), nn.Module)


def test_a_free_port_can_be_used():
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port("127.0.0.1")))
