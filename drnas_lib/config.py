"""The parameters of a search, checked before anything is read or computed, and the complete settings that follow from them."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from drnas_lib.parameters import (
    Integer, MaybeInteger, MaybeIntegers, MaybeNumber, MaybeText, MaybeTruth, ParameterError, Text, Truth, nearest, plain_names,
)  # fmt: skip
from drnas_lib.presets import FAMILIES, PROGRESSIVE_BY_DEFAULT, preset

CHOICES = {
    "space": ("nb201",),
    "dataset": tuple(FAMILIES),
    "method": ("drnas",),
    "protocol": ("released", "paper"),
    "lr_after_widening": ("continued", "restart_epoch", "restart_cosine"),
    "regulariser": ("adam_decay", "penalty", "kl"),
    "bilevel": ("first", "second"),
    "evaluate": ("table", "train", "none"),
}
AT_LEAST = {"seed": 0, "batch_size": 2, "channels": 1, "cells": 1, "subset": 2, "train_epochs": 1, "image_size": 8}
POSITIVE = ("weight_lr", "grad_clip", "arch_lr")
NOT_NEGATIVE = ("weight_lr_min", "momentum", "weight_decay", "lam")
STAGE_LISTS = {"epochs": 1, "k": 1, "keep": 1, "arch_warmup": 0}  # and their least values
OPERATIONS = 5
NOT_OF_THE_RESULT = ("device", "results", "rerun", "name", "evaluate", "train_epochs")
LONGEST_STEM = 100


@dataclass(frozen=True)
class StageSettings:
    """A stage: see schedule.Stage."""

    epochs: int
    k: int
    keep: int
    arch_warmup: int


@dataclass(frozen=True)
class SearchSettings:
    """Every value that a search needs, and where it is kept."""

    space: str
    dataset: str
    method: str
    protocol: str
    seed: int
    device: str
    stages: tuple[StageSettings, ...]
    batch_size: int
    channels: int
    cells: int
    subset: int | None
    weight_lr: float
    weight_lr_min: float
    momentum: float
    weight_decay: float
    grad_clip: float
    lr_after_widening: str
    arch_lr: float
    lam: float
    regulariser: str
    bilevel: str
    evaluate: str
    train_epochs: int | None
    image_size: int | None
    data_folder: str | None
    stem: str
    folder: str  # of the run, relative to the project
    reduced: tuple[str, ...]  # why this is less than the protocol's run; empty when it is not
    fingerprint: str  # of everything that the result depends on
    arch_betas: tuple[float, float] = (0.5, 0.999)  # Adam for eta, in the code

    def as_dict(self) -> dict:
        """JSON-ready."""
        return asdict(self)


class SearchConfig(BaseModel):
    """The parameters of notebooks/search.ipynb; None means that the protocol decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: Text = "nb201"
    dataset: Text = "digits"
    method: Text = "drnas"
    protocol: Text = "released"
    progressive: MaybeTruth = None
    seed: Integer = 0
    device: Text = "auto"
    epochs: MaybeIntegers = None
    k: MaybeIntegers = None
    keep: MaybeIntegers = None
    arch_warmup: MaybeIntegers = None
    batch_size: MaybeInteger = None
    channels: MaybeInteger = None
    cells: MaybeInteger = None
    subset: MaybeInteger = None
    weight_lr: MaybeNumber = None
    weight_lr_min: MaybeNumber = None
    momentum: MaybeNumber = None
    weight_decay: MaybeNumber = None
    grad_clip: MaybeNumber = None
    lr_after_widening: MaybeText = None
    arch_lr: MaybeNumber = None
    lam: MaybeNumber = None
    regulariser: MaybeText = None
    bilevel: MaybeText = None
    evaluate: MaybeText = None
    train_epochs: MaybeInteger = None
    image_size: MaybeInteger = None
    data_folder: MaybeText = None
    results: Text = "results/search"
    name: MaybeText = None
    rerun: Truth = False

    @classmethod
    def from_notebook(cls, names: dict[str, Any]) -> Self:
        """The configuration that a notebook's `globals()` describe. Raises ParameterError, before anything else has run."""
        return cls.of(plain_names(names))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Check `values`; a name left out keeps its default. Raises ParameterError with all problems at once."""
        known = cls.model_fields
        problems = [
            f"{name}={value!r}: there is no such parameter.{nearest(name, known)} Known: {', '.join(known)}."
            for name, value in values.items()
            if name not in known
        ]
        try:
            config = cls(**{name: value for name, value in values.items() if name in known})
        except ValidationError as error:
            problems += [f"{e['loc'][0]}={e['input']!r}: {e['msg'].removeprefix('Value error, ')}." for e in error.errors()]
        else:
            problems += config._problems()
        if problems:
            raise ParameterError("\n  ".join(["the parameters do not fit:", *problems]))
        return config

    def _problems(self) -> list[str]:
        single = [*self._wrong_choices(), *self._out_of_range()]
        return single or [*self._contradictions(), *self._wrong_stages()]  # a pair is judged only when each is sound

    def _wrong_choices(self):
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                yield f"{name}={value!r}: allowed are {', '.join(allowed)}.{nearest(value, allowed)}"
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            yield f"device={self.device!r}: allowed are auto, cpu, cuda, cuda:N.{nearest(self.device, ('auto', 'cpu', 'cuda'))}"
        if self.name is not None and not re.fullmatch(r"[\w][\w.+-]*", self.name):
            yield f"name={self.name!r}: allowed are letters, digits and . _ + -, starting with a letter or digit; it becomes a folder."

    def _out_of_range(self):
        for name, least in AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                yield f"{name}={value!r}: allowed is {least} or more."
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                yield f"{name}={value!r}: allowed is a number above 0."
        for name in NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                yield f"{name}={value!r}: allowed is 0 or more."
        if self.momentum is not None and self.momentum >= 1:
            yield f"momentum={self.momentum!r}: allowed is a number from 0 to below 1."
        for name, least in STAGE_LISTS.items():
            values = getattr(self, name)
            if values is not None and min(values) < least:
                yield f"{name}={values!r}: allowed is {least} or more in every stage."

    def _contradictions(self):
        own, values = FAMILIES[self.dataset] == "own", self._resolved()
        if self.evaluate == "table" and own:
            yield f"evaluate='table' with dataset={self.dataset!r}: the benchmark does not know this data set. Use 'train' or 'none'."
        if self.train_epochs is not None and values["evaluate"] != "train":
            yield f"train_epochs={self.train_epochs} with evaluate={values['evaluate']!r}: only evaluate='train' trains."
        if self.data_folder is not None and self.dataset != "folder":
            yield f"data_folder={self.data_folder!r} with dataset={self.dataset!r}: only dataset='folder' reads it."
        if self.data_folder is None and self.dataset == "folder":
            yield "dataset='folder' without data_folder: say where the image folder is."
        if self.image_size is not None and self.dataset != "folder":
            yield f"image_size={self.image_size} with dataset={self.dataset!r}: only dataset='folder' resizes."
        if self.image_size is not None and self.image_size % 4:
            yield f"image_size={self.image_size}: the network halves the image twice, so it must be a multiple of 4."
        if values["weight_lr_min"] > values["weight_lr"]:
            yield f"weight_lr_min={values['weight_lr_min']} with weight_lr={values['weight_lr']}: it is where the cosine ends, so not above."
        if values["subset"] is not None and values["subset"] < 2 * values["batch_size"]:
            yield (
                f"subset={values['subset']} with batch_size={values['batch_size']}: each half needs a batch, so at least "
                f"{2 * values['batch_size']}."
            )

    def _wrong_stages(self):
        lists = self._stage_lists()
        lengths = {name: len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1:
            stated = ", ".join(f"{name}={lists[name]}" for name in STAGE_LISTS)
            missing = [name for name in STAGE_LISTS if getattr(self, name) is None]
            yield f"{stated}: one entry per stage is needed in each{'; set also ' + ', '.join(missing) if missing else ''}."
            return
        stages, channels = lengths["epochs"], self._resolved()["channels"]
        if self.progressive is not None and self.progressive != (stages > 1):
            yield f"progressive={self.progressive} with {stages} stage{'s' if stages > 1 else ''} (epochs={lists['epochs']}): one of them is wrong."
        if lists["keep"][0] != OPERATIONS:
            yield f"keep={lists['keep']}: the first stage has learnt nothing to prune by, so it keeps all {OPERATIONS} operations."
        for name, earlier, later in ((n, a, b) for n in ("k", "keep") for a, b in zip(lists[n], lists[n][1:])):
            if later > earlier:
                yield f"{name}={lists[name]}: it cannot grow from {earlier} to {later}; stages prune and widen."
        for earlier, later in zip(lists["k"], lists["k"][1:]):
            if later <= earlier and earlier % later:
                yield f"k={lists['k']}: {later} must divide {earlier}, since widening copies whole sets of channels."
        for k in lists["k"]:
            if channels % k:
                yield f"k={lists['k']} with channels={channels}: {k} does not divide the channels."
        for epochs, warmup in zip(lists["epochs"], lists["arch_warmup"]):
            if warmup >= epochs:
                yield f"arch_warmup={lists['arch_warmup']} with epochs={lists['epochs']}: eta would never move in a stage of {epochs} epochs."

    def _progressive(self) -> bool:
        if self.progressive is not None:
            return self.progressive
        lengths = [len(values) for values in (self.epochs, self.k, self.keep) if values is not None]
        return max(lengths) > 1 if lengths else PROGRESSIVE_BY_DEFAULT[self.protocol]

    def _stage_lists(self) -> dict[str, list[int]]:
        stages, _ = preset(self.dataset, self.protocol, self._progressive())
        lists = {name: getattr(self, name) or getattr(stages, name) for name in STAGE_LISTS}
        if self.arch_warmup is None and len(lists["epochs"]) != len(lists["arch_warmup"]):
            lists["arch_warmup"] = [0] * len(lists["epochs"])
        return lists

    def _resolved(self) -> dict[str, Any]:
        _, rest = preset(self.dataset, self.protocol, self._progressive())
        return {name: value if getattr(self, name) is None else getattr(self, name) for name, value in rest.items()}

    def settings(self) -> SearchSettings:
        """The complete settings."""
        stages, rest = preset(self.dataset, self.protocol, self._progressive())
        lists, values = self._stage_lists(), self._resolved()
        differences = {n: v for n, v in lists.items() if v != getattr(stages, n)} | {n: v for n, v in values.items() if v != rest[n]}
        values["train_epochs"] = values["train_epochs"] if values["evaluate"] == "train" else None
        chosen = {n: getattr(self, n) for n in ("space", "dataset", "method", "protocol", "seed", "device", "image_size", "data_folder")}
        values |= chosen | {"stages": tuple(StageSettings(*entries) for entries in zip(*lists.values()))}
        relevant = {n: v for n, v in values.items() if n not in NOT_OF_THE_RESULT and n != "data_folder"}
        text = json.dumps(relevant | {"stages": [asdict(stage) for stage in values["stages"]]}, sort_keys=True)
        stem = self.name or self._stem({n: v for n, v in differences.items() if n not in NOT_OF_THE_RESULT})
        return SearchSettings(
            **values,
            stem=stem,
            folder=f"{self.results}/{stem}/seed{self.seed}",
            reduced=tuple(_reductions(lists, values, stages, rest)),
            fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
        )

    def _stem(self, differences: dict[str, Any]) -> str:
        parts = [self.space, self.dataset, self.method, self.protocol]
        if self._progressive() != PROGRESSIVE_BY_DEFAULT[self.protocol]:
            parts.append("progressive" if self._progressive() else "plain")
        for name, value in differences.items():
            shown = "-".join(map(str, value)) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(f"{name.replace('_', '-')}{shown}")
        stem = "_".join(parts)
        if len(stem) > LONGEST_STEM:
            stem = f"{stem[: LONGEST_STEM - 9]}_{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
        return stem


def _reductions(lists, values, stages, rest):
    if sum(lists["epochs"]) < sum(stages.epochs):
        yield f"{sum(lists['epochs'])} epochs instead of {sum(stages.epochs)}"
    if values["subset"] is not None:
        yield f"{values['subset']} training images instead of all"
    for name, label in (("cells", "cells per stage"), ("channels", "channels")):
        if values[name] < rest[name]:
            yield f"{values[name]} {label} instead of {rest[name]}"
