"""Every file that the project reads back, with what a user does with it."""

import hashlib
import io
import itertools
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from sklearn.datasets import load_digits

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.benchmark.table import ACCURACY_COLUMNS, Benchmark
from drnas_lib.collection.studies import hessian
from drnas_lib.collection.studies.config import HessianPart
from drnas_lib.collection.studies.hessian import Protocol
from drnas_lib.collection.views.retrain_report import RetrainReport
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.config.cells import PUBLISHED, UnknownCell, find
from drnas_lib.config.parameters import ParameterError, file_of_parameters
from drnas_lib.config.search import SearchConfig
from drnas_lib.data.cifar import SUMS, read_cifar
from drnas_lib.data.image_files import chosen, scan
from drnas_lib.data.imagenet16 import read_imagenet16
from drnas_lib.data.index_lists import write as write_lists
from drnas_lib.data.sources import fingerprint
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.genotype import GenotypeError, all_nb201
from drnas_lib.retrain import run as retrain_run
from drnas_lib.runs import snapshots
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.files import PROJECT, RecordError, RunFolder
from drnas_lib.runs.snapshots import SnapshotError
from drnas_lib.search import run as search_run
from drnas_lib.search.finished_search import FinishedSearch
from tests.reliability.damage import Target
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import retrain_settings, search_settings

CPU = torch.device("cpu")
OF_A_RUN = (CheckpointError, RecordError, UnknownCell)
NOT_READ = {"done.json", "weights.pt"}  # the one only has to be there, the other is for whoever wants the network
MEASURED = Protocol.of(HessianPart(images=8))


def stopped(run, settings, epochs: int) -> Path:
    """The folder of a run that was stopped after so many epochs."""
    progress = run(settings)
    for _ in range(epochs):
        next(progress)
    progress.close()
    return RunFolder(settings.folder).path


def finished(run, settings) -> Path:
    list(run(settings))
    return RunFolder(settings.folder).path


def results(folder: Path) -> dict:
    return left_behind(folder, but=lambda name: name in NOT_READ or name.startswith(("checkpoint-", "hessian")))


def continued(run, settings) -> Callable[[], dict]:
    def read() -> dict:
        list(run(settings))
        return results(RunFolder(settings.folder).path)

    return read


def read_back(run, settings, report) -> Callable[[], object]:
    """The same command once more, the report of the notebook, and the cell for a retraining."""

    def read() -> object:
        list(run(settings))
        history = report.read(settings.folder).history.drop(columns=["seconds", "images_per_s"])
        return history.to_csv(), find(settings.folder).genotype, results(RunFolder(settings.folder).path)

    return read


def of_searches(place: Path) -> dict[str, Target]:
    run, kept = search_run.run, {"snapshots": 2}
    half, only, whole = (search_settings(place / name, epochs=[n], **kept) for name, n in (("half", 3), ("only", 2), ("whole", 4)))
    at_two, at_one, done = stopped(run, half, 2), stopped(run, only, 1), finished(run, whole)
    other = finished(run, search_settings(place / "other", epochs=[4], seed=1, **kept))
    other_half = stopped(run, search_settings(place / "other half", epochs=[3], seed=1, **kept), 2)
    two, one, named = at_two / "checkpoint-00002", at_one / "checkpoint-00001", {"named": "checkpoint"}
    found = {
        "newest checkpoint of a search": Target(at_two, two, continued(run, half), OF_A_RUN, other_half / two.name, **named),
        "only checkpoint of a search": Target(at_one, one, continued(run, only), OF_A_RUN, other_half / one.name, **named),
    }
    read = read_back(run, whole, SearchReport)
    for name in ("record.json", "history.csv", "eta.csv", "genotype.json", "done.json"):
        found[f"{name} of a search"] = Target(done, done / name, read, OF_A_RUN, other / name, named=str(done))
    return found | of_studies(done, other) | of_locks(place / "locked")


def of_studies(done: Path, other: Path) -> dict[str, Target]:
    """What is measured of a finished run, or for that."""
    for folder in (done, other):
        hessian.study(str(folder), MEASURED, "cpu")
    identity, snapshot, spectrum = FinishedSearch.read(str(done)).identity, done / "snapshot-00002", done / f"{MEASURED.stem}.json"
    look = lambda: state(snapshots.load(snapshot, identity, CPU))
    return {
        "snapshot": Target(done, snapshot, look, (SnapshotError,), other / snapshot.name),
        "spectrum of the Hessian": Target(done, spectrum, lambda: spectra(done), (RecordError,), other / spectrum.name),
    }


