"""The parameters of a search, checked; its complete settings, and which of them make it another run. No torch."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Any

from drnas_lib.config import kinds, method_presets, scales, space_rules
from drnas_lib.config.image_rules import IndexLists, streamed_problems
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import Truth, choice, integers, number, one_of
from drnas_lib.config.presets import FAMILIES, STAGE_LISTS, STREAMED, preset, searched, usually_progressive
from drnas_lib.config.run_parameters import RunParameters, file_part, fingerprint
from drnas_lib.config.search_settings import SearchSettings, StageSettings
from drnas_lib.config.space_rules import MOST_OPERATIONS, RULES

CHOICES = (  # settings for which no protocol has a default
    "space", "dataset", "method", "protocol", "scale", "seed", "device", "workers", "snapshots", "data_folder", "index_lists",
)  # fmt: skip
EVALUATION = ("train_epochs", "random_cells", "train_seeds")  # of the trainings after the search
# Not in the fingerprint: the result does not depend on them, the settings say all of a scale, and images have their own fingerprint.
NOT_OF_THE_RESULT = ("device", "evaluate", *EVALUATION, "snapshots", "workers", "scale", "data_folder", "index_lists")
# Not in the fingerprint at these values: the parameters are newer than the first runs, whose fingerprints must stay the same.
NEWER_DEFAULTS: dict[str, Any] = dict(
    lr_half_period=None, nesterov=False, step="arch_first", split="halves", precision="float32", options={}, macro="cifar", lr_warmup=0,
    drop_path=0.0, cutout=0, derive="mean", arch_grad_clip=None, label_smoothing=0.0, eta_mean=0.0, eta_std=1e-3, tau_line="both",
)  # fmt: skip


class SearchConfig(RunParameters):
    """The parameters of notebooks/search.ipynb; None: the default of protocol, method and scale."""

    space: Annotated[str, choice(*RULES)] = "nb201"
    dataset: kinds.Dataset = "cluttered_digits"
    index_lists: IndexLists | None = None
    method: Annotated[str, one_of(METHODS)] = "drnas"
    progressive: Truth | None = None
    precision: kinds.Precision | None = None
    results: kinds.FolderPath = "results/search"
    snapshots: kinds.CountOrZero = 0
    evaluate: Annotated[str, choice("table", "train", "none")] | None = None
    train_epochs: kinds.Epochs | None = None
    random_cells: kinds.Trainings | None = None
    train_seeds: kinds.Trainings | None = None
    epochs: kinds.EpochsPerStage | None = None
    k: kinds.PerStage | None = None
    keep: Annotated[list[int], integers(1, MOST_OPERATIONS)] | None = None
    arch_warmup: Annotated[list[int], integers(0)] | None = None
    macro: Annotated[str, choice("cifar", "imagenet")] | None = None
    weight_lr: kinds.Positive | None = None
    weight_lr_min: kinds.NotNegative | None = None
    lr_warmup: kinds.CountOrZero | None = None
    lr_half_period: kinds.Count | None = None
    lr_after_widening: Annotated[str, choice("continued", "restart_epoch", "restart_cosine")] | None = None
    momentum: kinds.Fraction | None = None
    nesterov: Truth | None = None
    arch_lr: kinds.Positive | None = None
    arch_grad_clip: kinds.Positive | None = None
    # Beyond these bounds the start decides the cell.
    eta_mean: Annotated[float, number("a number from -10 to 10", lambda value: -10 <= value <= 10)] | None = None
    eta_std: Annotated[float, number("a number from 0 to 10", lambda value: 0 <= value <= 10)] | None = None
    lam: kinds.NotNegative | None = None
    regulariser: kinds.Regulariser | None = None
    step: Annotated[str, choice("arch_first", "weights_first", "single_level", "weights_only")] | None = None
    bilevel: Annotated[str, choice("first", "second")] | None = None
    derive: Annotated[str, choice("mean", "softmax")] | None = None
    split: Annotated[str, choice("halves", "test_half")] | None = None
    tau_start: kinds.Positive | None = None
    tau_end: kinds.Positive | None = None
    tau_line: Annotated[str, choice("both", "start", "end")] | None = None
    edge_normalisation: Truth | None = None
    none_in_cell: Truth | None = None
    candidates: kinds.Samples | None = None
    monitored: kinds.SamplesOrZero | None = None
    candidate_batch: kinds.BatchSize | None = None
    controller_lr: kinds.Positive | None = None
    controller_updates: kinds.SamplesOrZero | None = None
    controller_samples: kinds.Samples | None = None

    def _problems(self) -> list[str]:
        if not searched(self.space, self.dataset):
            spaces = [space for space in RULES if searched(space, self.dataset)]
            return [f"dataset={self.dataset!r} with space={self.space!r}: there are no settings for it. Allowed is {', '.join(spaces)}."]
        if self.scale not in (allowed := scales.for_search(self.space, self.dataset)):
            of = f"space={self.space!r} and dataset={self.dataset!r}"
            return [f"scale={self.scale!r} with {of}: they have no such scale. Allowed are {', '.join(allowed)}."]
        return [*self._contradictions(), *(self._wrong_number_of_stages() or self._wrong_stages())]

    def _contradictions(self) -> Iterator[str]:
        values = self._values
        if self.evaluate == "table" and FAMILIES[self.dataset] == "own":
            yield f"evaluate='table' with dataset={self.dataset!r}: the benchmark lacks this data set. Allowed are train, none."
        for name in (name for name in EVALUATION if getattr(self, name) is not None and values["evaluate"] != "train"):
            yield f"{name}={getattr(self, name)} with evaluate={values['evaluate']!r}: nothing is trained. Allowed is evaluate='train'."
        yield from self._image_problems(values["macro"])
        if self.dataset == STREAMED:
            yield from streamed_problems(self.index_lists, values)
        yield from space_rules.problems(self.space, self.method, self.progressive, values)
        if values["weight_lr_min"] > values["weight_lr"]:
            yield f"weight_lr_min={values['weight_lr_min']} with weight_lr={values['weight_lr']}: the cosine ends there, so not above."
        if values["subset"] is not None and values["subset"] < (least := 2 * values["batch_size"]):
            yield f"subset={values['subset']} with batch_size={values['batch_size']}: each half needs a batch, so {least} or more."
        falls, total = values["lr_half_period"], sum(values["epochs"])
        if falls and falls < total and values["lr_after_widening"] == "restart_cosine":
            combined = f"lr_half_period={falls} with lr_after_widening='restart_cosine'"
            yield f"{combined}: it scales one fall of the rate, and {total} epochs have more. Allowed are continued, restart_epoch."
        options = {name: getattr(self, name) for name in method_presets.all_options()}
        given = {name: value for name, value in options.items() if value is not None}
        yield from method_presets.problems(self.method, self.protocol, given, values)

    def _wrong_number_of_stages(self) -> list[str]:
        given = {name: getattr(self, name) for name in STAGE_LISTS if getattr(self, name) is not None}
        against = [f"{name}={values}" for name, values in given.items() if self.progressive != (len(values) > 1)]
        if self.progressive is not None and against:
            wanted = "several stages, one entry each" if self.progressive else "one stage, one entry"
            return [f"progressive={self.progressive} with {', '.join(against)}: it means {wanted}."]
        lists = {name: self._values[name] for name in STAGE_LISTS}
        if len({len(values) for values in lists.values()}) == 1:
            return []
        shown = ", ".join(f"{name}={values}" for name, values in given.items())
        missing = [name for name in ("epochs", "k", "keep") if name not in given]
        advice = f" Set also {', '.join(missing)}, which have {len(lists[missing[0]])} by default." if missing else ""
        return [f"{shown}: each needs one entry for every stage.{advice}"]

    def _wrong_stages(self) -> Iterator[str]:
        epochs, ks, keep, arch_warmup = (self._values[name] for name in STAGE_LISTS)
        if keep[0] not in (operations := RULES[self.space].operations):
            which = f"{' or '.join(map(str, operations))} operations" + (" (all, or all but 'none')" if len(operations) > 1 else "")
            yield f"keep={keep}: the first stage has learnt nothing to prune by, so it keeps all {which}."
        for name, numbers, change in (("keep", keep, "prune"), ("k", ks, "widen")):
            for earlier, later in pairwise(numbers):
                if later > earlier:
                    why = f"it cannot grow from {earlier} to {later}, since stages {change}"
                    yield f"{name}={numbers}: {why}. Allowed is the same or less."
        channels = self._values["channels"]
        for k in ks:
            if channels % k:
                yield f"k={ks} with channels={channels}: {k} does not divide the channels. Allowed is what divides {channels}."
        if (lr_warmup := self._values["lr_warmup"]) > sum(epochs):
            yield f"lr_warmup={lr_warmup} with epochs={epochs}: the rate would never be reached, so not more than all epochs."
        if self.lr_after_widening is not None and len(epochs) == 1:
            yield f"lr_after_widening={self.lr_after_widening!r} with one stage: nothing is widened, so leave it out, or add a stage."
        if still := [total for total, warmup in zip(epochs, arch_warmup) if warmup >= total]:
            both = f"arch_warmup={arch_warmup} with epochs={epochs}"
            yield f"{both}: eta would not move in {still[0]} epochs. Allowed are fewer than the epochs of the stage, from 0 on."

    @property
    def _progressive(self) -> bool:
        if self.progressive is not None:
            return self.progressive
        if self.epochs is not None and self.k is not None and self.keep is not None:
            return len(self.epochs) > 1
        return self._usually_progressive

    @property
    def _usually_progressive(self) -> bool:
        return METHODS[self.method].progressive and usually_progressive(self.space, self.protocol)

    @cached_property
    def _defaults(self) -> tuple[dict[str, Any], dict[str, Any]]:
        of_protocol = preset(self.space, self.dataset, self.protocol, self._progressive)
        full = method_presets.adapted(self.method, self.protocol, FAMILIES[self.dataset] != "own", of_protocol)
        return full, scales.search(self.scale, self.space, self.dataset, full)

    @cached_property
    def _values(self) -> dict[str, Any]:
        values = super()._values
        if self.arch_warmup is None and len(values["arch_warmup"]) != len(values["epochs"]):
            values["arch_warmup"] = [0] * len(values["epochs"])
        return values

    def settings(self) -> SearchSettings:
        """The complete settings. Raises ParameterError if parameters contradict each other."""
        self.check()
        (_, scaled), options = self._defaults, {name: self._values[name] for name in method_presets.options(self.method, self.protocol)}
        values = {n: v for n, v in self._values.items() if n not in (*STAGE_LISTS, *options)}
        if values["evaluate"] != "train":
            values |= dict.fromkeys(EVALUATION)
        stages = tuple(StageSettings(*entries) for entries in zip(*(self._values[name] for name in STAGE_LISTS)))
        image_size = self._pixels if self.dataset == STREAMED else self.image_size
        values |= {name: getattr(self, name) for name in CHOICES} | {"image_size": image_size, "options": options, "stages": stages}
        differences = {n: v for n, v in self._differences.items() if n not in NOT_OF_THE_RESULT}
        stem, folder = self._name_and_folder(self._name_parts(), differences | self._image_differences())
        return SearchSettings(
            **values,
            stem=stem,
            folder=folder,
            reduced=tuple(self._reductions()),
            changed=tuple(f"{name} {value} instead of {scaled[name]}" for name, value in differences.items()),
            fingerprint=_fingerprint(values),
        )

    def _name_parts(self) -> list[str]:
        parts = [self.space, self.dataset, self.method, self.protocol]
        if self._progressive != self._usually_progressive:
            parts.append("progressive" if self._progressive else "plain")
        return parts

    def _image_differences(self) -> dict[str, Any]:
        lists = self.index_lists and "-".join(file_part(PurePath(path).stem) for path in self.index_lists)
        folder = self.data_folder and file_part(PurePath(self.data_folder).name)
        return {"image_size": self.image_size, "folder": folder, "lists": lists}

    def _reductions(self) -> Iterator[str]:
        yield from scales.search_reductions(self._values, self._defaults[0], RULES[self.space].cells)
        if self.dataset == STREAMED:
            yield from scales.streamed_reductions(self.index_lists, self._pixels)


def _fingerprint(values: dict[str, Any]) -> str:
    """A hash of everything that the result depends on."""

    def relevant(settings: dict[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in settings.items() if n not in NEWER_DEFAULTS or v != NEWER_DEFAULTS[n]}

    values = {name: value for name, value in values.items() if name not in NOT_OF_THE_RESULT}
    values |= {"options": relevant(values["options"]), "stages": [asdict(stage) for stage in values["stages"]]}
    return fingerprint(relevant(values))
