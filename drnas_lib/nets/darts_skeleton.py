"""The macro networks of the DARTS space around any kind of cell: stem, cells of which two reduce, auxiliary head, classifier.

Liu et al., *DARTS* (ICLR 2019), section 3 and appendix A. Two kinds: CIFAR (20 cells of 36 channels) and ImageNet (14 of 48,
the stem reduces 224 pixels to 28). The width doubles and the resolution halves in the cells at 1/3 and 2/3 of the depth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from drnas_lib.config.presets import MACROS
from drnas_lib.spaces.darts_operations import FactorizedReduce
from drnas_lib.spaces.nb201_operations import relu_conv_bn


@dataclass(frozen=True)
class CellPlace:
    """Where a cell stands: channels of its two inputs, its own width, and whether it, or the cell before it, reduces."""

    c_before_last: int
    c_last: int
    channels: int
    reduction: bool
    reduction_before: bool


def reduction_positions(cells: int) -> tuple[int, int]:
    """The positions of the cells that reduce."""
    return cells // 3, 2 * cells // 3


def cell_places(cells: int, channels: int, stem: int, concatenated: tuple[int, int], reduced_stem: bool) -> Iterator[CellPlace]:
    """Every cell in order; a (normal, reduction) cell gives `concatenated` times its own width, the stem gives `stem` channels."""
    c_before_last = c_last = stem
    before = reduced_stem
    for i in range(cells):
        reduction = i in reduction_positions(cells)
        channels *= 1 + reduction
        yield CellPlace(c_before_last, c_last, channels, reduction, before)
        c_before_last, c_last, before = c_last, concatenated[reduction] * channels, reduction


class CifarStem(nn.Module):
    """One 3x3 convolution; both inputs of the first cell are its output."""

    multiplier, reduces = 3, False  # channels of the stem over those of the network, when this is trained on its own

    def __init__(self, c_in: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(c_in, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        state = self.layers(x)  # B C H W
        return state, state


class ImageNetStem(nn.Module):
    """Three 3x3 convolutions at stride 2; the first cell gets the outputs of the second and of the third."""

    multiplier, reduces = 1, True

    def __init__(self, c_in: int, width: int):
        super().__init__()
        self.first = nn.Sequential(
            _halve(c_in, width // 2), nn.BatchNorm2d(width // 2), nn.ReLU(), _halve(width // 2, width), nn.BatchNorm2d(width)
        )
        self.second = nn.Sequential(nn.ReLU(), _halve(width, width), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.first(x)  # B C H/4 W/4
        return quarter, self.second(quarter)  # B C H/8 W/8


def _halve(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False)


def cell_inputs(place: CellPlace, affine: bool) -> nn.ModuleList:
    """The layers that bring the two inputs of a cell to its width and resolution."""
    project = partial(relu_conv_bn, kernel=1, stride=1, affine=affine)
    halve = partial(FactorizedReduce, affine=affine) if place.reduction_before else project  # it halved the later input only
    return nn.ModuleList([halve(place.c_before_last, place.channels), project(place.c_last, place.channels)])


class AuxiliaryHead(nn.Module):
    """A small classifier on the features behind the second reduction, for training only.

    `size` is their height and width. The published heads pool 8x8 (CIFAR) or 7x7 (ImageNet) to 2x2 with overlapping windows of 5;
    other sizes are averaged to 2x2. `last_norm`: the ImageNet head has no normalisation behind its second convolution.
    """

    def __init__(self, channels: int, size: int, classes: int, last_norm: bool):
        super().__init__()
        narrow, wide = 128, 768
        pool = {8: nn.AvgPool2d(5, 3), 7: nn.AvgPool2d(5, 2)}.get(size) or pool_to_2x2(size)
        squeeze = [nn.Conv2d(channels, narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
        expand = [nn.Conv2d(narrow, wide, 2, bias=False), *([nn.BatchNorm2d(wide)] if last_norm else []), nn.ReLU()]
        self.layers = nn.Sequential(nn.ReLU(), pool, *squeeze, *expand, nn.Flatten(), nn.Linear(wide, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # B classes


def pool_to_2x2(size: int) -> nn.Module:
    """AdaptiveAvgPool2d(2) for height and width `size`; from 2 on as plain pooling, whose gradient is deterministic on a GPU."""
    return nn.AvgPool2d(size - size // 2, size // 2) if size > 1 else nn.AdaptiveAvgPool2d(2)


STEMS: dict[str, type[CifarStem] | type[ImageNetStem]] = {"cifar": CifarStem, "imagenet": ImageNetStem}


class DartsSkeleton(nn.Module):
    """`cell_factory(place)` makes each cell, called as `cell(before_last, last, *cell_args)`.

    `stem_width` is the number of channels of the stem; `concatenated` the number of nodes that a (normal, reduction) cell joins.
    """

    def __init__(
        self,
        cell_factory: Callable[[CellPlace], nn.Module],
        macro: str,
        channels: int,
        cells: int,
        classes: int,
        in_channels: int = 3,
        stem_width: int | None = None,
        concatenated: tuple[int, int] = (4, 4),
        auxiliary_size: int | None = None,  # height of the images, for an auxiliary head
    ):
        super().__init__()
        stem = STEMS[macro]
        width = stem.multiplier * channels if stem_width is None else stem_width
        self.stem, self.stem_width = stem(in_channels, width), width
        places = list(cell_places(cells, channels, width, concatenated, stem.reduces))
        self.cells = nn.ModuleList(cell_factory(place) for place in places)
        outputs = [concatenated[place.reduction] * place.channels for place in places]
        self.auxiliary_after = reduction_positions(cells)[1]
        self.auxiliary: AuxiliaryHead | None = None
        if auxiliary_size is not None:
            size = auxiliary_size // MACROS[macro].shrinks
            self.auxiliary = AuxiliaryHead(outputs[self.auxiliary_after], size, classes, last_norm=not stem.reduces)
        self.classifier = nn.Linear(outputs[-1], classes)

    def forward(self, x: Tensor, *cell_args) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (B, classes) of images (B, in_channels, H, W); with an auxiliary head in training, both heads' logits."""
        before_last, last = self.stem(x)
        auxiliary = None
        for i, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last, *cell_args)
            if i == self.auxiliary_after and self.auxiliary is not None and self.training:
                auxiliary = self.auxiliary(last)
        logits = self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(last, 1), 1))
        return logits if auxiliary is None else (logits, auxiliary)
