"""The measurements of the speed notebook: made, kept as files, and summarised in sentences."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.roofline import profiled, share_of_peak
from drnas_lib.collection.speed.steps import at_once, settings, supernet_steps, whole_steps
from drnas_lib.collection.views import plots
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.files import environment, resolve, write_csv, write_json
from drnas_lib.runs.precision import PRECISIONS


@dataclass(frozen=True)
class Speed:
    """Tables `steps` (of supernet_steps), `whole` and `at_once` (steps.py) and `profile`, and the counts `share` (roofline.py)."""

    steps: pd.DataFrame
    whole: pd.DataFrame
    at_once: pd.DataFrame
    share: dict[str, float]
    profile: pd.DataFrame
    device: str

    def memory(self) -> Figure:
        """The peak on a GPU beside the paper's; on a CPU what is kept for the backward pass."""
        if self.whole.gpu_peak_mb.notna().all():
            return plots.ratios(self.whole, "gpu_peak_mb", "peak GPU memory (MB)", reference="paper_gpu_mb")
        return plots.ratios(self.steps, "activation_mb", "activations kept for backward (MB)")

    def steps_sentence(self) -> str:
        return f"**The arithmetic of a step takes the plain supernet longer, by a factor of {_ratios(self.steps)}.**"

    def launches_sentence(self) -> str:
        return f"**The plain supernet launches more operators, by a factor of {_ratios(self.steps, 'operators')}.**"

    def whole_sentence(self) -> str:
        first = self.whole[self.whole.implementation == "ours"].iloc[0]
        return (
            f"**From the batch to the metrics the plain search takes longer, by a factor of {_ratios(self.whole)}. At K={first.k} "
            f"ours processes {first.images_per_s:.0f} images/s: {first.epoch_s:,.0f} s for an epoch and {first.search_s / 3600:.3g} hours "
            f"for {first.search_s / first.epoch_s:.0f} epochs (extrapolated from {first.timed_steps} timed steps).**"
        )

    def memory_sentence(self) -> str:
        ours = self.steps[self.steps.implementation == "ours"].set_index("k").activation_mb
        least, most = ours.index.max(), ours.index.min()
        said = f"The plain supernet keeps more activations for the backward pass, by a factor of {_ratios(self.steps, 'activation_mb')}. "
        said += f"Ours: the activations kept at K={least} are {ours[least]:.0f} MB"
        said += f", {ours[least] / ours[most]:.2f} of those at K={most}" if least != most else ""
        said += ". In the paper the GPU memory at K=8 is 949 / 2437 = 0.39 of that at K=1, in NAS-Bench-201."
        peaks = self.whole[self.whole.implementation == "ours"].dropna(subset=["gpu_peak_mb", "paper_gpu_mb"])
        beside = ", ".join(f"{row.gpu_peak_mb:.0f} MB at K={row.k} (paper {row.paper_gpu_mb:.0f})" for row in peaks.itertuples())
        return f"**{said}{f' Peak GPU memory: {beside}.' if beside else ' Peak GPU memory was not measured: no GPU.'}**"

    def at_once_sentence(self) -> str:
        said = ", ".join(f"{row.searches} take {row.over_one:.2f} times as long as one" for row in self.at_once.iloc[1:].itertuples())
        return f"**Searches at once: {said or 'only one was measured'}.**"

    def share_sentence(self) -> str:
        s = self.share
        return (
            f"**A step at K={s['k']} computes {s['gflop']:.3g} GFLOP and moves at least {s['gbyte']:.3g} GB in {s['operators']} operators. "
            f"It reaches {100 * s['flops_share']:.0f} % of the FLOP/s of a large product ({s['peak_flops'] / 1e9:.4g} GFLOP/s) and "
            f"{100 * s['bytes_share']:.0f} % of the bytes/s of a large copy ({s['peak_bytes'] / 1e9:.3g} GB/s).**"
        )


def _ratios(table: pd.DataFrame, value: str = "step_ms") -> str:
    wide = table.pivot(index="k", columns="implementation", values=value)
    return ", ".join(f"{ratio:.2f} at K={k}" for k, ratio in (wide.plain / wide.ours).items())


def measure(config: SpeedConfig) -> Speed:
    """Measure as configured, and keep tables, the profile's figure and the circumstances in `results`, by device and size."""
    device = choose(config.device, config.precision)
    with reproducible(device, PRECISIONS[config.precision]):
        steps, whole, together = supernet_steps(config, device), whole_steps(config, device), at_once(config, device)
        share = share_of_peak(config, device, float(whole[whole.implementation == "ours"].step_ms.iloc[0]))
        found = Speed(steps, whole, together, share, profiled(config, device), describe(device))
    sizes = f"batch{config.batch_size}_cells{config.cells}_channels{config.channels}_{config.precision}"
    folder, stem = resolve(config.results), f"{config.space}_{device.type}_{sizes}"
    for name, table in {"steps": steps, "whole": whole, "at_once": together, "profile": found.profile}.items():
        write_csv(folder / f"{stem}_{name}.csv", table.to_dict("records"))
    plots.profile(found.profile, found.device).savefig(folder / f"{stem}_profile.png")
    of_search = {"protocol": settings(config, config.ks[0]).protocol, "seed": 0, "data": "random pixels of CIFAR-10's shape"}
    about = {"parameters": config.model_dump(), **of_search, "share": share, "device": found.device, "environment": environment()}
    write_json(folder / f"{stem}.json", about)
    return found
