"""A finished search, loaded for studies of its loss: the supernet of a snapshot, and the validation images that eta was learnt on."""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.search_images import described, split_in_memory
from drnas_lib.data.sources import DATASETS, Dataset, load
from drnas_lib.methods import method_class
from drnas_lib.nets.layers import freeze
from drnas_lib.nets.networks import supernet
from drnas_lib.runs import integrity, snapshots
from drnas_lib.runs.files import RecordError, RunFolder, data_root, resolve
from drnas_lib.runs.identity import image_differences
from drnas_lib.runs.snapshots import Snapshot


@dataclass(frozen=True)
class FinishedSearch:
    """A finished search: `record` is record.json."""

    folder: RunFolder
    record: dict

    @classmethod
    def read(cls, path: str | Path) -> "FinishedSearch":
        """The run in the folder `path`. Raises RecordError if it is not finished, or if its images are read file by file."""
        folder = RunFolder(path)
        folder.must_be_done("search")
        record = integrity.record(folder)
        if record["parameters"]["dataset"] not in DATASETS:
            searched, allowed = record["parameters"]["dataset"], f"Allowed are searches on {', '.join(DATASETS)}"
            raise RecordError(f"{folder.path} searched {searched}, and this study holds all images in memory. {allowed}.")
        return cls(folder, record)

    @cached_property
    def dataset(self) -> Dataset:
        """The images of the run, read when they are first needed. Raises RecordError if they have changed, MissingData, DamagedData."""
        images = self.settings["data_folder"] and resolve(self.settings["data_folder"])
        dataset = load(self.settings["dataset"], data_root(), images, self.settings["image_size"])
        if changed := image_differences(self.record["data"], described(dataset)):
            raise RecordError(
                f"{self.folder.path} searched other images of {dataset.name}: {changed[0]}. Let DRNAS_DATA, or the folder, have the images "
                "of the search, or search again."
            )
        return dataset

    @property
    def settings(self) -> dict:
        return self.record["parameters"]

    @property
    def epochs(self) -> int:
        """The number of the last epoch, of which there is always a snapshot."""
        return sum(stage["epochs"] for stage in self.settings["stages"])

    def snapshots(self) -> list[Path]:
        """The files, oldest first. Raises SnapshotError if there is none."""
        return snapshots.require_snapshots(self.folder.path)

    @property
    def identity(self) -> str:
        """The key of settings and images in its snapshots and studies."""
        return f"{self.settings['fingerprint']}-{self.record['data']['fingerprint']}"

    def snapshot(self, path: Path, device: torch.device) -> Snapshot:
        """The snapshot in the file `path`. Raises SnapshotError."""
        return snapshots.load(path, self.identity, device)

    def network(self, snapshot: Snapshot, training: bool, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The supernet of a snapshot as a function of images and theta, in this batch norm mode and precision.

        Weights and running statistics do not change. No path is dropped, and the noise operation of S4 draws the same numbers in every
        pass: the i-th image of each batch gets the same noise. Raises RecordError for a run of another version of the code.
        """
        noise, images = torch.Generator(device), (self.dataset.classes, self.dataset.channels)
        try:
            settings = SearchSettings.from_dict(self.settings)
            net = supernet(settings, method_class(settings.method).network, snapshot.k, snapshot.mask, images, noise)
            net.load_state_dict(snapshot.net)
        except (TypeError, RuntimeError) as error:
            why = f"by another version of the code ({str(error).splitlines()[0]})"
            raise RecordError(f"{self.folder.path} was searched {why}. Search again with rerun=True.") from error

        def restart_noise(*_: object) -> None:
            noise.manual_seed(0)

        net.register_forward_pre_hook(restart_noise)
        return freeze(net).to(device, dtype).train(training)

    def validation(self, images: int, batch_size: int, dtype: torch.dtype, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """The first `images` validation images of the search, or all if there are fewer, in full batches without augmentation."""
        data = self.dataset
        _, valid = split_in_memory(data, self.settings["subset"], self.settings.get("split", "halves"))
        on_device = DeviceImages(valid, data.augmentation(cutout=0), device)
        count = max(1, min(images, len(on_device)) // batch_size)  # a smaller batch would have other batch statistics
        batches = islice(on_device.evaluation(min(batch_size, images)), count)
        return [(x.to(dtype), y) for x, y in batches]
