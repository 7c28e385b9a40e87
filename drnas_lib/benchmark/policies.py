"""Random search and REINFORCE on the NAS-Bench-201 table: cells are looked up, none is trained, and a simulated budget ends the search.

The signal is the validation accuracy of the 12-epoch schedule. A search returns the cell with the best signal seen and reports its accuracy
after 200 epochs. Our table has no training times and no single seeds, hence two deviations: every query costs the same
(`seconds_per_query`), and the signal is the mean over the benchmark's seeds where the originals draw one of them. All seeds are searched
at once; each has a random stream of its own, so its result does not depend on the number of seeds.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drnas_lib.benchmark.table import Benchmark
from drnas_lib.config.run_parameters import fingerprint
from drnas_lib.genotype import NB201_EDGES, NB201_OPERATIONS, Nb201Genotype
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RecordError, RunFolder, environment, write_csv
from drnas_lib.runs.identity import settings_differences

E, O = len(NB201_EDGES), len(NB201_OPERATIONS)  # noqa: E741
INITIAL_SCALE = 1e-3
BASELINE_DECAY = 0.9
BETAS, EPS = (0.9, 0.999), 1e-8  # of Adam

PROTOCOL = "best 12-epoch validation accuracy within the budget, judged after 200 epochs; every query costs the same"
# A query costs a 12-epoch training. 120 s on CIFAR-10's 25,000 images is our assumption, 100 queries in 12,000 s; the other two follow from
# the images of an epoch: 50,000, and 151,700 of a quarter of the pixels.
SECONDS_PER_QUERY = {"cifar10": 120.0, "cifar100": 240.0, "imagenet16-120": 182.0}
BUDGET_S = 12_000.0
SEEDS = 500
POLICY_LR = 0.001  # the official script; the command in its documentation has 0.5
RandomNumbers = NDArray[np.float64]


def draws(seeds: int, queries: int, policy: str) -> tuple[RandomNumbers, RandomNumbers]:
    """(S, Q, E) uniform numbers, one for each choice, and (S, E, O) standard normal ones, for the start of a policy."""
    streams = [np.random.default_rng([seed, *policy.encode()]) for seed in range(seeds)]
    normal = np.stack([stream.standard_normal((E, O)) for stream in streams])
    return np.stack([stream.random((queries, E)) for stream in streams]), normal


def random_search(signal: NDArray, uniform: RandomNumbers, normal: RandomNumbers, lr: float) -> NDArray:
    """The cells (S, Q) to look up: each is uniformly random, whatever the `signal` (5^6,)."""
    return cells((uniform * O).astype(np.int64))


def reinforce(signal: NDArray, uniform: RandomNumbers, normal: RandomNumbers, lr: float) -> NDArray:
    """The cells (S, Q) that a policy looks up. It is the softmax over (E, O) logits; Adam moves them along (reward - baseline) grad log p.

    The reward is `signal` (5^6,) in per cent, the baseline its moving average with decay 0.9, corrected for its start.
    """
    S, Q, _ = uniform.shape
    logits = INITIAL_SCALE * normal
    moment, square, average = np.zeros_like(logits), np.zeros_like(logits), np.zeros(S)
    asked = np.empty((S, Q), dtype=np.int64)
    for q in range(Q):
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        p = powers / powers.sum(-1, keepdims=True)  # S E O
        choice = np.minimum((p.cumsum(-1) < uniform[:, q, :, None]).sum(-1), O - 1)  # S E
        asked[:, q] = cells(choice)
        reward = signal[asked[:, q]]
        average = BASELINE_DECAY * average + (1 - BASELINE_DECAY) * reward
        advantage = reward - average / (1 - BASELINE_DECAY ** (q + 1))
        gradient = -advantage[:, None, None] * (np.eye(O)[choice] - p)
        moment = BETAS[0] * moment + (1 - BETAS[0]) * gradient
        square = BETAS[1] * square + (1 - BETAS[1]) * gradient**2
        step = moment / (1 - BETAS[0] ** (q + 1)) / (np.sqrt(square / (1 - BETAS[1] ** (q + 1))) + EPS)
        logits = logits - lr * step
    return asked


def cells(choice: NDArray) -> NDArray:
    """Operations of the edges (..., E) -> the number of the cell, 0 .. 5^6 - 1, the first edge the most significant digit."""
    return choice @ O ** np.arange(E - 1, -1, -1)


def genotype(cell: int) -> Nb201Genotype:
    """The cell of a number, the inverse of `cells`."""
    return Nb201Genotype(tuple(NB201_OPERATIONS[cell // O ** (E - 1 - e) % O] for e in range(E)))


@cache
def names() -> tuple[str, ...]:
    """All 5^6 cells as text, in the order of their numbers."""
    return tuple(str(genotype(cell)) for cell in range(O**E))


POLICIES: dict[str, Callable[[NDArray, RandomNumbers, RandomNumbers, float], NDArray]] = {"random": random_search, "reinforce": reinforce}
LABELS = {"random": "Random (baseline)", "reinforce": "Reinforce (Zoph et al., 2018)"}


@dataclass(frozen=True)
class TableSearchSettings:
    """All values that determine the result, and its folder, relative to the project."""

    dataset: str
    method: str
    seeds: int
    budget_s: float
    seconds_per_query: float
    policy_lr: float
    folder: str

    @classmethod
    def of(
        cls,
        dataset: str = "cifar10",
        method: str = "random",
        seeds: int = SEEDS,
        seconds_per_query: float | None = None,
        policy_lr: float = POLICY_LR,
        results: str = "results/table_search",
    ) -> Self:
        """The settings of this module but for the arguments; the name of the folder says what differs."""
        usual = {"seeds": SEEDS, "seconds_per_query": None, "policy_lr": POLICY_LR}
        given = {"seeds": seeds, "seconds_per_query": seconds_per_query, "policy_lr": policy_lr}
        changed = [f"{name.replace('_', '-')}{value:.12g}" for name, value in given.items() if value != usual[name]]
        folder = f"{results}/{'_'.join(['nb201', dataset, method, *changed])}"
        return cls(dataset, method, seeds, BUDGET_S, seconds_per_query or SECONDS_PER_QUERY[dataset], policy_lr, folder)

    @property
    def queries(self) -> int:
        return int(self.budget_s // self.seconds_per_query)

    @property
    def fingerprint(self) -> str:
        return fingerprint({name: value for name, value in asdict(self).items() if name != "folder"})

    def as_dict(self) -> dict:
        """The parameters in a record."""
        return asdict(self) | {"queries": self.queries}


def search(settings: TableSearchSettings, table: Benchmark) -> pd.DataFrame:
    """A row per seed: the cell with the best 12-epoch validation accuracy among those looked up, and its accuracies."""
    ordered = table.frame.reindex(names())
    signal = ordered[f"{settings.dataset}_valid_12"].to_numpy()
    asked = POLICIES[settings.method](signal, *draws(settings.seeds, settings.queries, settings.method), settings.policy_lr)  # S Q
    best = asked[np.arange(len(asked)), signal[asked].argmax(1)]
    found = ordered.iloc[best]
    rows = pd.DataFrame({"seed": np.arange(len(best)), "genotype": found.index, "queries": settings.queries})
    rows["simulated_s"] = settings.queries * settings.seconds_per_query
    for split in ("valid_12", "valid", "test"):
        rows[f"{settings.dataset}_{split}_acc_pct"] = found[f"{settings.dataset}_{split}"].to_numpy()
    return rows


def run(settings: TableSearchSettings, rerun: bool = False) -> pd.DataFrame:
    """The results by seed, computed if missing; done.json is written last. Raises RunLocked, RecordError, MissingData, DamagedData."""
    folder = RunFolder(settings.folder)
    if folder.done and not rerun:
        return _finished(folder, settings)
    with folder.lock():
        if folder.done and not rerun:  # by another process, since the first look
            return _finished(folder, settings)
        began = time.perf_counter()
        table = Benchmark.load()  # before clear(): without the table a finished search is kept
        rows = search(settings, table)
        folder.clear()
        write_csv(folder.file("seeds.csv"), rows.to_dict("records"))
        accuracies = rows.filter(like="_acc_pct")
        metrics = {f"{name}_{what}": float(accuracies[name].agg(what)) for name in accuracies for what in ("mean", "std")}  # std: n - 1
        for split in ("valid", "test"):
            metrics[f"optimum_{settings.dataset}_{split}_acc_pct"] = table.optimum(settings.dataset, split)[1]
        digest = hashlib.sha256(table.frame.to_csv().encode()).hexdigest()
        record = {
            "parameters": settings.as_dict(),
            "protocol": PROTOCOL,
            "metrics": metrics | {"wall_s": time.perf_counter() - began},
            "data": {"name": settings.dataset, "fingerprint": digest, "source": "the NAS-Bench-201 table; no image is read"},
            "device": "CPU, NumPy",
            "environment": environment(),
        }
        integrity.write(folder.file(integrity.RECORD), record, beside=("seeds.csv",))
        folder.finish({"fingerprint": settings.fingerprint})
    return rows


def _finished(folder: RunFolder, settings: TableSearchSettings) -> pd.DataFrame:
    record = integrity.record(folder)
    if differences := settings_differences(record["parameters"], settings.as_dict()):
        raise RecordError(
            f"{folder.path} holds a finished search of other settings: {'; '.join(differences)}. Choose another folder with the parameter "
            "`results`, or replace it with rerun=True."
        )
    return integrity.table(folder.file("seeds.csv"), record)
