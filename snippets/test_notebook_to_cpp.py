"""The model with a decision, and comparisons that must be able to fail."""

import shutil

import pytest
import torch
from torch import nn

from snippets.notebook_to_cpp import (
    DigitReader,
    FirstReader,
    Way,
    build_cpp,
    compare_ways,
    run_cpp,
    to_compiled,
)


@pytest.fixture
def readers():
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    return FirstReader(classifier), DigitReader(classifier)


@pytest.fixture
def light():
    """Images with less light than dark."""
    torch.manual_seed(1)
    return torch.rand(6, 1, 8, 8) * 0.8


def test_both_readers_agree_where_all_images_are_of_a_kind(readers, light):
    first, reader = readers
    torch.testing.assert_close(first(light), reader(light))
    torch.testing.assert_close(first(1 - light), reader(1 - light))


def test_paper_and_light_give_the_same_logits(readers, light):
    _, reader = readers
    torch.testing.assert_close(reader(1 - light), reader(light))


def test_only_the_second_reader_decides_for_each_image(readers, light):
    first, reader = readers
    mixed = torch.cat([light[:3], 1 - light[3:]])
    torch.testing.assert_close(reader(mixed), reader(light))
    assert not torch.allclose(first(mixed), first(light))


def test_a_way_that_is_slightly_off_is_noticed(readers, light):
    _, reader = readers
    compare_ways(reader, light, right=Way(reader, 0.0))
    with pytest.raises(AssertionError, match="off"):
        compare_ways(reader, light, off=Way(lambda images: reader(images) + 2e-5, 0.0))


def test_without_a_compiler_the_cells_say_so(readers, light, monkeypatch, capsys):
    _, reader = readers
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert to_compiled(reader, light) is None
    program = build_cpp("reader.cpp", "reader")
    assert run_cpp(program, "reader.pt2", light) is None
    compare_ways(reader, light, compiled=None)
    told = capsys.readouterr().out
    assert "There is no g++ on this machine" in told
    assert "There is no program to run reader.pt2 with" in told
    assert "not on this machine" in told
