"""The images of a search, for the weights and for eta: in memory, split as image_set.py says, or ImageNet files read as needed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import torch

from drnas_lib.config.presets import PERCENTS, STREAMED
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data import image_files, index_lists, sources
from drnas_lib.data.batches import DeviceImages, full_batches
from drnas_lib.data.image_files import Files
from drnas_lib.data.image_set import SPLITS, ImageSet
from drnas_lib.data.sources import Dataset
from drnas_lib.data.stream import StreamedImages
from drnas_lib.errors import DamagedData
from drnas_lib.runs.files import data_root, resolve

LIST_SEED = 0  # of the lists that are drawn where none are named
SearchImages = DeviceImages | StreamedImages


@dataclass(frozen=True)
class StreamedDataset:
    """ImageNet, or a folder of its form: files for the weights, and others for eta or for testing. No image is in memory."""

    train: Files
    valid: Files
    source: str  # a sentence that says what was chosen
    reduced: tuple[str, ...]  # a sentence where train/ is not all of ImageNet
    name: str = STREAMED
    channels: int = 3

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, sizes and choice."""
        return hashlib.sha256((self.train.digest + self.valid.digest).encode()).hexdigest()

    def refuse_many(self, unreadable: list[str]) -> None:
        """Raises DamagedData where more than 1 % of the files cannot be read."""
        image_files.refuse_many(self.train.root, unreadable, len(self.train) + len(self.valid))


AnyDataset = Dataset | StreamedDataset


def read(settings: SearchSettings) -> AnyDataset:
    """The data set of a search. Raises MissingData, DamagedData; RecordError for a list that cannot be read."""
    if settings.dataset != STREAMED:
        return sources.load(settings.dataset, data_root(), settings.data_folder, settings.image_size)
    files = image_files.only_train(resolve(settings.data_folder or data_root() / STREAMED))
    if settings.index_lists is None:
        try:
            lists = index_lists.draw(files, list(PERCENTS), LIST_SEED)
        except ValueError as error:
            raise DamagedData(f"{files.root}: {error}. Name lists of larger shares with the parameter `index_lists`.") from error
        train, valid = (files.select(positions) for positions in lists)
        chosen = f"drawn with seed {LIST_SEED} as {PERCENTS[0]:g} % and {PERCENTS[1]:g} % of each class"
    else:
        train, valid = (image_files.chosen(files, resolve(path)) for path in settings.index_lists)
        chosen = "of the lists " + " and ".join(PurePath(path).name for path in settings.index_lists)
        if both := set(train.names.tolist()) & set(valid.names.tolist()):
            raise DamagedData(f"index_lists={settings.index_lists}: {len(both)} images are in both. Make both in one call of the command.")
    source = f"{len(train)} images for the weights and {len(valid)} for eta, {chosen}; {len(files)} files of {len(files.classes)} classes."
    return StreamedDataset(train, valid, source, image_files.imagenet_reductions(files))


def described(dataset: AnyDataset, unreadable: Sequence[str] = ()) -> dict:
    """The entry of the images in a record."""
    found: dict = {"name": dataset.name, "fingerprint": dataset.fingerprint, "source": dataset.source}
    return found | ({"unreadable": {"count": len(unreadable), "files": list(unreadable)}} if isinstance(dataset, StreamedDataset) else {})


def weight_and_eta_images(dataset: AnyDataset, settings: SearchSettings, device: torch.device) -> tuple[SearchImages, SearchImages]:
    """The images of the weights and those of eta. Raises ValueError where either are fewer than a batch."""
    if isinstance(dataset, StreamedDataset):
        assert settings.image_size is not None, "the settings of streamed images name their size"
        views = settings.image_size, settings.seed, device, settings.workers
        found: list[SearchImages] = [StreamedImages(files, *views) for files in (dataset.train, dataset.valid)]
    else:
        augment = dataset.augmentation(settings.cutout)
        found = [DeviceImages(part, augment, device) for part in split_in_memory(dataset, settings.subset, settings.split)]
    for images, whose in zip(found, ("the weights", "eta")):
        full_batches(len(images), settings.batch_size, f" for {whose}")
    return found[0], found[1]


def split_in_memory(dataset: Dataset, amount: int | None, split: str) -> tuple[ImageSet, ImageSet]:
    """The images of a data set in memory for the weights and those for eta."""
    return SPLITS[split](dataset.with_train_subset(amount))
