"""Which training images move the weights and which move eta."""

import torch

from drnas_lib.data.sources import ImageSet

ORDER_SEED = 0  # of the one shuffle of data whose files come class by class


def _take(images: ImageSet, index: torch.Tensor) -> ImageSet:
    return ImageSet(images.images[index], images.labels[index])


def halves(images: ImageSet, shuffled: bool) -> tuple[ImageSet, ImageSet]:
    """First half for the weights, second half for eta, as the released code splits the training set.

    `shuffled` says that the order of the files is random already; otherwise one fixed permutation comes first, or each
    half would lack classes.
    """
    count = len(images.labels)
    generator = torch.Generator().manual_seed(ORDER_SEED)
    order = torch.arange(count) if shuffled else torch.randperm(count, generator=generator)
    return _take(images, order[: count // 2]), _take(images, order[count // 2 :])


def all_and_test_half(images: ImageSet, test: ImageSet | None) -> tuple[ImageSet, ImageSet]:
    """All training images for the weights, a random half of the test images for eta: so the NAS-Bench-201 baselines' own code searches
    CIFAR-100 and ImageNet16-120. Such a search has seen images on which the benchmark's validation accuracy is measured.

    Raises ValueError where there are no test images. Which half is fixed, but not that of the official lists.
    """
    if test is None:
        raise ValueError("split='test_half' needs test images, and this data set has none: use split='halves'")
    order = torch.randperm(len(test.labels), generator=torch.Generator().manual_seed(ORDER_SEED))
    return images, _take(test, order[: len(order) // 2])


SPLITS = {
    "halves": lambda images, dataset: halves(images, dataset.shuffled),
    "test_half": lambda images, dataset: all_and_test_half(images, dataset.test),
}


def subset(images: ImageSet, count: int, seed: int) -> ImageSet:
    """`count` images, as equal a number of each class as there is, in random order.

    Raises ValueError where there are fewer.
    """
    there = len(images.labels)
    if not 0 < count <= there:
        raise ValueError(f"subset={count}: the training set has {there} images. Allowed are 1 to {there}, and None for all")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images.labels), generator=generator)
    labels = images.labels[order]
    rank = torch.zeros_like(labels)  # how many of its class come before
    for label in labels.unique():
        of_class = labels == label
        rank[of_class] = torch.arange(int(of_class.sum()))
    chosen = rank.argsort(stable=True)[:count]  # all firsts, then all seconds, ...
    return _take(images, order[chosen[torch.randperm(count, generator=generator)]])
