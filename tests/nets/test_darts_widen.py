"""Widening of the DARTS supernet: what is tied inside an operation, what is drawn, and that momentum goes the same way."""

import torch

from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.widen import carry, channel_maps
from drnas_lib.spaces import SPACES

SPACE = SPACES["darts"]
SETTINGS = dict(channels=12, cells=3)


def widened(keep=4, k_old=6, k_new=3):
    torch.manual_seed(0)
    mask = torch.rand(SPACE.shape).argsort(-1) < keep
    old, new = DartsSuperNet(SPACE, k=k_old, **SETTINGS), DartsSuperNet(SPACE, k=k_new, mask=mask, **SETTINGS)
    for buffer in old.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0)
    return old, new, channel_maps(old, new, torch.Generator().manual_seed(1))


def test_every_tensor_of_the_mixed_edges_has_a_map_and_nothing_else():
    _, new, maps = widened()
    assert maps.keys() == {name for name in new.state_dict() if ".sources." in name}


def test_every_entry_comes_from_where_the_map_says():
    old, new, maps = widened()
    before, after = old.state_dict(), carry(old.state_dict(), maps, list(new.state_dict()))
    new.load_state_dict(after)
    for name, way in maps.items():
        blocks, grown = before[name].view(-1, way.width, *before[name].shape[1:]), after[name]
        c_new = way.out.shape[1]
        for j, edge in enumerate(way.edges.tolist()):
            for c in range(c_new):
                origin = blocks[edge, way.out[j, c]]
                expected = origin if way.into is None else origin[way.into[j]]
                assert torch.equal(grown[j * c_new + c], expected), name
        assert torch.equal(way.out[:, : way.width], torch.arange(way.width).expand(len(way.out), -1)), "the old channels, in order"
    for name in before.keys() - maps.keys():
        if name in after:
            assert torch.equal(before[name], after[name])
    assert torch.isfinite(new(torch.randn(2, 3, 8, 8), torch.full(SPACE.shape, 0.2))).all()


def test_a_pruned_operation_is_carried_from_its_own_edge():
    old, new, maps = widened()
    source_old, source_new = old.cells[0].sources[0], new.cells[0].sources[0]
    for name in source_new.stacked:
        positions = source_new.positions[name]
        leaf = next(leaf for leaf in source_new.stacked[name].state_dict() if leaf.endswith("weight"))
        edges = maps[f"cells.0.sources.0.stacked.{name}.{leaf}"].edges.tolist()
        assert tuple(source_old.positions[name][edge] for edge in edges) == positions


def test_ties_within_an_operation():
    """Behind a depthwise convolution the pointwise input follows its channels; the two halves of a separable convolution are free."""
    _, new, maps = widened(keep=8)
    free = 0
    for name in new.state_dict():
        if name.endswith("depthwise.weight"):
            assert torch.equal(maps[name].out, maps[name.replace("depthwise", "pointwise")].into)
        if name.endswith("first.depthwise.weight"):
            across, spatial = name.replace("depthwise", "pointwise"), name.replace("first", "second")
            free += not torch.equal(maps[across].out, maps[spatial].out)
        if "pointwise" in name and name.endswith("weight"):
            statistics = maps[name.removesuffix("weight") + "norm.running_var"]
            assert torch.equal(statistics.out, maps[name].out) and statistics.into is None
    assert free > 0


def test_momentum_takes_the_same_way():
    old, new, maps = widened()
    parameters = {name: p.detach() for name, p in old.named_parameters()}
    names = [name for name, _ in new.named_parameters()]
    weights = carry(parameters, maps, names)
    momentum = carry({name: 2 * value for name, value in parameters.items()}, maps, names)
    assert all(torch.equal(momentum[name], 2 * weights[name]) for name in names)
