"""Tests of drnas_lib.spaces.nb201_operations against their definitions."""

import pytest
import torch
import torch.nn.functional as F

from drnas_lib.genotype import NB201_OPERATIONS
from drnas_lib.spaces.nb201_operations import OPERATIONS, Zero, relu_conv_bn


def test_every_operation_of_the_space_has_a_module_in_its_order():
    assert tuple(OPERATIONS) == NB201_OPERATIONS


@pytest.mark.parametrize("name", NB201_OPERATIONS)
@pytest.mark.parametrize("affine", [True, False])
def test_shape_is_kept(name, affine):
    x = torch.randn(2, 3, 7, 5)
    assert OPERATIONS[name](3, affine)(x).shape == x.shape


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("size", [7, 8])
def test_stride_and_width(kernel, size):
    x = torch.randn(2, 3, size, size)
    assert relu_conv_bn(3, 5, kernel, 2, True)(x).shape == (2, 5, 4, 4) and Zero(2)(x).shape == (2, 3, 4, 4)


def test_none_is_zero_even_for_infinite_input():
    assert not OPERATIONS["none"](2, True)(torch.full((1, 2, 3, 3), float("inf"))).any()


def test_average_pooling_leaves_the_padding_out_of_the_mean():
    """Written out: the mean of the pixels inside the image, of the 3 x 3 around each pixel."""
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    pooled = OPERATIONS["avg_pool_3x3"](1, True)(x)
    for row in range(4):
        for column in range(4):
            rows = [r for r in range(row - 1, row + 2) if 0 <= r < 4]
            columns = [c for c in range(column - 1, column + 2) if 0 <= c < 4]
            inside = [x[0, 0, r, c].item() for r in rows for c in columns]
            assert pooled[0, 0, row, column].item() == pytest.approx(sum(inside) / len(inside), abs=1e-12)


@pytest.mark.parametrize(("name", "kernel"), [("nor_conv_1x1", 1), ("nor_conv_3x3", 3)])
def test_convolution_is_relu_conv_batch_norm(name, kernel):
    operation = OPERATIONS[name](2, False)
    x = torch.randn(8, 2, 5, 5)
    activated = F.conv2d(x.clamp(min=0), operation[1].weight, padding=kernel // 2)
    mean, var = activated.mean(dim=(0, 2, 3), keepdim=True), activated.var(dim=(0, 2, 3), keepdim=True, correction=0)
    torch.testing.assert_close(operation(x), (activated - mean) / (var + 1e-5).sqrt())


def test_input_is_not_changed_in_place():
    x = torch.randn(2, 2, 4, 4)
    before = x.clone()
    for factory in OPERATIONS.values():
        factory(2, True)(x)
    assert torch.equal(x, before)
