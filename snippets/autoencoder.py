"""Autoencoders: images squeezed through a code of a few numbers, and drawn again from it."""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from torch import nn

from snippets.data import mnist_tensors, show_digit, write_digits_as_mnist


def digit_tensors(root):
    """Images and labels to train with, images and labels to test with."""
    write_digits_as_mnist(root)
    images, labels = mnist_tensors(root, train=True)
    test_images, test_labels = mnist_tensors(root, train=False)
    print("to train with:", tuple(images.shape))
    print("to test with: ", tuple(test_images.shape))
    return images, labels, test_images, test_labels


class PCA:
    """Principal component analysis: the best linear code of a given size."""

    def __init__(self, images, code_size):
        pixels = images.flatten(1)
        self.mean = pixels.mean(dim=0)
        # The rows of the last factor are directions, those with most spread first.
        directions = torch.linalg.svd(pixels - self.mean, full_matrices=False).Vh
        self.directions = directions[:code_size]

    def encoder(self, images):
        return (images.flatten(1) - self.mean) @ self.directions.T

    def decoder(self, codes):
        return (codes @ self.directions + self.mean).unflatten(1, (1, 8, 8))

    def __call__(self, images):
        return self.decoder(self.encoder(images))


class Autoencoder(nn.Module):
    """An encoder that makes a code of an image, and a decoder that makes an image of a code."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images):
        return self.decoder(self.encoder(images))


def make_dense(code_size, seed):
    """An autoencoder of linear layers."""
    torch.manual_seed(seed)
    encoder = [nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, code_size)]
    decoder = [nn.Linear(code_size, 256), nn.ReLU(), nn.Linear(256, 64)]
    return Autoencoder(
        nn.Sequential(*encoder), nn.Sequential(*decoder, nn.Unflatten(1, (1, 8, 8)))
    )


def make_convolutional(code_size, seed):
    """An autoencoder with convolutions, whose maps are halved in size once, and doubled once."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(
        *[nn.Conv2d(1, 16, kernel_size=3, padding=1), nn.ReLU()],
        *[nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1), nn.ReLU()],
        *[nn.Flatten(), nn.Linear(32 * 4 * 4, code_size)],
    )
    decoder = nn.Sequential(
        *[nn.Linear(code_size, 32 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (32, 4, 4))],
        *[nn.ConvTranspose2d(32, 16, kernel_size=2, stride=2), nn.ReLU()],
        nn.Conv2d(16, 1, kernel_size=3, padding=1),
    )
    return Autoencoder(encoder, decoder)


def make_sparse(code_size, seed):
    """A dense autoencoder whose codes cannot be negative, so that a number can be exactly 0."""
    model = make_dense(code_size, seed)
    model.encoder.append(nn.ReLU())
    return model


def error(model, images):
    """The mean squared error of the pixels."""
    with torch.no_grad():
        return F.mse_loss(model(images), images).item()


def train(model, images, epochs, seed, schedule=True, penalty=0.0):
    """Train a model to give back its inputs; returns the loss of each epoch.

    A penalty adds that number times the mean size of the codes' numbers to the loss.
    """
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    # Without a schedule the rate stays where it is: every factor is 1.
    steps = epochs * len(images.split(64))
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    constant = torch.optim.lr_scheduler.ConstantLR
    scheduler = (
        one_cycle(optimizer, max_lr=0.005, total_steps=steps)
        if schedule
        else constant(optimizer, factor=1)
    )
    history = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images)).split(64):
            codes = model.encoder(images[batch])
            loss = F.mse_loss(model.decoder(codes), images[batch])
            total += loss.item() * len(batch)
            optimizer.zero_grad()
            (loss + penalty * codes.abs().mean()).backward()
            optimizer.step()
            scheduler.step()
        history.append(total / len(images))
    return history


def compare_errors(models, images):
    """The errors of several models on the same images."""
    for name, model in models.items():
        print(f"{name:15} error {error(model, images):.4f}")


def beats_pca(pca, model, images):
    """Whether a trained autoencoder reconstructs new images better than PCA does."""
    compare_errors({"PCA": pca, "autoencoder": model}, images)
    assert error(model, images) < error(pca, images)


def count_parameters(models):
    """How many numbers each model learns."""
    for name, model in models.items():
        count = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:15} {count:6,} parameters")


