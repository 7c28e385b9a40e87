"""drnas_lib.collection.speed.roofline: counts against what can be worked out by hand."""

import pytest
import torch

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.roofline import peaks, profiled, share_of_peak

CPU = torch.device("cpu")
SMALL = SpeedConfig(cells=1, channels=4, batch_size=8, ks=[1], images=64, device="cpu")


def test_peaks_and_shares_of_a_step():
    best = peaks(CPU)
    assert 1e9 < best["peak_flops"] < 1e14 and 1e8 < best["peak_bytes"] < 1e13
    share = share_of_peak(SMALL, CPU, step_ms=1e3)
    assert share["flops_share"] == pytest.approx(1e9 * share["gflop"] / share["peak_flops"])
    assert 0 < share["flops_share"] < 1 and 0 < share["bytes_share"] < 1 and share["operators"] > 500


def test_a_profile_adds_up_to_the_step():
    table = profiled(SMALL, CPU)
    assert table.share.sum() == pytest.approx(1)
    assert table.name.str.contains("convolution").any()
    assert table.ms[:-1].is_monotonic_decreasing
