"""Datasets and loaders: where samples come from, how they become batches, and who prepares them."""

import os
import random
import struct
import warnings
from itertools import islice
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
    random_split,
)
from torchvision.datasets import MNIST
from torchvision.transforms import v2


def write_idx(path, array):
    """Write an array of bytes as an IDX file, the format of the MNIST files."""
    unsigned_byte = 8
    header = struct.pack(
        f">HBB{array.ndim}I", 0, unsigned_byte, array.ndim, *array.shape
    )
    path.write_bytes(header + array.tobytes())


def write_digits_as_mnist(root):
    """Write scikit-learn's digits where `MNIST(root)` looks for its files, unless files are there."""
    folder = Path(root) / "MNIST" / "raw"
    # The file that is written last tells that all four are there.
    if (folder / "t10k-labels-idx1-ubyte").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = load_digits(return_X_y=True)
    # Ink goes from 0 to 16 in these images, and from 0 to 255 in those of MNIST.
    images = np.round(pixels.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    for split, part in {"train": slice(0, 1500), "t10k": slice(1500, None)}.items():
        write_idx(folder / f"{split}-images-idx3-ubyte", images[part])
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels[part].astype(np.uint8))


def mnist_tensors(root, train):
    """All images of a split, as floats from 0 to 1 with a channel dimension, and all labels."""
    split = MNIST(root, train=train)
    device = torch.get_default_device()
    return (split.data.unsqueeze(1) / 255).to(device), split.targets.to(device)


def seeded_generator(seed):
    """A source of random numbers of its own, on the default device."""
    return torch.Generator(device=torch.get_default_device()).manual_seed(seed)


class IdxDigits(Dataset):
    """The digits of two IDX files, each read from disk when it is asked for."""

    def __init__(self, images_path, labels_path):
        self.images_path = images_path
        self.labels_path = labels_path
        with images_path.open("rb") as file:
            self.count, self.height, self.width = struct.unpack(">4x3I", file.read(16))

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        size = self.height * self.width
        pixels = np.fromfile(
            self.images_path, np.uint8, count=size, offset=16 + index * size
        )
        label = np.fromfile(self.labels_path, np.uint8, count=1, offset=8 + index)
        image = torch.tensor(pixels).reshape(1, self.height, self.width) / 255
        return image, label.item()


class CsvRows(IterableDataset):
    """The rows of a text file as a stream of tensors."""

    def __init__(self, path):
        self.path = path

    def __iter__(self):
        with self.path.open() as lines:
            for line in lines:
                yield torch.tensor([float(number) for number in line.split(",")])


class SharedCsvRows(CsvRows):
    """The same stream, where each worker takes its own rows."""

    def __iter__(self):
        worker = get_worker_info()
        if worker is None:
            return super().__iter__()
        return islice(super().__iter__(), worker.id, None, worker.num_workers)


class Signatures(Dataset):
    """Eight samples, each signed by the process that made it; the dataset counts them."""

    def __init__(self):
        self.calls = 0

    def __len__(self):
        return 8

    def __getitem__(self, index):
        self.calls += 1
        worker = get_worker_info()
        return {"worker": -1 if worker is None else worker.id, "process": os.getpid()}


class Noise(Dataset):
    """Two samples, each with one random number from four sources."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {
            "random.random": random.random(),
            "np.random.rand": np.random.rand(),
            "torch.rand": torch.rand(()).item(),
            "own generator": self.rng.random(),
        }


def reseed(worker_id):
    """A `worker_init_fn`: give the worker's copy of the dataset a generator of its own."""
    worker = get_worker_info()
    worker.dataset.rng = np.random.default_rng(worker.seed)


def pad_words(words):
    """A `collate_fn`: words of different lengths as one padded batch, with their lengths."""
    lengths = torch.tensor([len(word) for word in words])
    return pad_sequence(words, batch_first=True, padding_value=0), lengths


def show_digit(ax, image, title):
    """Draw one image, whose pixels go from 0 to 1, without axes."""
    ax.imshow(
        image.squeeze().tolist(), cmap="gray", vmin=0, vmax=1, interpolation="none"
    )
    ax.set_title(title, fontsize=9)
    ax.axis("off")


