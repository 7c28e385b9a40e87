"""drnas_lib.nets.widen: what is copied where, and that momentum goes the same way."""

import pytest
import torch

from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.nets.widen import carry, channel_choice, channel_maps
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]


def widened(k_old, k_new, keep):
    torch.manual_seed(0)
    mask = torch.rand(SPACE.shape).argsort(-1) < keep
    old, new = Nb201SuperNet(SPACE, k=k_old, cells_per_stage=1), Nb201SuperNet(SPACE, k=k_new, mask=mask, cells_per_stage=1)
    for buffer in old.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0)
    maps = channel_maps(old, new, torch.Generator().manual_seed(1))
    return old, new, maps


def test_choice_keeps_the_old_and_copies_from_them():
    choice = channel_choice(3, 4, 12, torch.Generator().manual_seed(0))
    assert choice.shape == (3, 12) and torch.equal(choice[:, :4], torch.arange(4).expand(3, 4))
    assert int(choice.min()) == 0 and int(choice.max()) == 3 and len({tuple(row) for row in choice.tolist()}) == 3
    counts = torch.bincount(channel_choice(1, 4, 40_004, torch.Generator().manual_seed(0))[0, 4:], minlength=4)
    assert (counts - 10_000).abs().max() < 500


@pytest.mark.parametrize(("k_old", "k_new", "keep"), [(8, 4, 3), (4, 2, 5), (4, 1, 2), (2, 2, 3)])
def test_every_entry_comes_from_where_the_map_says(k_old, k_new, keep):
    old, new, maps = widened(k_old, k_new, keep)
    new.load_state_dict(carry(old.state_dict(), maps, list(new.state_dict())))
    before, after = dict(old.named_modules()), dict(new.named_modules())
    assert maps
    for name in {name.removesuffix(".weight") for name in maps if name.endswith(".weight")}:
        source, target, of = before[name], after[name], maps[f"{name}.weight"]
        c_old, c_new = source.channels, target.channels
        assert c_new == c_old * k_old // k_new
        (mixed_old, mixed_new), kind = (net[name.split(".stacked.")[0]] for net in (before, after)), name.split(".")[-1]
        for place, position in enumerate(mixed_new.positions[kind]):
            start = mixed_old.positions[kind].index(position) * c_old
            was = source.weight[start:][:c_old]
            now = target.weight[place * c_new : (place + 1) * c_new]
            assert torch.equal(now[:c_old, :c_old], was)
            i, j = c_new - 1, c_new - 1
            assert torch.equal(now[i, j], was[of.out[place, i], of.into[place, j]])
            statistics = source.norm.running_var[start:][:c_old]
            assert torch.equal(target.norm.running_var[place * c_new : (place + 1) * c_new], statistics[of.out[place]])
    for name in ("stem.0.weight", "head.4.bias", "layers.1.body.0.1.weight"):
        assert torch.equal(new.state_dict()[name], old.state_dict()[name])
    assert torch.isfinite(new(torch.randn(2, 3, 8, 8), torch.full(SPACE.shape, 0.2))).all()


def test_momentum_takes_the_same_way():
    old, new, maps = widened(4, 2, 3)
    parameters = {name: p.detach() for name, p in old.named_parameters()}
    doubled = {name: 2 * value for name, value in parameters.items()}
    names = [name for name, _ in new.named_parameters()]
    weights, momentum = carry(parameters, maps, names), carry(doubled, maps, names)
    assert all(torch.equal(momentum[name], 2 * weights[name]) for name in names)
