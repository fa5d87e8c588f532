"""LeNet-5 as its paper of 1998 describes it, trained on the digits of scikit-learn."""

from collections import OrderedDict

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

from snippets.data import mnist_tensors
from snippets.training_loop import confusion_matrix, digit_sets, make_train_step

# What the paper counts: trainable parameters and connections of each layer.
# Its ten outputs have 840 connections and no trainable parameter.
PAPER = {
    "C1": (156, 122_304),
    "S2": (12, 5_880),
    "C3": (1_516, 151_600),
    "S4": (32, 2_000),
    "C5": (48_120, 48_120),
    "F6": (10_164, 10_164),
}

# The feature maps of S2 that each of the 16 maps of C3 sees: table 1 of the paper.
MAPS_SEEN = [
    *[sorted((first + step) % 6 for step in range(3)) for first in range(6)],
    *[sorted((first + step) % 6 for step in range(4)) for first in range(6)],
    *[(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)],
    range(6),
]


def place_in_field(images):
    """Digits of 8 by 8 pixels, enlarged to 20 by 20 and centered in a field of 32 by 32."""
    enlarged = F.interpolate(images, size=(20, 20), mode="bilinear")
    field = F.pad(enlarged, (6, 6, 6, 6))
    # The paper's scale: -0.1 for the background, 1.175 for ink.
    return field * 1.275 - 0.1


def lenet_sets(root):
    """Digits in their fields: to train with, to test with, and to test with in other hands."""
    train_set, test_set = digit_sets(root)
    other_hands = TensorDataset(*mnist_tensors(root, train=False))
    placed = []
    for part in (train_set, test_set, other_hands):
        images, labels = part.tensors
        placed.append(TensorDataset(place_in_field(images), labels))
    names = ("train", "test", "other hands")
    for name, part in zip(names, placed, strict=True):
        print(f"{name:11}", tuple(part.tensors[0].shape))
    return placed


def show_enlarged(root):
    """A digit as it is stored, and as the network gets it."""
    stored, _ = mnist_tensors(root, train=True)
    fields = place_in_field(stored)
    fig, axes = plt.subplots(1, 6, figsize=(6.4, 1.4), layout="constrained")
    for ax, number in zip(axes[::2], (0, 5, 8), strict=True):
        ax.imshow(stored[number, 0].tolist(), cmap="gray")
        ax.set_title("8 by 8", fontsize=9)
    for ax, number in zip(axes[1::2], (0, 5, 8), strict=True):
        ax.imshow(fields[number, 0].tolist(), cmap="gray")
        ax.set_title("32 by 32", fontsize=9)
    for ax in axes:
        ax.axis("off")
    print(f"mean {fields.mean():.2f}, standard deviation {fields.std():.2f}")
    plt.show()


def sheets_in_order(training_digits):
    """The labels tell that the digits come sheet by sheet, one hand after the other."""
    labels = load_digits().target.tolist()
    # A sheet starts with three times the ten digits; then these follow.
    mark = [0, 9, 5, 5, 6, 5, 0, 9, 8, 9, 8, 4]
    marks = [n for n in range(len(labels)) if labels[n : n + len(mark)] == mark]
    sheets = [n - 30 for n in marks]
    print("sheets:     ", len(sheets))
    print("they start at", sheets)
    next_sheet = min(start for start in sheets if start >= training_digits)
    print(f"digits after {training_digits}:", len(labels) - training_digits)
    print("  that finish a sheet begun before:", next_sheet - training_digits)
    assert len(sheets) == 14


class ScaledTanh(nn.Module):
    """The squashing function of the paper: it maps 1 to about 1, and -1 to about -1."""

    def forward(self, inputs):
        return 1.7159 * torch.tanh(2 / 3 * inputs)


class Subsampling(nn.Module):
    """Halves height and width: the mean of four cells, times a weight of its map, plus a bias."""

    def __init__(self, maps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, inputs):
        return F.avg_pool2d(inputs, kernel_size=2) * self.weight + self.bias


class SparseConv2d(nn.Module):
    """A convolution in which each output map sees only some of the input maps."""

    def __init__(self, in_maps, maps_seen, kernel_size):
        super().__init__()
        pairs = [(out, seen) for out, maps in enumerate(maps_seen) for seen in maps]
        self.shape = len(maps_seen), in_maps, kernel_size, kernel_size
        self.register_buffer("pairs", torch.tensor(pairs).T)
        bound = (in_maps * kernel_size**2) ** -0.5
        self.weight = nn.Parameter(torch.empty(len(pairs), kernel_size, kernel_size))
        nn.init.uniform_(self.weight, -bound, bound)
        self.bias = nn.Parameter(torch.zeros(len(maps_seen)))

    def forward(self, inputs):
        # The kernels of pairs that are not connected stay 0 and get no parameter.
        kernels = self.weight.new_zeros(self.shape)
        kernels = kernels.index_put(tuple(self.pairs), self.weight)
        return F.conv2d(inputs, kernels, self.bias)