def digits_in_mnist_format() -> None:
    """Real digits, written once and read by torchvision."""
    write_digits_as_mnist(".")
    train_set = MNIST(".", train=True)
    test_set = MNIST(".", train=False)

    image, label = train_set[3]
    print("digits to train with:", len(train_set))
    print("digits to test with: ", len(test_set))
    print(
        "sample 3: ", type(image).__module__, image.size, image.mode, "| label", label
    )
    print("all bytes:", tuple(train_set.data.shape), train_set.data.dtype)

    # The files are there, so even `download=True` reads them and leaves the network alone.
    assert torch.equal(MNIST(".", download=True).data, train_set.data)
    assert np.array_equal(train_set.data[3], image)

    _, axes = plt.subplots(1, 10, figsize=(6.4, 0.9), layout="constrained")
    for ax, pixels, target in zip(
        axes, train_set.data, train_set.targets, strict=False
    ):
        show_digit(ax, pixels / 255, target.item())
    plt.show()


def dataset_is_two_methods() -> None:
    """A dataset of our own: a length, and a sample for every index."""
    write_digits_as_mnist(".")
    folder = Path("MNIST/raw")
    digits = IdxDigits(
        folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    )

    image, label = digits[3]
    print("len(digits):  ", len(digits))
    print("digits[3]:    ", tuple(image.shape), image.dtype, "label", label)
    print("seen by a for:", sum(1 for _ in digits))

    images, labels = mnist_tensors(".", train=True)
    for index in (0, 3, 1499):
        # A GPU may round the division by 255 in the last bit.
        assert torch.allclose(digits[index][0], images[index])
        assert digits[index][1] == labels[index]


def batches_of_samples() -> None:
    """A loader stacks samples to batches, and the last one may be short."""
    write_digits_as_mnist(".")
    images, labels = mnist_tensors(".", train=True)
    dataset = TensorDataset(images, labels)
    loader = DataLoader(dataset, batch_size=400)

    for batch_images, batch_labels in loader:
        print("images", tuple(batch_images.shape), "labels", tuple(batch_labels.shape))
    print("batches:       ", len(loader))
    print("with drop_last:", len(DataLoader(dataset, batch_size=400, drop_last=True)))

    first_images, first_labels = next(iter(loader))
    assert torch.equal(first_images, torch.stack([dataset[i][0] for i in range(400)]))
    assert torch.equal(first_labels, labels[:400])


def shuffled_each_epoch() -> None:
    """Shuffling draws a new order each epoch, and a seed repeats all of them."""
    dataset = TensorDataset(torch.arange(10))
    generator = seeded_generator(0)
    loader = DataLoader(dataset, batch_size=10, shuffle=True, generator=generator)

    orders = [batch.tolist() for _ in range(3) for (batch,) in loader]
    generator.manual_seed(0)
    repeated = [batch.tolist() for _ in range(3) for (batch,) in loader]
    for epoch, order in enumerate(orders, start=1):
        print(f"epoch {epoch}:", order)
    print("same after the same seed:", orders == repeated)

    assert orders == repeated
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(order) == list(range(10))


def split_with_a_seed() -> None:
    """A random split keeps indices, and its generator decides which."""
    write_digits_as_mnist(".")
    dataset = TensorDataset(*mnist_tensors(".", train=True))

    train_part, valid_part = random_split(
        dataset, [0.8, 0.2], generator=seeded_generator(0)
    )
    again, _ = random_split(dataset, [0.8, 0.2], generator=seeded_generator(0))
    other, _ = random_split(dataset, [0.8, 0.2], generator=seeded_generator(1))
    print("sizes:          ", len(train_part), len(valid_part))
    print("part is a:      ", type(train_part).__name__)
    print("same seed:      ", train_part.indices == again.indices)
    print("another seed:   ", train_part.indices == other.indices)
    print("in both parts:  ", len(set(train_part.indices) & set(valid_part.indices)))
    print("holds the whole:", train_part.dataset is dataset)

    assert train_part.indices == again.indices != other.indices
    assert sorted(train_part.indices + valid_part.indices) == list(range(1500))
    image, _ = valid_part[0]
    assert torch.equal(image, dataset[valid_part.indices[0]][0])


def stream_of_rows() -> None:
    """An iterable dataset has an order of its own and no length."""
    path = Path("readings.csv")
    path.write_text("".join(f"{hour},{20 + hour / 2}\n" for hour in range(5)))
    stream = CsvRows(path)

    for batch in DataLoader(stream, batch_size=2):
        print("batch:", batch.tolist())

    messages = []
    try:
        len(stream)
    except TypeError as error:
        messages.append(f"len():   {error}")
    try:
        DataLoader(stream, shuffle=True)
    except ValueError as error:
        messages.append(f"shuffle: {error}")
    print("\n".join(messages))
    assert len(messages) == 2


