"""Properties of the models and measures of the autoencoder tutorial."""

import pytest
import torch
from sklearn import decomposition

from snippets.autoencoder import (
    PCA,
    make_convolutional,
    make_dense,
    neighbors_agree,
    two_directions,
)


@pytest.mark.parametrize("code_size", [1, 7, 32])
def test_pca_is_scikit_learns(code_size):
    """The same reconstructions of images that it was not fitted to."""
    torch.manual_seed(0)
    images = torch.rand(100, 1, 8, 8)
    reference = decomposition.PCA(code_size, svd_solver="full").fit(
        images[:80].flatten(1).double().numpy()
    )
    codes = reference.transform(images[80:].flatten(1).double().numpy())
    expected = torch.tensor(reference.inverse_transform(codes)).float()
    torch.testing.assert_close(
        PCA(images[:80], code_size)(images[80:]).flatten(1), expected, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("make", [make_dense, make_convolutional])
def test_images_come_back_in_their_shape(make):
    """The code has the size that was asked for, the image that of the image."""
    model = make(5, 0)
    images = torch.rand(3, 1, 8, 8)
    assert model.encoder(images).shape == (3, 5)
    assert model(images).shape == images.shape


def test_neighbors_in_two_heaps_agree():
    """Two heaps far apart: all agree; with labels that alternate along a line, none do."""
    torch.manual_seed(0)
    labels = torch.tensor([0, 1]).repeat_interleave(10)
    heaps = 100 * labels.unsqueeze(1) + torch.rand(20, 2)
    assert neighbors_agree(heaps, labels) == 1
    line = torch.stack([torch.arange(20.0), torch.zeros(20)], dim=1)
    assert neighbors_agree(line, torch.arange(20) % 2) == 0


def test_two_directions_keep_distances_of_a_plane():
    """Points that lie in a plane are turned, not changed."""
    torch.manual_seed(0)
    pca = PCA(torch.rand(50, 1, 8, 8), 2)
    images = torch.rand(20, 1, 8, 8)
    codes = pca.encoder(images)
    torch.testing.assert_close(
        torch.cdist(two_directions(pca, images), two_directions(pca, images)),
        torch.cdist(codes, codes),
        rtol=0,
        atol=1e-3,
    )
