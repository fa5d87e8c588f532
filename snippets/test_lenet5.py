"""Properties of the layers that LeNet-5 adds to the library's."""

import torch
import torch.nn.functional as F

from snippets.lenet5 import (
    MAPS_SEEN,
    ScaledTanh,
    SparseConv2d,
    Subsampling,
    distort,
    place_in_field,
)


def test_table_of_connections_is_the_papers():
    """Six maps see three others, nine see four, one sees all six: 60 pairs, each map used ten times."""
    assert [len(maps) for maps in MAPS_SEEN] == [3] * 6 + [4] * 9 + [6]
    seen = [number for maps in MAPS_SEEN for number in maps]
    assert [seen.count(number) for number in range(6)] == [10] * 6
    assert len({tuple(maps) for maps in MAPS_SEEN}) == 16


def test_sparse_convolution_is_one_with_holes():
    """Each output map is the sum over the maps it sees, and no other map reaches it."""
    torch.manual_seed(0)
    layer = SparseConv2d(6, MAPS_SEEN, kernel_size=5)
    images = torch.randn(2, 6, 14, 14)
    outputs = layer(images)
    kernels = iter(layer.weight)
    for out, maps in enumerate(MAPS_SEEN):
        expected = layer.bias[out] + sum(
            F.conv2d(images[:, seen : seen + 1], next(kernels)[None, None])
            for seen in maps
        )
        torch.testing.assert_close(outputs[:, out : out + 1], expected)


def test_subsampling_starts_as_the_mean():
    """Fresh, it is average pooling; its weight and bias work on whole maps."""
    images = torch.randn(2, 6, 4, 4)
    layer = Subsampling(maps=6)
    torch.testing.assert_close(layer(images), F.avg_pool2d(images, 2))
    with torch.no_grad():
        layer.weight[3] = 2
        layer.bias[3] = 1
    torch.testing.assert_close(
        layer(images)[:, 3], 2 * F.avg_pool2d(images, 2)[:, 3] + 1
    )


def test_squashing_keeps_one():
    """1 goes to 1 and -1 to -1, to three digits."""
    ends = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(ScaledTanh()(ends), ends, rtol=0, atol=1e-3)


def test_fields_have_the_papers_margin_and_scale():
    """6 empty pixels on each side, ink at 1.175, paper at -0.1; distorting leaves that range."""
    torch.manual_seed(0)
    fields = place_in_field(torch.ones(5, 1, 8, 8))
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[6:26, 6:26] = True
    torch.testing.assert_close(fields[0, 0][inside], torch.full((400,), 1.175))
    torch.testing.assert_close(fields[0, 0][~inside], torch.full((624,), -0.1))
    distorted = distort(fields)
    assert distorted.shape == fields.shape
    assert distorted.min() > -0.1001
    assert distorted.max() < 1.1751
    assert not torch.equal(distorted[0], distorted[1])
