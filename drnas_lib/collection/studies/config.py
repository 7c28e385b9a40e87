"""The parameters of the study notebooks: a finished run, or the searches that a study makes where none is named."""

from abc import abstractmethod
from typing import Annotated, Any

from drnas_lib.config import kinds, scales
from drnas_lib.config.kinds import Count, Device, FolderPath, Positive
from drnas_lib.config.parameters import Kind, Parameters, Truth, choice, entries_of, integer, number, path, problems_of
from drnas_lib.config.presets import FAMILIES, searched
from drnas_lib.config.search import SearchConfig, SearchSettings

DATASETS = [name for name in FAMILIES if searched("nb201", name) and name != "folder"]  # one's own folder: notebooks/search.ipynb
DRAWN = integer(1, 100_000)  # more take hours and gigabytes
Images = Annotated[int, integer(2)]  # normalisation needs two images
Split = Annotated[str, choice("valid", "test")]
Normalisation = Annotated[str, choice("batch", "running")]


def several(kind: Kind, example: str, least: int = 1) -> Kind:
    """A list of `least` or more values of a kind, each once; see entries_of for other forms of a list."""

    def read(value: Any) -> list:
        try:
            entries = [kind.read(entry) for entry in entries_of(value)]
        except ValueError as error:
            raise ValueError(f"in a list such as {example}: {error}") from error
        if len(entries) < least:
            raise ValueError(f"the list is empty. Allowed is one entry or more, such as {example}.")
        if twice := [entry for number, entry in enumerate(entries) if entry in entries[:number]]:
            raise ValueError(f"{twice[0]!r} is there twice. Allowed is each entry once, such as {example}.")
        return entries

    first, last = kind.inside[0], kind.inside[-1]
    inside, outside = [[first], [last]], [*([value] for value in kind.outside), [first, first]]
    (outside if least else inside).insert(0, [])
    return Kind(read, tuple(inside), tuple(outside))


Seeds = Annotated[list[int], several(integer(0, 2**32 - 1), "[0, 1, 2, 3]")]


class HessianPart(Parameters):
    """How the Hessian is computed; None means as `measure` says."""

    variable: Annotated[str, choice("eta", "beta", "mean", "mu")] = "eta"
    measure: Annotated[str, choice("literature", "exact")] = "literature"
    images: Images | None = None
    normalisation: Normalisation | None = None
    precision: Annotated[str, choice("float32", "float64")] | None = None


class StudyOfSearches(Parameters):
    """A study of searches, which it makes where they are missing."""

    dataset: Annotated[str, choice(*DATASETS)] = "digits"
    protocol: kinds.Protocol = "released"
    scale: kinds.Scale = "full"
    seeds: Seeds = [0]
    device: Device = "auto"
    results: FolderPath = "results/search"

    @abstractmethod
    def searches(self) -> list[SearchSettings]:
        """The searches to make. Raises ParameterError."""

    def _problems(self) -> list[str]:
        return problems_of(self.searches)

    def search(self, **changes: Any) -> SearchSettings:
        """The settings of one search. Raises ParameterError."""
        names = type(self).model_fields.keys() & SearchConfig.model_fields.keys() - HessianPart.model_fields.keys()
        return SearchConfig.of({name: getattr(self, name) for name in names} | changes).settings()


class MainJobConfig(StudyOfSearches):
    """The parameters of notebooks/main_job.ipynb: for every seed the search of `make search`, with the same evaluation."""

    dataset: Annotated[str, choice(*(name for name in DATASETS if FAMILIES[name] == "own"))] = "cluttered_digits"
    tables: FolderPath = "results/main_job"

    def searches(self) -> list[SearchSettings]:
        """One for every seed."""
        return [self.search(seed=seed) for seed in self.seeds]


class StudyOfHessian(HessianPart, StudyOfSearches):
    """A study of the Hessian along searches; None in their parameters means as protocol and scale say, as in notebooks/search.ipynb."""

    epochs: kinds.EpochsPerStage | None = None
    batch_size: kinds.BatchSize | None = None
    channels: kinds.Channels | None = None
    cells: kinds.Cells | None = None
    subset: Count | None = None
    arch_lr: Positive | None = None
    snapshots: Count = 4

    def search(self, **changes: Any) -> SearchSettings:
        """The settings of one search, evaluated by the benchmark or not at all. Raises ParameterError."""
        return super().search(evaluate=None if FAMILIES[self.dataset] == "published" else "none", **changes)


