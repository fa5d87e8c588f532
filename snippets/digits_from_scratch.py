"""A classifier of digits from plain tensor operations, and again from the library's parts."""

import math
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from snippets.data import (
    mnist_tensors,
    seeded_generator,
    show_digit,
    write_digits_as_mnist,
)
from snippets.losses import cross_entropy_by_hand
from snippets.modules import my_linear, my_relu


def all_digits(flat):
    """The 1,797 digits of scikit-learn in their order, as images or as rows of 64 numbers."""
    with TemporaryDirectory() as root:
        write_digits_as_mnist(root)
        parts = [mnist_tensors(root, train=train) for train in (True, False)]
    images, labels = map(torch.cat, zip(*parts, strict=True))
    return images.flatten(start_dim=1) if flat else images, labels


def draw_digits(images, labels):
    """The first twenty digits."""
    _, axes = plt.subplots(2, 10, figsize=(6.4, 1.8), layout="constrained")
    for ax, image, label in zip(axes.flat, images, labels.tolist(), strict=False):
        show_digit(ax, image.reshape(8, 8), label)
    plt.show()
    print("images:", tuple(images.shape), images.dtype)
    print("labels:", tuple(labels.shape), labels.dtype)


def shuffled_split(images, labels, seed):
    """1,500 digits to train with and 297 to test with, in an order drawn by lot."""
    order = torch.randperm(len(labels), generator=seeded_generator(seed))
    train, test = order[:1500], order[1500:]
    return images[train], labels[train], images[test], labels[test]


def split_in_order(images, labels):
    """The first 1,500 digits to train with and the last 297 to test with."""
    return images[:1500], labels[:1500], images[1500:], labels[1500:]


def new_layer(inputs, outputs, seed):
    """The weight and the bias of a layer, drawn as `nn.Linear` draws them."""
    generator = seeded_generator(seed)
    bound = 1 / math.sqrt(inputs)
    weight = torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator)
    bias = torch.empty(outputs).uniform_(-bound, bound, generator=generator)
    return weight.requires_grad_(), bias.requires_grad_()


class ScratchNetwork:
    """A linear layer, ReLU and a linear layer: ten logits for each image."""

    def __init__(self, hidden_weight, hidden_bias, output_weight, output_bias):
        self.parameters = [hidden_weight, hidden_bias, output_weight, output_bias]

    def __call__(self, images):
        hidden_weight, hidden_bias, output_weight, output_bias = self.parameters
        hidden = my_relu(my_linear(images, hidden_weight, hidden_bias))
        return my_linear(hidden, output_weight, output_bias)


def check_first_loss(loss, classes):
    """Whether the loss before training is that of a blind guess."""
    blind = math.log(classes)
    print(f"loss {loss.item():.2f}, blind guess {blind:.2f}")
    assert abs(loss.item() - blind) < 0.1


def shuffled_batches(count, size, epochs, seed):
    """The numbers of the samples in each batch; every epoch has a new order."""
    generator = seeded_generator(seed)
    batches = []
    for _ in range(epochs):
        batches += torch.randperm(count, generator=generator).split(size)
    return batches


def train_from_scratch(network, optimizer, images, labels, batches):
    """Train with our own parts; returns the loss of every batch."""
    losses = []
    for batch in batches:
        logits = network(images[batch])
        loss = cross_entropy_by_hand(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(logits, labels, at_least):
    """The share of images whose largest logit is that of the right class."""
    share = (logits.argmax(dim=1) == labels).double().mean().item()
    print(f"accuracy {share:.3f} on {len(labels)} images")
    assert share >= at_least


def library_network(inputs, hidden, outputs, seed):
    """The same network from the library's parts."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


def copy_parameters(model, network):
    """Let a library model start from the numbers of our network."""
    with torch.no_grad():
        for parameter, given in zip(
            model.parameters(), network.parameters, strict=True
        ):
            print(f"{tuple(parameter.shape)!s:9} <- {tuple(given.shape)}")
            parameter.copy_(given)


def train_with_library(model, images, labels, batches, lr):
    """Train with the library's parts; returns the loss of every batch."""
    loader = DataLoader(TensorDataset(images, labels), batch_sampler=batches)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr)
    losses = []
    for inputs, targets in loader:
        loss = loss_fn(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare_losses(ours, library):
    """Both losses at every step, and their difference, which must stay below 0.00001."""
    differences = [abs(a - b) for a, b in zip(ours, library, strict=True)]
    print(f"steps: {len(ours)}, last losses: {ours[-1]:.4f} and {library[-1]:.4f}")
    assert max(differences) < 1e-5

    _, (top, bottom) = plt.subplots(
        2, figsize=(6.4, 4.2), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    top.plot(ours, color="C0", linewidth=3, label="from scratch")
    top.plot(library, color="C1", linewidth=0.7, label="library")
    top.set_ylabel("loss of the batch")
    top.legend()
    bottom.plot(differences, color="C2", linewidth=0.7)
    bottom.axhline(1e-5, color="C3", linestyle=":")
    bottom.set(xlabel="step", ylabel="difference", yscale="log", ylim=(1e-9, 1e-4))
    plt.show()


def draw_hidden_units(weight, count):
    """The weights of some hidden units, each as an image: what makes the unit respond."""
    weights = weight.detach()[:count]
    limit = weights.abs().max().item()
    rows = count // 8
    _, axes = plt.subplots(rows, 8, figsize=(6.4, 0.8 * rows), layout="constrained")
    for ax, row in zip(axes.flat, weights, strict=True):
        ax.imshow(row.reshape(8, 8).tolist(), cmap="RdBu", vmin=-limit, vmax=limit)
        ax.axis("off")
    plt.show()


def draw_mistakes(images, labels, logits):
    """Every test image that the network reads wrong, with its label and what was read."""
    read = logits.argmax(dim=1)
    wrong = (read != labels).nonzero().flatten().tolist()
    columns = 6
    rows = math.ceil(len(wrong) / columns)
    _, axes = plt.subplots(
        rows, columns, figsize=(6.4, 1.3 * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, number in zip(axes.flat, wrong, strict=False):
        title = f"{labels[number]}, read as {read[number]}"
        show_digit(ax, images[number].reshape(8, 8), title)
    print(len(wrong), "of", len(labels), "read wrong")
    plt.show()
