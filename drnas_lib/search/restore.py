"""A finished run read back for its loss: the supernet of a snapshot with its weights, and the validation images that it learnt eta on."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.search_images import described, parts
from drnas_lib.data.sources import DATASETS, Dataset, load
from drnas_lib.methods import method_class
from drnas_lib.nets.layers import unchanging
from drnas_lib.nets.networks import supernet
from drnas_lib.runs import integrity, snapshots
from drnas_lib.runs.identity import images_differ
from drnas_lib.runs.records import RecordError, RunFolder, data_root, resolve
from drnas_lib.runs.snapshots import Snapshot
from drnas_lib.spaces import SPACES


@dataclass(frozen=True)
class TrainedRun:
    """`record` is record.json; `dataset` is what the run read, checked against the recorded fingerprint."""

    folder: RunFolder
    record: dict
    dataset: Dataset

    @classmethod
    def read(cls, path: str | Path) -> "TrainedRun":
        """Raises RecordError where the run is unfinished or its data have changed, MissingData, DamagedData."""
        folder = RunFolder(path)
        folder.must_be_done("search")
        record = integrity.record(folder)
        settings = record["parameters"]
        if settings["dataset"] not in DATASETS:
            allowed = f"Allowed are searches of {', '.join(DATASETS)}"
            raise RecordError(f"{folder.path} searched {settings['dataset']}, and this study holds all images in memory. {allowed}.")
        own = settings["data_folder"] and resolve(settings["data_folder"])
        dataset = load(settings["dataset"], data_root(), own, settings["image_size"])
        if changed := images_differ(record["data"], described(dataset)):
            raise RecordError(
                f"{folder.path} searched other images of {dataset.name}: {changed[0]}. Point DRNAS_DATA, or the folder, at those of the "
                "search, or search again."
            )
        return cls(folder, record, dataset)

    @property
    def settings(self) -> dict:
        return self.record["parameters"]

    def snapshots(self) -> list[Path]:
        """Files, oldest first. Raises SnapshotError where there is none."""
        return snapshots.paths(self.folder.path)

    @property
    def identity(self) -> str:
        """Of settings and data: what its snapshots and the studies of it carry."""
        return f"{self.settings['fingerprint']}-{self.dataset.fingerprint}"

    def snapshot(self, path: Path, device: torch.device) -> Snapshot:
        """Raises SnapshotError."""
        return snapshots.load(path, self.identity, device)

    def network(self, snapshot: Snapshot, training: bool, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The supernet of a snapshot as a function of images and theta alone, in the normalisation mode and precision asked for.

        Weights and running statistics stay. No path is dropped, and the noise operation of S4 draws the same numbers in every pass: the
        i-th image of each batch gets the same noise. Raises RecordError where the run is another version's.
        """
        space, chance = SPACES[self.settings["space"]], torch.Generator(device)
        sizes = snapshot.k, snapshot.mask, self.dataset.classes, self.dataset.channels
        try:
            settings = SearchSettings.from_dict(self.settings)
            net = supernet(space, settings, method_class(settings.method).network, *sizes, chance)
            net.load_state_dict(snapshot.net)
        except (TypeError, RuntimeError) as error:
            why = f"by another version of the code ({str(error).splitlines()[0]})"
            raise RecordError(f"{self.folder.path} was searched {why}. Search again with rerun=True.") from error

        def begin_anew(*_) -> None:
            chance.manual_seed(0)

        net.register_forward_pre_hook(begin_anew)
        return unchanging(net).to(device, dtype).train(training)

    def validation(self, images: int, batch_size: int, dtype: torch.dtype, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """The first `images` of the half that eta learnt on, or all where there are fewer, in whole batches without augmentation."""
        data, amount = self.dataset, self.settings["subset"]
        _, of_arch = parts(data, amount, self.settings.get("split", "halves"))
        held = DeviceImages(of_arch, data.augmentation(cutout=0), device)
        whole = max(1, min(images, len(held)) // batch_size)  # a rest would have batch statistics of its own kind
        batches = zip(range(whole), held.evaluation(min(batch_size, images)))
        return [(x.to(dtype), y) for _, (x, y) in batches]