@pytest.mark.cpu_only(
    "workers prepare data on the CPU: a forked process cannot use the GPU of its parent"
)
@pytest.mark.spawns
def workers_are_processes() -> None:
    """Each worker is a process, with a copy of the dataset."""
    for num_workers in (0, 2):
        signatures = Signatures()
        loader = DataLoader(signatures, batch_size=2, num_workers=num_workers)
        batches = list(loader)
        processes = {
            process for batch in batches for process in batch["process"].tolist()
        }

        print("num_workers:", num_workers)
        print(
            "  worker of each batch:    ",
            [batch["worker"].tolist() for batch in batches],
        )
        print("  different processes:     ", len(processes))
        print("  main process among them: ", os.getpid() in processes)
        print("  calls counted in main:   ", signatures.calls)
        assert len(processes) == max(num_workers, 1)
        assert (os.getpid() in processes) == (num_workers == 0)
        assert signatures.calls == (8 if num_workers == 0 else 0)


@pytest.mark.cpu_only(
    "workers prepare data on the CPU: a forked process cannot use the GPU of its parent"
)
@pytest.mark.spawns
def workers_share_a_stream() -> None:
    """Every worker reads the whole stream, unless the dataset divides it."""
    path = Path("rows.csv")
    path.write_text("".join(f"{row}\n" for row in range(6)))

    for stream in (CsvRows(path), SharedCsvRows(path)):
        rows = [int(batch) for batch in DataLoader(stream, batch_size=1, num_workers=2)]
        print(f"{type(stream).__name__ + ':':14}", rows)
        copies = 2 if type(stream) is CsvRows else 1
        assert sorted(rows) == sorted(list(range(6)) * copies)


@pytest.mark.cpu_only(
    "workers prepare data on the CPU: a forked process cannot use the GPU of its parent"
)
@pytest.mark.spawns
def worker_random_numbers() -> None:
    """Global generators differ in every worker; a generator in the dataset is copied."""
    torch.manual_seed(0)
    loader = DataLoader(Noise(), batch_size=None, num_workers=2)
    epochs = [list(loader) for _ in range(2)]

    print("                 worker 0  worker 1 | worker 0  worker 1")
    for source in epochs[0][0]:
        numbers = [sample[source] for epoch in epochs for sample in epoch]
        first, second, third, fourth = (f"{number:.4f}" for number in numbers)
        print(f"{source:16} {first:>8}  {second:>8} | {third:>8}  {fourth:>8}")
        distinct = 1 if source == "own generator" else 4
        assert len(set(numbers)) == distinct


@pytest.mark.cpu_only(
    "workers prepare data on the CPU: a forked process cannot use the GPU of its parent"
)
@pytest.mark.spawns
def reseeded_generator() -> None:
    """A generator in the dataset gets its seed from the worker."""
    loader = DataLoader(Noise(), batch_size=None, num_workers=2, worker_init_fn=reseed)

    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        runs.append([sample["own generator"] for _ in range(2) for sample in loader])
    print("epoch 1:", [round(number, 4) for number in runs[0][:2]])
    print("epoch 2:", [round(number, 4) for number in runs[0][2:]])
    print("same after the same seed:", runs[0] == runs[1])
    assert len(set(runs[0])) == 4
    assert runs[0] == runs[1]


@pytest.mark.own_device
def pinned_batches() -> None:
    """Pin batches where there is a GPU to copy them to."""
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else "cpu")
    loader = DataLoader(
        TensorDataset(torch.arange(6.0)), batch_size=3, pin_memory=has_gpu
    )

    for (batch,) in loader:
        arrived = batch.to(device, non_blocking=True)
        print("pinned:", batch.is_pinned(), "| copied to:", arrived.device.type)
        assert batch.device.type == "cpu"
        assert batch.is_pinned() == has_gpu

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(
            DataLoader(TensorDataset(torch.arange(6.0)), batch_size=3, pin_memory=True)
        )
    for warning in caught:
        print(f"{warning.category.__name__}: {warning.message}")
    assert has_gpu or "pinned memory won't be used" in str(caught[0].message)


