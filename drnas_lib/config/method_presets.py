"""The search methods by name; settings and options (temperatures, number of cells) by protocol. A new one: a row, a file in methods/.

`paper`: the settings of the method's own authors, with which the text compares. `released`: the settings of DrNAS' own code for this
method; where that code lacks the method, its authors' settings again. A setting that a row does not name is that of DrNAS (presets.py).
For data of one's own a row sets only FOR_ANY_DATA: its lengths and rates were not made for such data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

GRADIENT_STEPS = ("arch_first", "weights_first", "single_level")
WEIGHTS_ONLY = ("weights_only",)
OF_THE_STAGE = ("epochs", "k", "arch_warmup")
FOR_ANY_DATA = ("k", "step", "bilevel", "regulariser", "lam", "arch_grad_clip", "eta_mean", "eta_std", "label_smoothing")


@dataclass(frozen=True)
class MethodRow:
    """The defaults of one method, by protocol."""

    where: str  # module:class
    label: str  # of its row in Table 4
    settings: Mapping[str, dict] = field(default_factory=dict)  # stage lists as single numbers
    options: Mapping[str, dict] = field(default_factory=dict)  # parameters that only some methods read
    steps: tuple[str, ...] = GRADIENT_STEPS  # values of `step` that suit it; the first is its default
    progressive: bool = False  # whether it uses the protocol's stages by default
    softmax_of_eta: bool = True  # whether a cell can be derived from softmax(eta)


# The NAS-Bench-201 baselines' code: Nesterov and a decay of 5e-4 for the weights, Adam with a decay of 1e-3 for eta.
OFFICIAL = {"nesterov": True, "weight_decay": 5e-4, "regulariser": "adam_decay"}
CANDIDATES = {"candidates": 100, "monitored": 10}
# DrNAS' code lowers the temperature of both methods after every epoch by a share of all epochs: of 100 the last runs at 1.09.
CODE_TAU = {"tau_start": 10.0, "tau_end": 1.0, "tau_line": "start"}
SNAS_START = {"eta_mean": 1.0, "eta_std": 0.01}  # of the logits, in the code of SNAS and DSNAS

# In the order of Table 4.
METHODS: dict[str, MethodRow] = {
    "rsps": MethodRow(
        "drnas_lib.methods.candidates:RSPS",
        "RSPS (Li & Talwalkar, 2019)",
        {"paper": OFFICIAL | dict(epochs=250, step="weights_only")},
        {"paper": CANDIDATES | dict(candidate_batch=512)},
        WEIGHTS_ONLY,
        softmax_of_eta=False,
    ),
    "enas": MethodRow(
        "drnas_lib.methods.enas:ENAS",
        "ENAS (Pham et al., 2018)",
        # The official cosine has a half period of 10 epochs and does not stop: the rate swings 12 times.
        {"paper": OFFICIAL | dict(epochs=250, step="weights_only", batch_size=128, weight_decay=2.5e-4, weight_lr=0.05, weight_lr_min=5e-4,
                                  lr_half_period=10)},
        {"paper": CANDIDATES | dict(controller_lr=1e-3, controller_updates=50, controller_samples=20)},
        WEIGHTS_ONLY,
        softmax_of_eta=False,
    ),
    "darts": MethodRow(
        "drnas_lib.methods.darts:DARTS",
        "DARTS (1st) (Liu et al., 2019)",
        {"paper": OFFICIAL | dict(epochs=50, step="weights_first"), "released": {}},
    ),
    "darts_2nd": MethodRow(  # not in DrNAS' code, whose flag for the second order does not work
        "drnas_lib.methods.darts:DARTS",
        "DARTS (2nd) (Liu et al., 2019)",
        {"paper": OFFICIAL | dict(epochs=50, bilevel="second")},
    ),
    "gdas": MethodRow(
        "drnas_lib.methods.gumbel:GDAS",
        "GDAS (Dong & Yang, 2019)",
        {"paper": OFFICIAL | dict(epochs=250, step="weights_first"), "released": {}},
        {"paper": dict(tau_start=10.0, tau_end=0.1, tau_line="both"), "released": CODE_TAU},
    ),
    "snas": MethodRow(  # its own code searches the DARTS space; no settings for this space are published
        "drnas_lib.methods.gumbel:SNAS",
        "SNAS (Xie et al., 2019)",
        {"paper": SNAS_START | dict(epochs=150, step="single_level", regulariser="adam_decay", arch_grad_clip=10.0), "released": {}},
        {"paper": dict(tau_start=1.0, tau_end=0.03, tau_line="end"), "released": CODE_TAU},
    ),
    "dsnas": MethodRow(  # the settings of its own ImageNet search, except the epochs and the batch size
        "drnas_lib.methods.dsnas:DSNAS",
        "DSNAS (Hu et al., 2020)",
        {"paper": SNAS_START | dict(epochs=100, step="single_level", arch_lr=1e-3, regulariser="adam_decay", lam=0.0, label_smoothing=0.1)},
    ),
    "pc_darts": MethodRow(  # its own code searches the DARTS space; DrNAS' code has no edge normalisation
        "drnas_lib.methods.pc_darts:PCDARTS",
        "PC-DARTS (Xu et al., 2020)",
        {
            "paper": dict(epochs=50, k=4, arch_warmup=15, batch_size=256, weight_lr=0.1, weight_lr_min=0.0, arch_lr=6e-4,
                          regulariser="adam_decay"),
            "released": dict(k=4),
        },
        {"paper": dict(edge_normalisation=True, none_in_cell=False), "released": dict(edge_normalisation=False, none_in_cell=True)},
        softmax_of_eta=False,
    ),
    "drnas": MethodRow("drnas_lib.methods.drnas:DrNAS", "DrNAS", progressive=True),
}  # fmt: skip


def options(method: str, protocol: str) -> dict:
    """The parameters that not all methods read and this one does, with their defaults."""
    return dict(_of_protocol(METHODS[method].options, protocol))


def all_options() -> set[str]:
    """The names of all parameters that only some methods read."""
    return {name for row in METHODS.values() for values in row.options.values() for name in values}


def adapted(method: str, protocol: str, published: bool, settings: dict[str, Any]) -> dict[str, Any]:
    """The protocol's settings with this method's own, and its options. `published`: whether the data set is one of the paper's."""
    row, epochs = METHODS[method], settings["epochs"]
    own: dict[str, Any] = {"step": row.steps[0]} | _of_protocol(row.settings, protocol)
    if not published:
        warmup = own.get("arch_warmup", 0) * sum(epochs) // own.get("epochs", 1)  # the same share of the search
        own = {name: value for name, value in own.items() if name in FOR_ANY_DATA} | ({"arch_warmup": warmup} if warmup else {})
    stages = {name: [own.pop(name)] for name in OF_THE_STAGE if name in own}
    # The stages of a progressive search are those of DrNAS.
    return settings | (stages if len(epochs) == 1 else {}) | own | options(method, protocol)