def show_reconstructions(models, images):
    """Eight images, and what each model makes of them."""
    rows = {"original": images[:8]}
    with torch.no_grad():
        rows |= {name: model(images[:8]) for name, model in models.items()}
    size = (6.4, 0.9 * len(rows))
    fig, axes = plt.subplots(len(rows), 8, figsize=size, layout="constrained")
    for row, (name, drawn) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(row, drawn, strict=True):
            show_digit(ax, image, title="")
        row[0].set_title(name, fontsize=9, loc="left")
    plt.show()


def plot_histories(histories):
    """The losses of several runs."""
    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    for name, history in histories.items():
        ax.plot(range(1, len(history) + 1), history, label=name)
    ax.set(xlabel="epoch", ylabel="error on training digits", yscale="log")
    ax.legend()
    plt.show()


def compare_sparsity(model, train_images, images):
    """A sparse code, and PCA with as many numbers as an image uses of it: those that are not 0."""
    with torch.no_grad():
        used = model.encoder(images) != 0
    count = round(used.float().sum(dim=1).mean().item())
    print("numbers in a code:       ", used.shape[1])
    print("used by at least 1 image:", used.any(dim=0).sum().item())
    print("used by an image:        ", count)
    pca = PCA(train_images, count)
    compare_errors({f"PCA, {count} numbers": pca, "sparse": model}, images)
    assert count < 20
    assert error(model, images) < error(pca, images)


def show_codes(models, images, labels):
    """The codes of 80 images, sorted by digit: a column for each image, a row for each number."""
    order = labels[:80].sort(stable=True)
    fig, axes = plt.subplots(
        len(models), 1, figsize=(6.4, 4), sharex=True, layout="constrained"
    )
    shades = LinearSegmentedColormap.from_list(
        "shades", [to_rgba("C0", 0.15), to_rgba("C0", 1)]
    )
    for ax, (name, model) in zip(axes, models.items(), strict=True):
        with torch.no_grad():
            sizes = model.encoder(images[order.indices]).abs()
        # Where a number is 0, the page shows through.
        sizes = sizes.masked_fill(sizes == 0, float("nan"))
        ax.imshow(sizes.T.tolist(), aspect="auto", cmap=shades, interpolation="none")
        ax.set(title=name, ylabel="number")
    firsts = [(order.values == digit).nonzero()[0].item() for digit in range(10)]
    axes[-1].set_xticks(firsts, range(10))
    axes[-1].set_xlabel("digit")
    plt.show()


def two_directions(model, images):
    """Codes of images, turned so that their two directions of largest spread come first."""
    with torch.no_grad():
        codes = model.encoder(images)
    centered = codes - codes.mean(dim=0)
    directions = torch.linalg.svd(centered, full_matrices=False).Vh[:2]
    return centered @ directions.T


def neighbors_agree(places, labels):
    """The share of points whose nearest neighbor has the same label."""
    distances = torch.cdist(places, places).fill_diagonal_(float("inf"))
    return (labels[distances.argmin(dim=1)] == labels).float().mean().item()


def named_maps(pca, large, small):
    """The three ways to give each digit two coordinates, by name."""
    return {
        "PCA of pixels": pca,
        "PCA of 32 numbers": large,
        "two numbers": small,
    }


def compare_maps(models, images, labels):
    """How well each map of the digits keeps the same digits together."""
    agreements = []
    for name, model in models.items():
        agreements.append(neighbors_agree(two_directions(model, images), labels))
        print(f"{name:17} nearest neighbor has the same label: {agreements[-1]:.2f}")
    assert agreements[-1] == max(agreements)


def show_maps(models, images, labels):
    """Digits as points in the plane: each image at the place that its code gives it."""
    fig, axes = plt.subplots(1, len(models), figsize=(6.4, 3.6), layout="constrained")
    for ax, (name, model) in zip(axes, models.items(), strict=True):
        places = two_directions(model, images)
        for digit in range(10):
            x, y = places[labels == digit].T
            # Ten digits and eight colors: the digit itself is the mark.
            ax.scatter(x, y, s=22, marker=f"${digit}$", color=f"C{digit % 8}", lw=0.2)
        ax.set_title(name)
        ax.axis("off")
    plt.show()