def ragged_samples() -> None:
    """Samples of different lengths need a `collate_fn`."""
    words = ["tensor", "of", "one", "axis"]
    dataset = [torch.tensor([ord(letter) - 96 for letter in word]) for word in words]

    message = ""
    try:
        next(iter(DataLoader(dataset, batch_size=4)))
    except RuntimeError as error:
        message = str(error)
    print("RuntimeError:", message)
    assert "stack expects each tensor to be equal size" in message

    batch, lengths = next(iter(DataLoader(dataset, batch_size=4, collate_fn=pad_words)))
    print("batch:  ", tuple(batch.shape))
    print("lengths:", lengths.tolist())
    for row, length, codes in zip(batch, lengths, dataset, strict=True):
        print("  ", row.tolist())
        assert torch.equal(row[:length], codes)
        assert (row[length:] == 0).all()


def sampler_for_rare_classes() -> None:
    """A weighted sampler draws a rare class as often as a frequent one."""
    write_digits_as_mnist(".")
    images, labels = mnist_tensors(".", train=True)
    ones, eights = ((labels == digit).nonzero().squeeze(1) for digit in (1, 8))
    chosen = torch.cat([ones[:150], eights[:10]])
    dataset = TensorDataset(images[chosen], labels[chosen])

    counts = labels[chosen].bincount(minlength=10)
    weights = 1 / counts[labels[chosen]]
    sampler = WeightedRandomSampler(
        weights, len(dataset), generator=seeded_generator(0)
    )
    drawn = torch.tensor(list(sampler))
    drawn_counts = dataset[drawn][1].bincount(minlength=10)
    print("in the dataset: ones", counts[1].item(), "eights", counts[8].item())
    print(
        "in one epoch:   ones", drawn_counts[1].item(), "eights", drawn_counts[8].item()
    )

    batches = list(DataLoader(dataset, batch_size=40, sampler=sampler))
    print(
        "eights in each batch:",
        [(batch_labels == 8).sum().item() for _, batch_labels in batches],
    )
    print("different samples drawn:", len(drawn.unique()), "of", len(dataset))
    assert 0.35 < drawn_counts[8] / len(dataset) < 0.65
    assert len(drawn.unique()) < len(dataset)


def image_to_tensor() -> None:
    """From a picture to a tensor: two steps, and what each does."""
    write_digits_as_mnist(".")
    image, _ = MNIST(".")[3]

    integers = v2.ToImage()(image)
    floats = v2.ToDtype(torch.float32, scale=True)(integers)
    unscaled = v2.ToDtype(torch.float32)(integers)
    steps = {"ToImage": integers, "ToDtype(scale=True)": floats, "ToDtype": unscaled}
    for name, tensor in steps.items():
        print(
            f"{name:20} {tuple(tensor.shape)} {tensor.dtype} max {tensor.max().item()}"
        )
    assert torch.allclose(floats, integers / 255)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        by_old_way = v2.ToTensor()(image)
    print(f"v2.ToTensor: {str(caught[0].message).split('.')[0]}.")
    assert "deprecated" in str(caught[0].message)
    assert torch.allclose(by_old_way.to(floats.device), floats)


def normalize_pixels() -> None:
    """Normalize with the mean and the spread of the training pixels."""
    write_digits_as_mnist(".")
    train_images, _ = mnist_tensors(".", train=True)
    test_images, _ = mnist_tensors(".", train=False)

    mean = round(train_images.mean().item(), 4)
    std = round(train_images.std().item(), 4)
    normalize = v2.Normalize(mean=[mean], std=[std])
    print("training pixels: mean", mean, "std", std)
    for name, images in {"train": train_images, "test": test_images}.items():
        pixels = normalize(images)
        afterwards = pixels.mean().item(), pixels.std().item()
        print(
            f"{name:5} afterwards: mean {afterwards[0]:z.2f}, std {afterwards[1]:.2f}"
        )
        assert torch.allclose(pixels, (images - mean) / std, atol=1e-6)

    _, axes = plt.subplots(
        1, 2, figsize=(6.4, 2.2), sharex=True, sharey=True, layout="constrained"
    )
    drawn = {"before": train_images, "after": normalize(train_images)}
    for ax, (title, images) in zip(axes, drawn.items(), strict=True):
        ax.hist(images.flatten().tolist(), bins=17, color="C0")
        ax.axvline(images.mean().item(), color="C1", label="mean")
        ax.set(title=title, xlabel="pixel value")
    axes[0].set_ylabel("pixels")
    axes[1].legend()
    plt.show()


