"""The parameters of a search, checked before anything is read or computed, and the complete settings that follow from them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from drnas_lib.config import holes, method_presets, scales, stream_rules
from drnas_lib.config.kinds import (
    Amount,
    BatchSize,
    Bilevel,
    Cells,
    Channels,
    Count,
    Cutout,
    Dataset,
    Derive,
    Device,
    Epochs,
    EpochsPerStage,
    EtaMean,
    EtaStd,
    Evaluate,
    FolderPath,
    Keep,
    LrAfterWidening,
    Macro,
    Method,
    Momentum,
    Name,
    NotNegative,
    PerStage,
    Pixels,
    Positive,
    Precision,
    Probability,
    Protocol,
    Regulariser,
    Scale,
    Seed,
    Some,
    Space,
    Split,
    Step,
    TauLine,
    Trained,
    Trials,
    Warmup,
    Workers,
    equal_shares,
)
from drnas_lib.config.method_presets import METHODS, OPTIONS
from drnas_lib.config.parameters import (
    ParameterError,
    Parameters,
    Truth,
    listed,
)
from drnas_lib.config.presets import FAMILIES, STREAMED, Stages, preset, searched, usually_progressive
from drnas_lib.config.search_settings import SearchSettings, StageSettings, reductions
from drnas_lib.config.space_rules import PIXELS, RULES, contradictions, first_keep
from drnas_lib.config.stream_rules import IndexLists

CHOICES = ("space", "dataset", "method", "protocol", "scale", "seed", "device", "workers")  # that no protocol makes
STAGE_LISTS = ("epochs", "k", "keep", "arch_warmup")
# The scale is no part of a result either: its values are.
JUDGING = ("train_epochs", "random_cells", "train_seeds")  # of the trainings after the search
NOT_OF_THE_RESULT = ("device", "results", "rerun", "name", "evaluate", *JUDGING, "snapshots", "workers", "scale")
OF_THE_IMAGES = ("data_folder", "index_lists")  # they have a fingerprint of their own, wherever they lie
# Came later: at these values they are not in the fingerprint, so that runs of before are still known.
LATER = {"lr_half_period": None, "nesterov": False, "step": "arch_first", "split": "halves", "precision": "float32", "options": {}}
LATER |= {"macro": "cifar", "lr_warmup": 0, "drop_path": 0.0, "cutout": 0, "derive": "mean", "arch_grad_clip": None}
LATER |= {"label_smoothing": 0.0, "eta_mean": 0.0, "eta_std": 1e-3, "tau_line": "both"}
LONGEST_STEM = 100


class SearchConfig(Parameters):
    """The parameters of notebooks/search.ipynb; None means that the protocol decides."""

    space: Space = "nb201"
    dataset: Dataset = "cluttered_digits"
    data_folder: FolderPath | None = None
    image_size: Pixels | None = None
    index_lists: IndexLists | None = None
    method: Method = "drnas"
    protocol: Protocol = "released"
    progressive: Truth | None = None
    scale: Scale = "full"
    seed: Seed = 0
    device: Device = "auto"
    processes: Count = 1
    workers: Workers = 4
    precision: Precision | None = None
    results: FolderPath = "results/search"
    name: Name | None = None
    rerun: Truth = False
    snapshots: Amount = 0
    evaluate: Evaluate | None = None
    train_epochs: Epochs | None = None
    random_cells: Trained | None = None
    train_seeds: Trained | None = None
    epochs: EpochsPerStage | None = None
    k: PerStage | None = None
    keep: Keep | None = None
    arch_warmup: Warmup | None = None
    subset: Count | None = None
    batch_size: BatchSize | None = None
    cells: Cells | None = None
    channels: Channels | None = None
    macro: Macro | None = None
    weight_lr: Positive | None = None
    weight_lr_min: NotNegative | None = None
    lr_warmup: Amount | None = None
    lr_half_period: Count | None = None
    lr_after_widening: LrAfterWidening | None = None
    momentum: Momentum | None = None
    nesterov: Truth | None = None
    weight_decay: NotNegative | None = None
    grad_clip: Positive | None = None
    label_smoothing: Probability | None = None
    drop_path: Probability | None = None
    cutout: Cutout | None = None
    arch_lr: Positive | None = None
    arch_grad_clip: Positive | None = None
    eta_mean: EtaMean | None = None
    eta_std: EtaStd | None = None
    lam: NotNegative | None = None
    regulariser: Regulariser | None = None
    step: Step | None = None
    bilevel: Bilevel | None = None
    derive: Derive | None = None
    split: Split | None = None
    tau_start: Positive | None = None
    tau_end: Positive | None = None
    tau_line: TauLine | None = None
    edge_normalisation: Truth | None = None
    none_in_cell: Truth | None = None
    candidates: Trials | None = None
    monitored: Some | None = None
    candidate_batch: BatchSize | None = None
    controller_lr: Positive | None = None
    controller_updates: Some | None = None
    controller_samples: Trials | None = None

    def _problems(self) -> list[str]:
        if not searched(self.space, self.dataset):
            spaces = [space for space in RULES if searched(space, self.dataset)]
            return [f"dataset={self.dataset!r} with space={self.space!r}: there are no settings for it. Allowed is {', '.join(spaces)}."]
        if self.scale not in (there := scales.for_search(self.space, self.dataset)):
            of = f"space={self.space!r} and dataset={self.dataset!r}"
            return [f"scale={self.scale!r} with {of}: they have no such scale. Allowed are {', '.join(there)}."]
        return [*self._contradictions(), *(self._wrong_number_of_stages() or self._wrong_stages())]

    def _contradictions(self) -> Iterator[str]:
        own, values = FAMILIES[self.dataset] == "own", self._resolved()
        if self.evaluate == "table" and own:
            yield f"evaluate='table' with dataset={self.dataset!r}: the benchmark does not know this data set. Allowed are train, none."
        for name in (name for name in JUDGING if getattr(self, name) is not None and values["evaluate"] != "train"):
            yield f"{name}={getattr(self, name)} with evaluate={values['evaluate']!r}: nothing is trained. Allowed is evaluate='train'."
        if self.data_folder is None and self.dataset == "folder":
            yield "dataset='folder' without data_folder: say where the image folder is."
        yield from stream_rules.contradictions(self, values)
        yield from equal_shares(self.processes, values["batch_size"])
        yield from contradictions(self, values)
        if values["weight_lr_min"] > values["weight_lr"]:
            yield f"weight_lr_min={values['weight_lr_min']} with weight_lr={values['weight_lr']}: the cosine ends there, so not above."
        if values["subset"] is not None and values["subset"] < (least := 2 * values["batch_size"]):
            yield f"subset={values['subset']} with batch_size={values['batch_size']}: each half needs a batch, so {least} or more."
        falls, total = values["lr_half_period"], sum(self._stage_lists()["epochs"])
        if falls and falls < total and values["lr_after_widening"] == "restart_cosine":
            combined = f"lr_half_period={falls} with lr_after_widening='restart_cosine'"
            yield f"{combined}: it scales one fall of the rate, and {total} epochs have more. Allowed are continued, restart_epoch."
        if self.dataset != STREAMED:
            yield from holes.problems(values["cutout"], self.image_size or PIXELS[self.dataset])
        given = {name: getattr(self, name) for name in OPTIONS if getattr(self, name) is not None}
        yield from method_presets.contradictions(self.method, self.protocol, given, values, self._stage_lists()["keep"])

    def _wrong_number_of_stages(self) -> list[str]:
        given = {name: getattr(self, name) for name in STAGE_LISTS if getattr(self, name) is not None}
        against = [f"{name}={values}" for name, values in given.items() if self.progressive != (len(values) > 1)]
        if self.progressive is not None and against:
            wanted = "several stages, one entry each" if self.progressive else "one stage, one entry"
            return [f"progressive={self.progressive} with {', '.join(against)}: it means {wanted}."]
        lists = self._stage_lists()
        if len({len(values) for values in lists.values()}) == 1:
            return []
        shown = ", ".join(f"{name}={values}" for name, values in given.items())
        missing = [name for name in ("epochs", "k", "keep") if name not in given]
        advice = f" Set also {', '.join(missing)}, whose number in this protocol is {len(lists[missing[0]])}." if missing else ""
        return [f"{shown}: each needs one entry for every stage.{advice}"]

    def _wrong_stages(self) -> Iterator[str]:
        lists, channels = self._stage_lists(), self._resolved()["channels"]
        yield from first_keep(self.space, lists["keep"])
        for earlier, later in pairwise(lists["keep"]):
            if later > earlier:
                yield f"keep={lists['keep']}: it cannot grow from {earlier} to {later}, since stages prune. Allowed is the same or less."
        for earlier, later in pairwise(lists["k"]):
            if later > earlier:
                yield f"k={lists['k']}: it cannot grow from {earlier} to {later}, since stages widen. Allowed is the same or less."
        for k in lists["k"]:
            if channels % k:
                yield f"k={lists['k']} with channels={channels}: {k} does not divide the channels. Allowed is what divides {channels}."
        if (warmup := self._resolved()["lr_warmup"]) > sum(lists["epochs"]):
            yield f"lr_warmup={warmup} with epochs={lists['epochs']}: the rate would never be reached, so not more than all epochs."
        if self.lr_after_widening is not None and len(lists["epochs"]) == 1:
            yield f"lr_after_widening={self.lr_after_widening!r} with one stage: nothing is widened, so leave it out, or add a stage."
        still = [epochs for epochs, warmup in zip(lists["epochs"], lists["arch_warmup"]) if warmup >= epochs]
        if still:
            both = f"arch_warmup={lists['arch_warmup']} with epochs={lists['epochs']}"
            yield f"{both}: eta would not move in {still[0]} epochs. Allowed are fewer than the epochs of the stage, from 0 on."

    def _progressive(self) -> bool:
        if self.progressive is not None:
            return self.progressive
        whole = None not in (self.epochs, self.k, self.keep)  # then these lists are the stages, whatever the protocol has
        return len(self.epochs) > 1 if whole else self._usually_progressive()

    def _usually_progressive(self) -> bool:
        return METHODS[self.method].progressive and usually_progressive(self.space, self.protocol)

    def _full(self) -> tuple[Stages, dict]:
        """What the protocol has at full length."""
        stages, rest = preset(self.space, self.dataset, self.protocol, self._progressive())
        return method_presets.adapted(self.method, self.protocol, FAMILIES[self.dataset] != "own", stages, rest)

    def _preset(self) -> tuple[Stages, dict]:
        """The same at this scale."""
        return scales.search(self.scale, self.space, self.dataset, *self._full())

    def _stage_lists(self) -> dict[str, list[int]]:
        stages, _ = self._preset()
        lists = {name: getattr(self, name) or getattr(stages, name) for name in STAGE_LISTS}
        if self.arch_warmup is None and len(lists["epochs"]) != len(lists["arch_warmup"]):
            lists["arch_warmup"] = [0] * len(lists["epochs"])
        return lists

    def _resolved(self) -> dict[str, Any]:
        _, rest = self._preset()
        return {name: value if getattr(self, name) is None else getattr(self, name) for name, value in rest.items()}

    def settings(self) -> SearchSettings:
        """The complete settings. Raises ParameterError where parameters contradict each other."""
        if problems := self._problems():
            raise ParameterError(listed(problems))
        (full_stages, full), (stages, rest) = self._full(), self._preset()
        lists, values = self._stage_lists(), self._resolved()
        options = scales.options(self.scale, method_presets.options(self.method, self.protocol), full_stages, stages)
        chosen_options = {n: v if getattr(self, n) is None else getattr(self, n) for n, v in options.items()}
        differences = {n: v for n, v in lists.items() if v != getattr(stages, n)} | {n: v for n, v in values.items() if v != rest[n]}
        differences |= {n: v for n, v in chosen_options.items() if v != options[n]}
        differences = {n: v for n, v in differences.items() if n not in NOT_OF_THE_RESULT}
        usual = vars(stages) | rest | options
        values |= {"options": chosen_options, "changed": tuple(f"{n} {v} instead of {usual[n]}" for n, v in differences.items())}
        values |= dict.fromkeys(JUDGING) if values["evaluate"] != "train" else {}
        chosen = {n: getattr(self, n) for n in (*CHOICES, *OF_THE_IMAGES)}
        values |= chosen | {"image_size": stream_rules.size(self)}
        values |= {"snapshots": self.snapshots, "stages": tuple(StageSettings(*entries) for entries in zip(*lists.values()))}
        others = (*NOT_OF_THE_RESULT, *OF_THE_IMAGES, "changed")
        told = values | {"options": {n: v for n, v in chosen_options.items() if n not in LATER or v != LATER[n]}}
        relevant = {n: v for n, v in told.items() if n not in others and (n not in LATER or v != LATER[n])}
        identity = json.dumps(relevant | {"stages": [asdict(stage) for stage in values["stages"]]}, sort_keys=True)
        differences |= {"image_size": self.image_size, **stream_rules.places(self)}
        stem = self.name or self._stem({n: v for n, v in differences.items() if v is not None})
        folder = PurePath(self.results, stem, f"seed{self.seed}").as_posix()
        if problems := list(stream_rules.absent(self, folder)):
            raise ParameterError(listed(problems))
        return SearchSettings(
            **values,
            stem=stem,
            folder=folder,
            reduced=(*reductions(lists, values, full_stages, full, RULES[self.space].cells), *stream_rules.reductions(self)),
            fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:16],
        )

    def _stem(self, differences: dict[str, Any]) -> str:
        parts = [self.space, self.dataset, self.method, self.protocol]
        if self._progressive() != self._usually_progressive():
            parts.append("progressive" if self._progressive() else "plain")
        parts += [self.scale] if self.scale != scales.FULL else []
        for name, value in differences.items():
            shown = "-".join(map(str, value)) if isinstance(value, list) else f"{value:.12g}" if isinstance(value, float) else str(value)
            parts.append(f"{name.replace('_', '-')}{shown}")
        stem = "_".join(parts)
        if len(stem) > LONGEST_STEM:
            stem = f"{stem[: LONGEST_STEM - 9]}_{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
        return stem