def problems(method: str, protocol: str, given: dict, settings: dict) -> Iterator[str]:
    """A sentence for each value that does not suit the method. `given`: the values of `all_options` that the caller sets."""
    row, usual, keep = METHODS[method], options(method, protocol), settings["keep"]
    for name in sorted(given.keys() - usual.keys()):
        readers = [other for other in METHODS if name in options(other, protocol)]
        yield f"{name}={given[name]} with method={method!r}: only {', '.join(readers)} read it. Leave it out."
    if settings["step"] not in row.steps:
        yield f"step={settings['step']!r} with method={method!r}: allowed are {', '.join(row.steps)}."
    if settings["step"] in ("single_level", "weights_only") and settings["bilevel"] == "second":
        why = "the second order looks ahead where η moves on a validation batch of its own"
        yield f"step={settings['step']!r} with bilevel='second': {why}. Allowed is bilevel='first'."
    if settings["derive"] == "softmax" and not row.softmax_of_eta:
        yield f"derive='softmax' with method={method!r}: its cell does not follow from softmax(η). Allowed is derive='mean'."
    if row.steps == WEIGHTS_ONLY and min(keep) < max(keep):
        yield f"keep={keep} with method={method!r}: it learns nothing to prune by. Leave it out."
    if min(keep) == 1 and (usual | given).get("none_in_cell") is False:
        yield f"keep={keep} with none_in_cell=False: none may be all that is kept on an edge. Keep 2 or more, or set none_in_cell=True."


def _of_protocol(table: Mapping[str, dict], protocol: str) -> dict:
    return table.get(protocol, table.get("paper", {}))