class HessianConfig(StudyOfHessian):
    """The parameters of notebooks/hessian.ipynb."""

    runs: Annotated[
        list[str],
        several(path("allowed is the path of a folder."), "['results/search/NAME/seed0', 'results/search/NAME/seed1']", least=0),
    ] = []
    # Methods with a point at which theta is differentiable twice.
    methods: Annotated[list[str], several(choice("drnas", "darts", "darts_2nd"), "['darts', 'drnas']")] = ["darts", "drnas"]

    def searches(self) -> list[SearchSettings]:
        """For every method all seeds; none where `runs` names finished searches."""
        return [] if self.runs else [self.search(method=method, seed=seed) for method in self.methods for seed in self.seeds]

    def _problems(self) -> list[str]:
        found = super()._problems()
        if self.variable == "beta" and self.methods != ["drnas"] and not self.runs:
            found.append(f"variable='beta' with methods={self.methods}: only drnas has a concentration. Allowed are eta, mean, mu.")
        return found


class LambdaConfig(StudyOfHessian):
    """The parameters of notebooks/lambda_ablation.ipynb."""

    snapshots: Count = 10
    lams: Annotated[list[float], several(number("a number, 0 or more", lambda value: value >= 0), "[0, 1e-3, 1]")] = [
        0, 5e-4, 1e-3, 5e-3, 1e-2, 1e-1, 1,
    ]  # fmt: skip
    regulariser: kinds.Regulariser = "adam_decay"
    eigenvalues: Truth = True

    def searches(self) -> list[SearchSettings]:
        """For every lambda all seeds."""
        return [self.search(lam=lam, seed=seed) for lam in self.lams for seed in self.seeds]


class StudyOfOneRun(Parameters):
    """A study of one finished run; where `run` is None, of a search of the digits at `scale`, which is made first."""

    run: FolderPath | None = None
    scale: Annotated[str, choice(*scales.for_search("nb201", "digits"))] = "full"
    seed: kinds.Seed = 0
    device: Device = "auto"
    results: FolderPath = "results/search"

    def searches(self) -> list[SearchSettings]:
        """The search to make first, if any, with a snapshot of its last epoch."""
        if self.run is not None:
            return []
        given = {"dataset": "digits", "scale": self.scale, "evaluate": "none", "device": self.device, "results": self.results}
        epochs = sum(stage.epochs for stage in SearchConfig.of(given).settings().stages)
        return [SearchConfig.of(given | {"snapshots": epochs, "name": f"nb201_digits_study_{self.scale}"}).settings()]


class ExplorationConfig(StudyOfOneRun):
    """The parameters of notebooks/exploration.ipynb."""

    samples: Annotated[int, DRAWN] = 100
    split: Split = "test"


class TheoryConfig(StudyOfOneRun):
    """The parameters of notebooks/theory.ipynb."""

    draws: Annotated[int, integer(2, 100_000)] = 200  # a standard error needs two
    images: Images = 256
    normalisation: Normalisation = "batch"


class ConstrainedConfig(StudyOfOneRun):
    """The parameters of notebooks/constrained.ipynb."""

    cost: Annotated[str, choice("parameters", "macs", "imagenet_macs", "latency_ms")] = "macs"
    budget: Positive | None = None
    samples: Annotated[list[int], several(DRAWN, "[10, 100, 1000]")] = [10, 100, 1000]
    repeats: Annotated[int, integer(2, 10_000)] = 20  # a deviation needs two
    accuracy_on: Annotated[str, choice("cifar10", "cifar100", "imagenet16-120")] = "cifar10"
    split: Split = "test"
    batch_size: Annotated[int, integer(1, 4096)] = 64
    timings: Annotated[int, integer(1, 10_000)] = 10


class ReportConfig(Parameters):
    """The parameters of notebooks/report.ipynb, darts_space.ipynb and robust_spaces.ipynb."""

    results: FolderPath = "results"
