"""Estimated GPU minutes of a papermill command, and minutes of one core at smaller scales. GPU_ASSUMPTIONS are printed with them.

Trainings and searches on NAS-Bench-201: multiply-adds counted on the network, times the cost of a gradient, over an assumed rate.
Searches of the DARTS space and of S1 to S4: the paper's own search cost. Looking cells up and drawing cells: a minute.
"""

from dataclasses import dataclass

from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.views import darts_tables
from drnas_lib.collection.views.published import paper_table
from drnas_lib.config.presets import STREAMED
from drnas_lib.config.recipes import recipe_of
from drnas_lib.config.scales import IMAGES
from drnas_lib.config.search import SearchSettings
from drnas_lib.genotype import NB201_EDGES
from drnas_lib.runs.index import RunIndex


@dataclass(frozen=True)
class Assumption:
    """A number that was chosen, not measured."""

    value: float
    unit: str
    why: str


GPU_ASSUMPTIONS = {
    "rate": Assumption(2e12, "FLOP/s", "sustained by one GPU in float32; narrow and separable convolutions are bound by memory"),
    "gradient": Assumption(6, "FLOP a multiply-add", "forward once, backward twice, two operations each; nothing else is counted"),
    "overhead": Assumption(0.3, "of a step", "the part that does not shrink with 1/K or the operations left, as on a CPU (speed.ipynb)"),
    "second order": Assumption(5, "gradients a step", "as DARTS writes it, where the first order takes 2"),
    "found cell": Assumption(1, "times the published DrNAS cell", "how large a cell will be that is yet to be searched"),
    "GPU day": Assumption(1440, "minutes", "of the paper's GTX 1080 Ti, taken as it is for the DARTS space; S1 to S4 as without stages"),
    "short run": Assumption(1, "minute", "one Hessian of 30 variables, or one notebook that only looks things up or draws"),
}
CORE_ASSUMPTIONS = {
    "core rate": Assumption(4e10, "FLOP/s", "sustained by one thread on the laptop scale's network; two threads share a core's caches"),
    "core Hessian": Assumption(0.3, "minutes", "one Hessian of the laptop scale's network"),
    "core theory": Assumption(8, "minutes", "200 draws of theta on all validation images of a laptop search, and its Hessian"),
    "core notebook": Assumption(0.4, "minutes", "to start a notebook and draw its figures"),
}
PIXELS = {"imagenet16-120": 16, "cluttered_digits": 16, "digits": 8}  # side of an image; 32 for the other data sets of a search
SINGLE_PATH = ("rsps", "enas", "gdas", "dsnas")  # compute one operation of each edge; its cost is taken as the mean of all
WEIGHTS = 1 + 9  # of one channel pair in the operations of an edge that have weights: 1x1 and 3x3
OPERATIONS = 5
FORWARD = 1 / 3  # of a gradient


def assumption(name: str) -> float:
    """The value of an assumption."""
    return (GPU_ASSUMPTIONS | CORE_ASSUMPTIONS)[name].value


def minutes(command: Command, results: RunIndex) -> float:
    """GPU minutes of everything that the command makes and that is not there yet."""
    if command.notebook == "retrain":
        return _training(command)
    done = {(run.name, run.seed) for run in results.searches}
    missing = [settings for settings in command.searches() if (settings.stem, settings.seed) not in done]
    return sum(search_minutes(settings) for settings in missing) or assumption("short run")


def search_minutes(settings: SearchSettings) -> float:
    """GPU minutes of one search at its full length."""
    search = _gpu_minutes(_search_macs(settings)) if settings.space == "nb201" else _darts_space(settings)
    return search + snapshots(settings) * assumption("short run")


def core_minutes(settings: SearchSettings) -> float:
    """Minutes of a search of NAS-Bench-201 on one thread of a CPU, with its notebook."""
    operations = (_search_macs(settings) + _evaluation_macs(settings)) * assumption("gradient")
    return operations / assumption("core rate") / 60 + assumption("core notebook")


def core_study_minutes(hessians: int) -> float:
    """Minutes of a notebook that takes so many Hessians of a supernet, on one thread."""
    return hessians * assumption("core Hessian") + assumption("core notebook")


def core_theory_minutes() -> float:
    """Minutes of the theory notebook on a laptop search, on one thread."""
    return assumption("core theory") + assumption("core notebook")


def snapshots(settings: SearchSettings) -> int:
    """How many snapshots of its supernet a search keeps."""
    return sum(stage.epochs for stage in settings.stages) // settings.snapshots if settings.snapshots else 0


def _search_macs(settings: SearchSettings) -> float:
    """Multiply-adds of all images of which a search takes gradients."""
    images = (settings.subset or IMAGES[settings.dataset]) / 2 * _gradients(settings)
    fixed, single_path = assumption("overhead"), settings.method in SINGLE_PATH
    epochs = sum(s.epochs * (fixed + (1 - fixed) * (1 if single_path else s.keep) / OPERATIONS / s.k) for s in settings.stages)
    return images * epochs * supernet_macs(settings)


def _evaluation_macs(settings: SearchSettings) -> float:
    """Those of the cells that RSPS and ENAS evaluate between the epochs and at the end, as multiply-adds of a gradient."""
    options, epochs = settings.options, sum(stage.epochs for stage in settings.stages)
    cells = options.get("candidates", 0) + epochs * options.get("monitored", 0)
    images = cells * options.get("candidate_batch", settings.batch_size)
    images += epochs * options.get("controller_updates", 0) * options.get("controller_samples", 0) * settings.batch_size
    share = assumption("overhead") + (1 - assumption("overhead")) / OPERATIONS
    return images * share * supernet_macs(settings) * FORWARD


def supernet_macs(settings: SearchSettings) -> float:
    """Multiply-adds of one image through the supernet of NAS-Bench-201 with all channels and operations, without its classifier."""
    pixels, C = PIXELS.get(settings.dataset, 32) ** 2, settings.channels
    edge = WEIGHTS * C**2 * pixels  # the same in all three stages: channels double, sides halve
    residual = (9 * C * 2 * C + 9 * 2 * C * 2 * C + C * 2 * C) * pixels / 4
    return 9 * 3 * C * pixels + 3 * settings.cells * len(NB201_EDGES) * edge + 2 * residual


def _gradients(settings: SearchSettings) -> float:
    """For each pair of a training and a validation image."""
    if settings.bilevel == "second":
        return assumption("second order")
    return 1 if settings.step in ("single_level", "weights_only") else 2


def _darts_space(settings: SearchSettings) -> float:
    days = {row["architecture"]: row["search_cost_gpu_days"] for row in paper_table(3 if settings.dataset == STREAMED else 2)["rows"]}
    published = days["DrNAS" if len(settings.stages) > 1 else "DrNAS (without progressive learning)"]
    return published * assumption("GPU day") * _gradients(settings) / 2


def _training(command: Command) -> float:
    given = command.parameters()
    dataset = given.get("dataset", "cifar10")
    network, usual_recipe = ("imagenet", "imagenet") if dataset == STREAMED else ("cifar", "drnas")
    macs = darts_tables.costs().query("network == @network").set_index("cell").macs
    of_cell = macs.get(given.get("genotype", "drnas_cifar10").lower(), assumption("found cell") * macs["drnas_cifar10"])
    recipe = recipe_of(given.get("recipe") or usual_recipe, given.get("protocol", "released"))
    return _gpu_minutes(recipe.epochs * IMAGES[dataset] * float(of_cell))


def _gpu_minutes(macs: float) -> float:
    return macs * assumption("gradient") / assumption("rate") / 60
