"""The images that a search learns on: one set for the weights, one for eta; in memory, or ImageNet's files read as they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import torch

from drnas_lib.config.presets import PERCENTS, STREAMED
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data import image_files, index_lists, sources, stream
from drnas_lib.data.augment import Augment
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.image_files import Files
from drnas_lib.data.sources import Dataset, ImageSet
from drnas_lib.data.splits import SPLITS, subset
from drnas_lib.data.streamed_images import StreamedImages
from drnas_lib.errors import DamagedData
from drnas_lib.runs.records import data_root, resolve

LIST_SEED = 0  # of the lists that are drawn where none are named


@dataclass(frozen=True)
class StreamedDataset:
    """ImageNet, or a folder of its form: some files of train/ for the weights, others of them for eta. No image is in memory.

    `less`: why this is less than ImageNet, where it is.
    """

    train: Files
    valid: Files
    source: str  # what was chosen, in a sentence
    less: tuple[str, ...]
    name: str = STREAMED
    channels: int = 3

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, sizes and choice."""
        return stream.digest(self.train, self.valid)

    def refuse_many(self, unreadable: list[str]) -> None:
        """Raises DamagedData where more than 1 % of the files cannot be read."""
        stream.refuse_many(self.train.root, unreadable, len(self.train) + len(self.valid))


def read(settings: SearchSettings) -> Dataset | StreamedDataset:
    """The data set of a search. Raises MissingData, DamagedData; RecordError for a list that cannot be read."""
    folder = settings.data_folder and resolve(settings.data_folder)
    if settings.dataset != STREAMED:
        return sources.load(settings.dataset, data_root(), folder, settings.image_size)
    files = image_files.only_train(folder or data_root() / STREAMED)
    if settings.index_lists is None:
        try:
            lists = index_lists.draw(files, list(PERCENTS), LIST_SEED)
        except ValueError as error:
            raise DamagedData(f"{files.root}: {error}. Name lists of larger shares with the parameter `index_lists`.") from error
        train, valid = (image_files.taken(files, images) for images in lists)
        chosen = f"drawn with seed {LIST_SEED} as {PERCENTS[0]:g} % and {PERCENTS[1]:g} % of each class"
    else:
        train, valid = (image_files.chosen(files, resolve(path)) for path in settings.index_lists)
        chosen = "of the lists " + " and ".join(PurePath(path).name for path in settings.index_lists)
        if both := set(train.names.tolist()) & set(valid.names.tolist()):
            raise DamagedData(f"index_lists={settings.index_lists}: {len(both)} images are in both. Make both in one call of the command.")
    source = f"{len(train)} images for the weights and {len(valid)} for eta, {chosen}; {len(files)} files of {len(files.classes)} classes."
    return StreamedDataset(train, valid, source, image_files.less_than_imagenet(files))


def described(dataset: Dataset | StreamedDataset, unreadable: Sequence[str] = ()) -> dict:
    """What the record says of the images."""
    found = {"name": dataset.name, "fingerprint": dataset.fingerprint, "source": dataset.source}
    return found | ({"unreadable": {"count": len(unreadable), "files": list(unreadable)}} if isinstance(dataset, StreamedDataset) else {})


def halves(
    dataset: Dataset | StreamedDataset, settings: SearchSettings, device: torch.device
) -> tuple[DeviceImages, DeviceImages] | tuple[StreamedImages, StreamedImages]:
    """The images of the weights and those of eta. Raises ValueError where either are fewer than a batch."""
    found = _streamed(dataset, settings, device) if isinstance(dataset, StreamedDataset) else _in_memory(dataset, settings, device)
    for images, what in zip(found, ("the weights", "eta")):
        if len(images) < settings.batch_size:
            few = f"the {len(images)} images for {what} do not fill a batch of {settings.batch_size}"
            raise ValueError(f"{few}: lower batch_size or use more images")
    return found


def _streamed(dataset: StreamedDataset, settings: SearchSettings, device: torch.device) -> tuple[StreamedImages, StreamedImages]:
    views = settings.image_size, settings.seed, device, settings.workers
    return StreamedImages(dataset.train, *views), StreamedImages(dataset.valid, *views)


def _in_memory(dataset: Dataset, settings: SearchSettings, device: torch.device) -> tuple[DeviceImages, DeviceImages]:
    of_weights, of_arch = parts(dataset, settings.subset, settings.split)
    augment = Augment(of_weights.images.shape[-1], dataset.pad, dataset.flip, settings.cutout, dataset.mean, dataset.std)
    return DeviceImages(of_weights, augment, device), DeviceImages(of_arch, augment, device)


def parts(dataset: Dataset, amount: int | None, split: str) -> tuple[ImageSet, ImageSet]:
    """Which images of a data set in memory move the weights and which move eta."""
    return SPLITS[split](dataset.train if amount is None else subset(dataset.train, amount, 0), dataset)