def make_lenet5(classes):
    """The layers of the paper under the paper's names; the last one is today's."""
    return nn.Sequential(
        OrderedDict(
            C1=nn.Conv2d(1, 6, kernel_size=5),
            C1_squash=ScaledTanh(),
            S2=Subsampling(6),
            S2_squash=ScaledTanh(),
            C3=SparseConv2d(6, MAPS_SEEN, kernel_size=5),
            C3_squash=ScaledTanh(),
            S4=Subsampling(16),
            S4_squash=ScaledTanh(),
            C5=nn.Conv2d(16, 120, kernel_size=5),
            C5_squash=ScaledTanh(),
            flatten=nn.Flatten(),
            F6=nn.Linear(120, 84),
            F6_squash=ScaledTanh(),
            output=nn.Linear(84, classes),
        )
    )


def count_parameters(model):
    """How many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def connections(layer, outputs):
    """Inputs and biases that enter the units of a layer, each counted once for every unit."""
    if isinstance(layer, Subsampling):
        return outputs.numel() * 5  # four cells and a bias
    positions = outputs[0, 0].numel() if outputs.dim() == 4 else 1
    return count_parameters(layer) * positions


def follow_one_image(model, dataset):
    """Shapes, parameters and connections layer by layer, compared with the paper's."""
    print("layer   shape         parameters  connections")
    outputs, _ = dataset[:1]
    for name, layer in model.named_children():
        outputs = layer(outputs)
        if isinstance(layer, ScaledTanh | nn.Flatten):
            continue
        counted = count_parameters(layer), connections(layer, outputs)
        shape = " x ".join(map(str, outputs.shape[1:]))
        print(f"{name:7} {shape:13} {counted[0]:10,} {counted[1]:12,}")
        if name in PAPER:
            assert counted == PAPER[name]
    total = sum(parameters for parameters, _ in PAPER.values())
    print(f"C1 to F6, in the paper: {total:,}, here:", end=" ")
    print(f"{count_parameters(model[:-1]):,}")
    assert total == count_parameters(model[:-1]) == 60_000


def make_todays_lenet(classes):
    """What is called LeNet-5 today: full C3, max pooling without parameters, ReLU."""
    return nn.Sequential(
        *[nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.MaxPool2d(kernel_size=2)],
        *[nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(kernel_size=2)],
        *[nn.Conv2d(16, 120, kernel_size=5), nn.ReLU(), nn.Flatten()],
        *[nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)],
    )


def compare_counts(lenet5, todays):
    """Where the two networks differ in their number of parameters."""
    differences = {
        "C3 sees all maps": count_parameters(todays[3]) - count_parameters(lenet5.C3),
        "S2 and S4 learn nothing": -count_parameters(lenet5.S2)
        - count_parameters(lenet5.S4),
    }
    print(f"here, with its output layer {count_parameters(lenet5):7,}")
    for name, difference in differences.items():
        print(f"{name:27} {difference:+7,}")
    print(f"LeNet-5 of today            {count_parameters(todays):7,}")
    assert count_parameters(lenet5) == 60_000 + 850
    assert count_parameters(todays) == 60_850 + sum(differences.values()) == 61_706


def distort(images):
    """Each image turned, stretched, slanted and moved a little, by chance."""
    count = len(images)
    # One row for each image: turn, two stretches, slant, two shifts.
    amounts = torch.tensor([0.25, 0.12, 0.12, 0.2, 0.1, 0.1])
    turn, wide, high, slant, right, down = (
        (2 * torch.rand(count, 6) - 1) * amounts
    ).unbind(1)
    rows = [
        torch.stack([turn.cos() + wide, slant - turn.sin(), right], dim=1),
        torch.stack([turn.sin(), turn.cos() + high, down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), images.shape, align_corners=False)
    # Outside of the field there is 0: shift the paper's -0.1 there for the moment.
    return F.grid_sample(images + 0.1, grid, align_corners=False) - 0.1


def show_distorted(dataset, seed):
    """One digit, and six distorted copies of it."""
    torch.manual_seed(seed)
    images, _ = dataset[:1]
    copies = distort(images.expand(6, -1, -1, -1))
    fig, axes = plt.subplots(1, 7, figsize=(6.4, 1.2), layout="constrained")
    for ax, image in zip(axes, [images[0], *copies], strict=True):
        ax.imshow(image[0].tolist(), cmap="gray", vmin=-0.1, vmax=1.175)
        ax.axis("off")
    axes[0].set_title("original", fontsize=9)
    plt.show()


def train_lenet5(train_set, epochs, seed):
    """A trained LeNet-5, and the mean loss of each epoch."""
    torch.manual_seed(seed)
    images, labels = train_set.tensors
    model = make_lenet5(classes=10)
    optimizer = torch.optim.AdamW(model.parameters())
    train_step = make_train_step(model, nn.CrossEntropyLoss(), optimizer)
    steps_per_epoch = len(labels) // 50
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.005, epochs=epochs, steps_per_epoch=steps_per_epoch
    )
    history = []
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(labels)).split(50):
            losses.append(train_step(distort(images[batch]), labels[batch]))
            scheduler.step()
        history.append(sum(losses) / len(losses))
    return model, history


