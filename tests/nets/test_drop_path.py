"""Tests of drnas_lib.nets.darts_network."""

import torch

from drnas_lib.nets.darts_network import DropPath


def test_at_probability_0_and_in_evaluation_nothing_changes():
    drop, x = DropPath(), torch.randn(5, 2, 3, 3)
    assert torch.equal(drop(x), x)
    drop.set_probability(0.9)
    assert torch.equal(drop.eval()(x), x)


def test_whole_images_are_dropped_and_the_others_scaled():
    drop = DropPath()
    drop.set_probability(0.25)
    torch.manual_seed(0)
    y = drop(torch.ones(4000, 2, 3, 3))
    image = y[:, 0, 0, 0]
    assert torch.equal(y, image[:, None, None, None].expand_as(y))
    torch.testing.assert_close(image[image > 0], torch.full_like(image[image > 0], 1 / 0.75))
    assert abs((image > 0).float().mean().item() - 0.75) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    assert abs(y.mean().item() - 1) < 0.04


def test_gradient_is_that_of_the_kept_images():
    drop = DropPath()
    drop.set_probability(0.5)
    x = torch.ones(64, 1, 1, 1, requires_grad=True)
    y = drop(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())  # both are the mask / keep


def test_the_probability_changes_in_place_and_is_no_state():
    drop = DropPath()
    before = drop.keep.data_ptr()
    drop.set_probability(0.3)
    assert drop.keep.data_ptr() == before and not drop.state_dict()