def pictures_before_and_after() -> None:
    """Flip, rotate and shift, before and after."""
    torch.manual_seed(1)
    write_digits_as_mnist(".")
    images, labels = mnist_tensors(".", train=True)
    flip = v2.RandomHorizontalFlip(p=1)
    rotate = v2.RandomRotation(30, interpolation=v2.InterpolationMode.BILINEAR)
    shift = v2.RandomAffine(degrees=0, translate=(0.2, 0.2))
    transforms = {
        "before": v2.Identity(),
        "flip": flip,
        "rotate": rotate,
        "shift": shift,
        "all three": v2.Compose([flip, rotate, shift]),
    }

    _, axes = plt.subplots(3, 5, figsize=(6.4, 4.2), layout="constrained")
    for row, digit in zip(axes, (3, 4, 7), strict=True):
        image = images[labels == digit][0]
        for ax, (name, transform) in zip(row, transforms.items(), strict=True):
            show_digit(ax, transform(image), name)
        assert torch.equal(flip(image), image.flip(-1))
        assert rotate(image).shape == shift(image).shape == image.shape
    plt.show()


def augmented_at_each_access() -> None:
    """A random transform draws anew each time a sample is read."""
    torch.manual_seed(0)
    write_digits_as_mnist(".")
    to_floats = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    rotate = v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR)
    normalize = v2.Normalize(mean=[0.3052], std=[0.3749])  # of the training pixels
    augment = v2.Compose([to_floats, rotate, normalize])
    evaluate = v2.Compose([to_floats, normalize])
    train_set = MNIST(".", train=True, transform=augment)
    plain_set = MNIST(".", train=True, transform=evaluate)

    changed = (train_set[3][0] != train_set[3][0]).sum().item()
    print("pixels that differ, train_set[3] read twice:", changed)
    print(
        "pixels that differ, plain_set[3] read twice:",
        (plain_set[3][0] != plain_set[3][0]).sum().item(),
    )
    assert changed > 0
    assert torch.equal(plain_set[3][0], plain_set[3][0])

    images, labels = next(iter(DataLoader(train_set, batch_size=64)))
    print(
        "batch:",
        tuple(images.shape),
        images.dtype,
        "| labels:",
        tuple(labels.shape),
        labels.dtype,
    )
    assert images.shape == (64, 1, 8, 8)


def solution_stratified_split() -> None:
    """A split with the same share of every class."""
    write_digits_as_mnist(".")
    dataset = TensorDataset(*mnist_tensors(".", train=True))
    _, labels = dataset.tensors
    generator = seeded_generator(0)

    train_indices, valid_indices = [], []
    for digit in range(10):
        members = (labels == digit).nonzero().squeeze(1)
        members = members[torch.randperm(len(members), generator=generator)]
        cut = len(members) // 5
        valid_indices += members[:cut].tolist()
        train_indices += members[cut:].tolist()

    train_part, valid_part = (
        Subset(dataset, train_indices),
        Subset(dataset, valid_indices),
    )
    shares = labels[valid_indices].bincount() / labels.bincount()
    print("sizes:", len(train_part), len(valid_part))
    print(f"share of a class: from {shares.min():.3f} to {shares.max():.3f}")
    assert sorted(train_indices + valid_indices) == list(range(1500))
    assert (shares > 0.18).all()
    assert (shares <= 0.2).all()


def solution_mask_of_the_padding() -> None:
    """A mean over the true letters of each word."""
    words = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0])]
    batch, lengths = pad_words(words)

    positions = torch.arange(batch.size(1))
    mask = positions < lengths.unsqueeze(1)
    means = (batch * mask).sum(dim=1) / lengths
    print("mask:         ", mask.tolist())
    print("mean of rows: ", batch.mean(dim=1).tolist())
    print("mean of words:", means.tolist())
    assert means.tolist() == [word.mean().item() for word in words]


@pytest.mark.cpu_only(
    "workers prepare data on the CPU: a forked process cannot use the GPU of its parent"
)
@pytest.mark.spawns
def solution_workers_that_stay() -> None:
    """Workers that stay keep their copy of the dataset, and its generator moves on."""
    torch.manual_seed(0)
    for persistent in (False, True):
        loader = DataLoader(
            Noise(), batch_size=None, num_workers=2, persistent_workers=persistent
        )
        epochs = [[sample["own generator"] for sample in loader] for _ in range(2)]
        print(f"persistent_workers={persistent}")
        for number, draws in enumerate(epochs, start=1):
            print(f"  epoch {number}:", [round(draw, 4) for draw in draws])
        assert (epochs[0] == epochs[1]) == (not persistent)
        assert all(first == second for first, second in epochs)