def plot_losses(history):
    """The mean loss of each epoch."""
    fig, ax = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
    ax.plot(range(1, len(history) + 1), history, ".-")
    ax.set(xlabel="epoch", ylabel="loss on distorted digits", yscale="log")
    ax.set_xticks(range(5, len(history) + 1, 5))
    plt.show()


def predict(model, images):
    """The digit that the model reads in each image, and the probability it gives to it."""
    model.eval()
    with torch.no_grad():
        return model(images).softmax(dim=1).max(dim=1)


def judge(model, test_set, other_hands):
    """Which part of the digits the model reads right, in known hands and in others."""
    accuracies = []
    for name, dataset in {"test": test_set, "other hands": other_hands}.items():
        images, labels = dataset.tensors
        right = predict(model, images).indices == labels
        accuracies.append(right.float().mean().item())
        print(f"{name:11} accuracy {accuracies[-1]:.3f} on {len(labels)} digits")
    assert accuracies[0] >= 0.98
    assert 0.9 < accuracies[1] < accuracies[0]


def show_kernels(model):
    """The six kernels of C1: a purple weight is positive, an orange one negative."""
    kernels = model.C1.weight.detach()
    largest = kernels.abs().max().item()
    fig, axes = plt.subplots(1, 6, figsize=(6.4, 1.4), layout="constrained")
    for number, (ax, kernel) in enumerate(zip(axes, kernels, strict=True)):
        ax.imshow(kernel[0].tolist(), cmap="PuOr", vmin=-largest, vmax=largest)
        ax.set_title(f"kernel {number}", fontsize=9)
        ax.axis("off")
    plt.show()


def show_feature_maps(model, dataset, number):
    """What one digit becomes on its way: all maps of C1, S2, C3 and S4."""
    outputs, _ = dataset[number : number + 1]
    rows = {"input": outputs[0]}
    with torch.no_grad():
        for name, layer in model.named_children():
            outputs = layer(outputs)
            if name in ("C1_squash", "S2_squash", "C3_squash", "S4_squash"):
                rows[name[:2]] = outputs[0]
    # Rows of 6 and of 16 maps share one grid of 48 columns, so that few maps are large.
    fig = plt.figure(figsize=(6.4, 4.2), layout="constrained")
    grid = fig.add_gridspec(5, 48, height_ratios=[8, 8, 8, 3, 3])
    for row, (name, maps) in enumerate(rows.items()):
        width = 48 // max(len(maps), 6)
        for column, values in enumerate(maps):
            ax = fig.add_subplot(grid[row, column * width : (column + 1) * width])
            ax.imshow(values.tolist(), cmap="gray")
            ax.axis("off")
            if column == 0:
                ax.set_title(name, fontsize=9, loc="left")
    plt.show()


def show_mistakes(model, dataset):
    """The digits that the model reads wrong, with the truth and its answer."""
    images, labels = dataset.tensors
    probabilities, answers = predict(model, images)
    wrong = (answers != labels).nonzero().flatten().tolist()
    matrix = confusion_matrix(labels, answers, classes=10)
    print(f"read wrong: {len(wrong)} of {len(labels)}")
    assert len(wrong) == len(labels) - matrix.diag().sum()

    rows = (len(wrong) + 5) // 6
    size = (6.4, 1.5 * rows)
    fig, axes = plt.subplots(rows, 6, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, number in zip(axes.flat, wrong, strict=False):
        ax.imshow(images[number, 0].tolist(), cmap="gray")
        truth, answer = labels[number].item(), answers[number].item()
        share = probabilities[number].item()
        ax.set_title(f"{truth}, read {answer}\nat {share:.0%}", fontsize=8)
    plt.show()
