"""drnas_lib.data.image_set: halves of the training set, and smaller training sets."""

import pytest
import torch

from drnas_lib.data.image_set import ImageSet, all_and_test_half, halves, subset


def numbered(labels: torch.Tensor) -> ImageSet:
    """One-pixel images that carry their place in the set."""
    return ImageSet(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), labels)


def places(images: ImageSet) -> list[int]:
    return images.images.flatten().tolist()


def class_by_class(classes: int, each: int) -> ImageSet:
    return numbered(torch.arange(classes).repeat_interleave(each))


def test_halves_follow_the_files_of_a_shuffled_set():
    of_weights, of_arch = halves(class_by_class(3, 7), shuffled=True)
    assert places(of_weights) == list(range(10))
    assert places(of_arch) == list(range(10, 21))
    assert torch.equal(of_arch.labels, torch.arange(3).repeat_interleave(7)[10:])


def test_halves_of_files_class_by_class_are_mixed_disjoint_and_repeatable():
    images = class_by_class(5, 40)
    of_weights, of_arch = halves(images, shuffled=False)
    assert sorted(places(of_weights) + places(of_arch)) == list(range(200))
    assert torch.equal(of_weights.labels, torch.tensor(places(of_weights)) // 40)
    assert torch.bincount(of_weights.labels, minlength=5).min() >= 10
    assert torch.bincount(of_arch.labels, minlength=5).min() >= 10
    assert places(halves(images, shuffled=False)[0]) == places(of_weights)


@pytest.mark.parametrize("count, expected", [(20, [5, 5, 5, 5]), (22, [5, 5, 6, 6]), (3, [0, 1, 1, 1])])
def test_subset_has_each_class_as_often_as_the_next(count, expected):
    images = subset(class_by_class(4, 30), count, seed=0)
    assert sorted(torch.bincount(images.labels, minlength=4).tolist()) == expected
    assert len(set(places(images))) == count
    assert torch.equal(images.labels, torch.tensor(places(images)) // 30)


def test_subset_takes_more_of_the_others_where_a_class_is_small():
    images = subset(numbered(torch.tensor([0] * 3 + [1] * 40 + [2] * 40)), 43, seed=0)
    assert torch.bincount(images.labels).tolist() == [3, 20, 20]


def test_subset_is_a_matter_of_its_seed_and_leaves_no_order_of_classes():
    images = class_by_class(4, 30)
    first, again, other = (places(subset(images, 60, seed)) for seed in (0, 0, 1))
    assert first == again
    assert set(first) != set(other)
    assert torch.bincount(subset(images, 60, 0).labels[:30], minlength=4).min() >= 3


@pytest.mark.parametrize("count", [0, -1, 121])
def test_an_impossible_subset_is_refused(count):
    with pytest.raises(ValueError, match=f"subset={count}: the training set has 120 images"):
        subset(class_by_class(4, 30), count, seed=0)


def test_all_training_images_and_half_of_the_test_images():
    train, test = class_by_class(4, 10), class_by_class(2, 10)
    of_weights, of_arch = all_and_test_half(train, test)
    assert torch.equal(of_weights.images, train.images)
    seen = places(of_arch)
    assert len(set(seen)) == 10 and set(seen) <= set(range(20)) and seen != sorted(seen)
    with pytest.raises(ValueError, match="use split='halves'"):
        all_and_test_half(train, None)