def of_locks(place: Path) -> dict[str, Target]:
    """Left by a process that is dead."""
    settings = search_settings(place, epochs=[1])
    folder = RunFolder(settings.folder).path
    folder.mkdir(parents=True)
    for name in ("run.lock", "holder.lock"):
        (folder / name).write_text("process 1 on nowhere")
    read = continued(search_run.run, settings)
    return {name: Target(folder, folder / name, read, OF_A_RUN, named=str(folder)) for name in ("run.lock", "holder.lock")}


def state(snapshot) -> object:
    return snapshot.epoch, {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in snapshot.net.items()}


def spectra(folder: Path) -> str:
    return hessian.study(str(folder), MEASURED, "cpu").drop(columns="seconds").to_csv()


def of_retrainings(place: Path) -> dict[str, Target]:
    run = retrain_run.run
    half, whole = retrain_settings(place / "half", epochs=3), retrain_settings(place / "whole", epochs=2)
    at_two, done = stopped(run, half, 2), finished(run, whole)
    other = finished(run, retrain_settings(place / "other", epochs=2, seed=1))
    other_half = stopped(run, retrain_settings(place / "other half", epochs=3, seed=1), 2)
    two, read = at_two / "checkpoint-00002", read_back(run, whole, RetrainReport)
    newest = Target(at_two, two, continued(run, half), OF_A_RUN, other_half / two.name, named="checkpoint")
    found = {"newest checkpoint of a retraining": newest}
    for name in ("record.json", "history.csv", "genotype.json", "done.json"):
        found[f"{name} of a retraining"] = Target(done, done / name, read, OF_A_RUN, other / name, named=str(done))
    return found


def benchmark(place: Path) -> Path:
    """A table of all cells with made-up accuracies, as large as the real one."""
    draw, cells = np.random.default_rng(0), [str(cell) for cell in all_nb201()]
    columns = {name: draw.uniform(10, 94, len(cells)).round(4) for name in ACCURACY_COLUMNS}
    path = place / "nas_bench_201.csv.gz"
    place.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"index": range(len(cells)), "arch": cells} | columns).to_csv(path, index=False)
    return path


def of_the_table(place: Path, monkey) -> dict[str, Target]:
    """`monkey` sets the environment."""
    path = benchmark(place / "data")
    monkey.setenv("DRNAS_DATA", str(place / "data"))
    these, others = (TableSearchSettings.of(seeds=3, method=m, results=str(place / m)) for m in ("random", "reinforce"))
    done, other = (RunFolder(settings.folder).path for settings in (these, others))
    for settings in (these, others):
        policies.run(settings)
    values = lambda: Benchmark.load(path).frame.to_numpy().tolist()
    found = {"benchmark table": Target(place / "data", path, values, (DamagedData, MissingData))}
    read = lambda: policies.run(these).to_csv()
    for name in ("seeds.csv", "record.json", "done.json"):
        found[f"{name} of a table search"] = Target(done, done / name, read, (RecordError,), other / name, named=str(done))
    return found


def of_data(place: Path) -> dict[str, Target]:
    root, small = place / "parquet" / "cifar10", place / "small" / "ImageNet16"
    root.mkdir(parents=True)
    for path, seed in ((root / "train.parquet", 0), (root / "test.parquet", 1), (place / "other.parquet", 2)):
        pq.write_table(parquet(seed), path)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(root.glob("*.parquet"))]
    (root / SUMS).write_text("".join(lines))
    sums = batches(small)
    read = lambda: fingerprint(*read_cifar("cifar10", place / "parquet")[:2])
    read_small = lambda: fingerprint(*read_imagenet16(place / "small", sums, sums)[:2])
    damaged = (DamagedData, MissingData)
    return {
        "parquet file": Target(root, root / "train.parquet", read, damaged, place / "other.parquet"),
        "SHA256SUMS": Target(root, root / SUMS, read, damaged),
        "ImageNet16 batch": Target(small, small / "train_data_batch_1", read_small, damaged),
        "index list": of_lists(place / "images"),
    }


