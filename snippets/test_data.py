"""Properties of the definitions in the chapter on data."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, random_split
from torchvision.datasets.mnist import read_image_file, read_label_file

from snippets.data import (
    CsvRows,
    IdxDigits,
    mnist_tensors,
    pad_words,
    seeded_generator,
    write_digits_as_mnist,
    write_idx,
)

sizes = st.integers(1, 6)


@settings(max_examples=25, deadline=None)
@given(count=sizes, height=sizes, width=sizes, seed=st.integers(0, 2**32 - 1))
def test_torchvision_reads_what_write_idx_writes(count, height, width, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, height, width), dtype=np.uint8)
    labels = rng.integers(0, 10, count, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        images_path, labels_path = Path(folder) / "images", Path(folder) / "labels"
        write_idx(images_path, images)
        write_idx(labels_path, labels)
        assert np.array_equal(read_image_file(str(images_path)), images)
        assert np.array_equal(read_label_file(str(labels_path)), labels)
        digits = IdxDigits(images_path, labels_path)
        assert len(digits) == count
        image, label = digits[count - 1]
        assert torch.equal(image[0], torch.tensor(images[-1]) / 255)
        assert label == labels[-1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(1, 26), min_size=1, max_size=7), min_size=1, max_size=5
    )
)
def test_padding_keeps_every_word(words):
    batch, lengths = pad_words([torch.tensor(word) for word in words])
    assert batch.shape == (len(words), max(map(len, words)))
    for row, length, word in zip(batch.tolist(), lengths.tolist(), words, strict=True):
        assert row[:length] == word
        assert not any(row[length:])


def test_files_that_are_there_stay(tmp_path):
    write_digits_as_mnist(tmp_path)
    last_file = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    first_file = last_file.with_name("train-images-idx3-ubyte")
    written = first_file.stat().st_mtime_ns
    write_digits_as_mnist(tmp_path)
    assert first_file.stat().st_mtime_ns == written


def test_pixels_are_scikit_learns(tmp_path):
    from sklearn.datasets import load_digits

    write_digits_as_mnist(tmp_path)
    parts = [mnist_tensors(tmp_path, train) for train in (True, False)]
    images, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    digits = load_digits()
    assert np.array_equal((images.squeeze(1) * 16).round(), digits.images)
    assert np.array_equal(labels, digits.target)


def test_an_index_behind_the_end_is_refused(tmp_path):
    write_digits_as_mnist(tmp_path)
    folder = tmp_path / "MNIST" / "raw"
    digits = IdxDigits(
        folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte"
    )
    assert sum(1 for _ in digits) == len(digits) == 297


def test_rows_keep_their_order(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("1,2\n3,4\n")
    assert [row.tolist() for row in CsvRows(path)] == [[1, 2], [3, 4]]


def test_a_seed_repeats():
    first, second = (torch.rand(3, generator=seeded_generator(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_the_global_generator_moves_a_split():
    torch.manual_seed(0)
    train_part, _ = random_split(range(100), [0.8, 0.2])
    torch.manual_seed(0)
    torch.rand(1)
    moved, _ = random_split(range(100), [0.8, 0.2])
    assert set(train_part.indices) != set(moved.indices)


def test_the_global_generator_moves_the_order():
    loader = DataLoader(range(100), batch_size=None, shuffle=True)
    torch.manual_seed(0)
    order = list(loader)
    torch.manual_seed(0)
    torch.rand(1)
    assert list(loader) != order
