"""The parameters of the study notebooks: of a finished run, or of the searches that they make where none is named."""

from typing import Annotated, Any

from drnas_lib.config import scales
from drnas_lib.config.kinds import (
    BatchSize,
    Cells,
    Channels,
    Count,
    Device,
    EpochsPerStage,
    FolderPath,
    Positive,
    Protocol,
    Regulariser,
    Scale,
    Seed,
)
from drnas_lib.config.parameters import Kind, Parameters, Truth, choice, entries_of, integer, number, path, problems_of
from drnas_lib.config.presets import FAMILIES, searched
from drnas_lib.config.search import SearchConfig, SearchSettings

# One's own folder is searched by notebooks/search.ipynb.
Dataset = Annotated[str, choice(*(name for name in FAMILIES if searched("nb201", name) and name != "folder"))]
Embedded = Annotated[str, choice(*(name for name, family in FAMILIES.items() if family == "own" and name != "folder"))]
Split = Annotated[str, choice("valid", "test")]
TableSet = Annotated[str, choice("cifar10", "cifar100", "imagenet16-120")]
VariableName = Annotated[str, choice("eta", "beta", "mean", "mu")]
Measure = Annotated[str, choice("literature", "exact")]
Normalisation = Annotated[str, choice("batch", "running")]
Precision = Annotated[str, choice("float32", "float64")]
DigitsScale = Annotated[str, choice(*scales.for_search("nb201", "digits"))]
CostName = Annotated[str, choice("parameters", "macs", "imagenet_macs", "latency_ms")]
Drawn = Annotated[int, integer(1, 100_000)]  # more take hours and gigabytes
Draws = Annotated[int, integer(2, 100_000)]  # a standard error needs two
Repeats = Annotated[int, integer(2, 10_000)]  # a deviation needs two
Timings = Annotated[int, integer(1, 10_000)]
Batch = Annotated[int, integer(1, 4096)]
Images = Annotated[int, integer(2)]  # normalisation needs two images


def several(kind: Kind, example: str, least: int = 1) -> Kind:
    """`least` or more of a kind, each once: a list, one alone, or text with commas, since papermill's -p passes no lists."""

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


RUNS = "['results/search/NAME/seed0', 'results/search/NAME/seed1']"
Folders = Annotated[list[str], several(path("allowed is the path of a folder."), RUNS, least=0)]
Seeds = Annotated[list[int], several(integer(0, 2**32 - 1), "[0, 1, 2, 3]")]
Numbers = Annotated[list[int], several(integer(1, 100_000), "[10, 100, 1000]")]
Lams = Annotated[list[float], several(number("a number, 0 or more", lambda value: value >= 0), "[0, 1e-3, 1]")]
# Those with a point at which theta is differentiable twice.
Methods = Annotated[list[str], several(choice("drnas", "darts", "darts_2nd"), "['darts', 'drnas']")]


class Searches(Parameters):
    """The searches of a study; None means that protocol and scale decide, as in notebooks/search.ipynb."""

    dataset: Dataset = "digits"
    protocol: Protocol = "released"
    scale: Scale = "full"
    seeds: Seeds = [0]
    epochs: EpochsPerStage | None = None
    batch_size: BatchSize | None = None
    channels: Channels | None = None
    cells: Cells | None = None
    subset: Count | None = None
    arch_lr: Positive | None = None
    snapshots: Count = 4
    device: Device = "auto"
    results: FolderPath = "results/search"

    def search(self, **changes: Any) -> SearchSettings:
        """The settings of one search. Raises ParameterError."""
        names = set(Searches.model_fields) & set(SearchConfig.model_fields)
        judged = None if FAMILIES[self.dataset] == "published" else "none"
        return SearchConfig.of({name: getattr(self, name) for name in names} | {"evaluate": judged} | changes).settings()


class HessianPart(Parameters):
    """How the Hessian is taken; None means as `measure` says."""

    variable: VariableName = "eta"
    measure: Measure = "literature"
    images: Images | None = None
    normalisation: Normalisation | None = None
    precision: Precision | None = None