def of_lists(place: Path) -> Target:
    """A list of another seed is a list as well: which images it takes is in the fingerprint that the record names."""
    for label, name in itertools.product(("cat", "dog"), "abcdefgh"):
        (place / label).mkdir(parents=True, exist_ok=True)
        (place / label / f"{name}.jpg").write_bytes(name.encode())
    images = scan(place)
    (listed,), (other,) = (write_lists(images, [50], seed, place.with_name("lists") / "some") for seed in (0, 1))
    whole = chosen(images, listed).digest
    read = lambda: chosen(images, listed).digest
    return Target(listed.parent, listed, read, (RecordError, DamagedData), other, lambda digest: digest != whole)


def parquet(seed: int) -> pa.Table:
    """Forty digits as JPEG in the hub's layout."""
    scans, rows = load_digits(), np.random.default_rng(seed).integers(0, 1700, 40)
    encoded = []
    for row in rows:
        file = io.BytesIO()
        Image.fromarray((scans.images[row] * 15).astype(np.uint8)).resize((32, 32)).convert("RGB").save(file, "JPEG")
        encoded.append({"bytes": file.getvalue(), "path": f"{row}.jpg"})
    return pa.table({"img": encoded, "label": [int(scans.target[row]) for row in rows]})


def batches(folder: Path) -> dict[str, str]:
    """A file of the published form, and its MD5."""
    draw = np.random.default_rng(0)
    content = pickle.dumps({"data": draw.integers(0, 256, (120, 768), dtype=np.uint8), "labels": list(range(1, 121))})
    folder.mkdir(parents=True)
    (folder / "train_data_batch_1").write_bytes(content)
    return {"train_data_batch_1": hashlib.md5(content).hexdigest()}


def of_parameters(place: Path) -> dict[str, Target]:
    """A parameter file and a cell of one's own have no seal: what they say is meant, and the run's name and record say it again."""
    cell, bare, values = place / "cells" / "mine.json", place / "bare" / "bare.json", place / "params" / "some.yaml"
    for path in (cell, bare, values):
        path.parent.mkdir(parents=True)
    shutil.copy(PUBLISHED / "drnas_cifar10.json", cell)
    bare.write_text(json.dumps(json.loads(cell.read_text())["genotype"]))
    shutil.copy(PROJECT / "params/search/nb201_cifar10_drnas_released_lam0.01.yaml", values)
    settings = lambda: SearchConfig.of(file_of_parameters(values)).settings()
    meant, wrong, other = settings(), (UnknownCell, GenotypeError, RecordError), PUBLISHED / "darts_v2.json"
    says = lambda found: (found.stem, found.reduced) != (meant.stem, meant.reduced)
    another = lambda found: found == find(str(other)).genotype
    file = Target(values.parent, values, settings, (ParameterError,), PROJECT / "params/search/nb201_cifar10_darts_paper.yaml", says, " ")
    return {
        "published cell": Target(cell.parent, cell, lambda: find(str(cell)).genotype, wrong, other, another),
        "cell of one's own": Target(bare.parent, bare, lambda: find(str(bare)).genotype, wrong, other, lambda found: True),
        "parameter file": file,
    }


def unguarded(place: Path) -> dict[str, Target]:
    """The readers behind the checksums, for files of which the checksum is right."""
    root, small = place / "cifar10", place / "ImageNet16"
    root.mkdir(parents=True)
    for path, seed in ((root / "train.parquet", 0), (root / "test.parquet", 1)):
        pq.write_table(parquet(seed), path)
    batch = small / next(iter(batches(small)))

    def read_batch() -> str:
        sums = {batch.name: hashlib.md5(batch.read_bytes()).hexdigest()}
        return fingerprint(*read_imagenet16(place, sums, sums)[:2])

    read = lambda: fingerprint(*read_cifar("cifar10", place)[:2])
    return {
        "parquet file without SHA256SUMS": Target(root, root / "train.parquet", read, (DamagedData, MissingData)),
        "ImageNet16 batch of the right MD5": Target(small, batch, read_batch, (DamagedData,)),
    }


def all_targets(place: Path, monkey) -> dict[str, Target]:
    parts = {"search": of_searches, "retrain": of_retrainings, "data": of_data, "parameters": of_parameters}
    found: dict[str, Target] = {}
    for name, make in parts.items():
        found |= make(place / name)
    return found | of_the_table(place / "table", monkey)
