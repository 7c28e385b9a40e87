"""Records as finished runs leave them, with numbers made up for the tests, in a folder of a test's own."""

from pathlib import Path

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import RunFolder, read_json, write_csv, write_json

ABOUT = {"data": {"name": "made up", "fingerprint": "0123456789abcdef"}, "device": "CPU, made up"}
EIGENVALUES = "hessian_eta_literature_64_batch_float32.json"


def search(root: Path, test_acc_pct: float = 94.0, gpu_mb: float | None = None, genotype: str = "made up", **given) -> RunFolder:
    """A search with the parameters `given`, whole or reduced as these say; its cell has `test_acc_pct`, and one point less on `valid`."""
    settings = SearchConfig.of(given | {"results": str(root / "search")}).settings()
    folder = RunFolder(settings.folder)
    keys = {f"{settings.dataset}_{split}_acc_pct": test_acc_pct - less for split, less in (("test", 0), ("valid", 1))}
    record = {
        "parameters": settings.as_dict(),
        "protocol": settings.protocol,
        "reduced": list(settings.reduced),
        "genotype": genotype,
        "metrics": {"search_s": 3600.0},
        "evaluation": {"kind": "table"} | keys,
        "stages": [{"stage": 1, "gpu_peak_memory_mb": gpu_mb}],
    }
    write_json(folder.file("record.json"), record | ABOUT)
    folder.finish({})
    return folder


def training(root: Path, error_pct: float, cell: dict | None = None, **given) -> RunFolder:
    """A training with the parameters `given`; `cell` overwrites what it says of its cell."""
    settings = RetrainConfig.of(given | {"results": str(root / "retrain")}).settings()
    parameters = settings.as_dict() | (cell or {})
    folder = RunFolder(root / "retrain" / f"{parameters['cell']}_{settings.stem}" / f"seed{settings.seed}")
    found = {f"{settings.dataset}_test_error_pct_last": error_pct, f"{settings.dataset}_test_top5_error_pct_last": error_pct / 3}
    record = {
        "parameters": parameters,
        "protocol": settings.protocol,
        "reduced": list(settings.reduced),
        "changed": list(settings.changed),
        "metrics": found | {"train_s": 7200.0},
        "network": {"parameters": 4_000_000, "macs": 600_000_000},
    }
    write_json(folder.file("record.json"), record | ABOUT)
    folder.finish({})
    return folder


def eigenvalues(folder: RunFolder, dominant: list[float]) -> None:
    """What notebooks/hessian.ipynb leaves beside a search."""
    last = sum(stage["epochs"] for stage in read_json(folder.file("record.json"))["parameters"]["stages"])
    epochs = [last - len(dominant) + number for number in range(1, len(dominant) + 1)]
    rows = [{"epoch": e, "dominant": d, "least": 0.0, "ridge": 0.001, "images": 64} for e, d in zip(epochs, dominant)]
    write_json(folder.file(EIGENVALUES), {"epochs": rows})


def exploration(folder: RunFolder, ranges: list[float]) -> None:
    """What notebooks/exploration.ipynb leaves beside a search."""
    named = {f"q{q}_pct": 90.0 for q in (5, 25, 50, 75, 95)}
    rows = [
        {"epoch": e, "dataset": dataset, "mean_cell_pct": 91.0, "q0_pct": 94.0 - width, "q100_pct": 94.0} | named
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
        for e, width in enumerate(ranges, start=1)
    ]
    write_csv(folder.file("exploration_accuracy.csv"), rows)
    write_json(folder.file("exploration.json"), {"samples": 100, "split": "test"})