class HessianConfig(HessianPart, Searches):
    """The parameters of notebooks/hessian.ipynb."""

    runs: Folders = []
    methods: Methods = ["darts", "drnas"]

    def searches(self) -> list[SearchSettings]:
        """What has to be searched: nothing where `runs` names finished ones."""
        return [] if self.runs else [self.search(method=method, seed=seed) for method in self.methods for seed in self.seeds]

    def _problems(self) -> list[str]:
        found = problems_of(self.searches)
        if self.variable == "beta" and self.methods != ["drnas"] and not self.runs:
            found.append(f"variable='beta' with methods={self.methods}: only drnas has a concentration. Allowed are eta, mean, mu.")
        return found


class LambdaConfig(HessianPart, Searches):
    """The parameters of notebooks/lambda_ablation.ipynb."""

    snapshots: Count = 10
    lams: Lams = [0, 5e-4, 1e-3, 5e-3, 1e-2, 1e-1, 1]
    regulariser: Regulariser = "adam_decay"
    eigenvalues: Truth = True

    def searches(self) -> list[SearchSettings]:
        """For every lambda all seeds."""
        return [self.search(lam=lam, seed=seed, regulariser=self.regulariser) for lam in self.lams for seed in self.seeds]

    def _problems(self) -> list[str]:
        return problems_of(self.searches)


class MainJobConfig(Parameters):
    """The parameters of notebooks/main_job.ipynb: for every seed the search of `make search`, judged as it is there."""

    dataset: Embedded = "cluttered_digits"
    protocol: Protocol = "released"
    scale: Scale = "full"
    seeds: Seeds = [0]
    device: Device = "auto"
    results: FolderPath = "results/search"
    tables: FolderPath = "results/main_job"

    def searches(self) -> list[SearchSettings]:
        """One for every seed. Raises ParameterError."""
        names = ("dataset", "protocol", "scale", "device", "results")
        return [SearchConfig.of({name: getattr(self, name) for name in names} | {"seed": seed}).settings() for seed in self.seeds]

    def _problems(self) -> list[str]:
        return problems_of(self.searches)


class OfOneRun(Parameters):
    """A study of one finished run; where `run` is None, of a search of the digits at `scale`, which is made first."""

    run: FolderPath | None = None
    scale: DigitsScale = "full"
    seed: Seed = 0
    device: Device = "auto"
    results: FolderPath = "results/search"

    def searches(self) -> list[SearchSettings]:
        """The search to make first, if any."""
        if self.run is not None:
            return []
        made = {"dataset": "digits", "scale": self.scale, "evaluate": "none", "device": self.device, "results": self.results}
        epochs = sum(stage.epochs for stage in SearchConfig.of(made).settings().stages)
        return [SearchConfig.of(made | {"snapshots": epochs, "name": f"nb201_digits_study_{self.scale}"}).settings()]


class ExplorationConfig(OfOneRun):
    """The parameters of notebooks/exploration.ipynb."""

    samples: Drawn = 100
    split: Split = "test"


class TheoryConfig(OfOneRun):
    """The parameters of notebooks/theory.ipynb."""

    draws: Draws = 200
    images: Images = 256
    normalisation: Normalisation = "batch"


class ConstrainedConfig(OfOneRun):
    """The parameters of notebooks/constrained.ipynb."""

    cost: CostName = "macs"
    budget: Positive | None = None
    samples: Numbers = [10, 100, 1000]
    repeats: Repeats = 20
    accuracy_on: TableSet = "cifar10"
    split: Split = "test"
    batch_size: Batch = 64
    timings: Timings = 10


class TablesConfig(Parameters):
    """The parameters of notebooks/darts_space.ipynb and robust_spaces.ipynb."""

    results: FolderPath = "results/retrain"


class ReportConfig(Parameters):
    """The parameters of notebooks/report.ipynb."""

    results: FolderPath = "results"
