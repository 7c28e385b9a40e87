"""Images with labels in memory, how a search splits them (SPLITS), subsets of them, and their fingerprint."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

ORDER_SEED = 0  # of the one shuffle of data whose files come class by class


@dataclass(frozen=True)
class ImageSet:
    """`images` uint8 (N, C, H, W) and `labels` int64 (N,), on the CPU."""

    images: Tensor
    labels: Tensor

    def __getitem__(self, index: Tensor | slice) -> "ImageSet":
        """The images at positions (M,), at the True of a mask (N,) or in a slice."""
        return ImageSet(self.images[index], self.labels[index])


Loaded = tuple[ImageSet, ImageSet | None, str]  # train, test, and a sentence that says what was read


def fingerprint(*parts: ImageSet | None) -> str:
    """SHA-256 of shapes, pixels and labels."""
    digest = hashlib.sha256()
    for part in parts:
        if part is not None:
            digest.update(str(tuple(part.images.shape)).encode())
            digest.update(part.images.numpy().tobytes())
            digest.update(part.labels.numpy().tobytes())
    return digest.hexdigest()


def every_fifth(labels: Tensor) -> Tensor:
    """True for every fifth image of each class, in file order: a split that never changes."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero().flatten()[4::5]] = True
    return chosen


def halves(images: ImageSet, shuffled: bool) -> tuple[ImageSet, ImageSet]:
    """The first half for the weights, the second for eta, as in the released code; files that are not `shuffled` are permuted first."""
    if not shuffled:
        images = images[torch.randperm(len(images.labels), generator=torch.Generator().manual_seed(ORDER_SEED))]
    middle = len(images.labels) // 2
    return images[:middle], images[middle:]


def all_and_test_half(images: ImageSet, test: ImageSet | None) -> tuple[ImageSet, ImageSet]:
    """All training images for the weights, a random half of the test images for eta.

    The code of the NAS-Bench-201 baselines searches CIFAR-100 and ImageNet16-120 in this way. Such a search has seen images on which the
    benchmark's validation accuracy is measured. The half is fixed, but not that of the official lists.
    Raises ValueError where there are no test images.
    """
    if test is None:
        raise ValueError("split='test_half' needs test images, and this data set has none: use split='halves'")
    order = torch.randperm(len(test.labels), generator=torch.Generator().manual_seed(ORDER_SEED))
    return images, test[order[: len(order) // 2]]


SPLITS = {  # a new one is also a value of `split` in config/search.py
    "halves": lambda dataset: halves(dataset.train, dataset.shuffled),
    "test_half": lambda dataset: all_and_test_half(dataset.train, dataset.test),
}


def subset(images: ImageSet, count: int, seed: int) -> ImageSet:
    """`count` images in random order, of each class equally many as far as it has them. Raises ValueError where there are fewer."""
    there = len(images.labels)
    if not 0 < count <= there:
        raise ValueError(f"subset={count}: the training set has {there} images. Allowed are 1 to {there}, and None for all")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(there, generator=generator)
    labels = images.labels[order]
    rank = torch.zeros_like(labels)  # how many images of its class come before
    for label in labels.unique():
        of_class = labels == label
        rank[of_class] = torch.arange(int(of_class.sum()))
    chosen = rank.argsort(stable=True)[:count]  # all firsts, then all seconds, ...
    return images[order[chosen[torch.randperm(count, generator=generator)]]]
