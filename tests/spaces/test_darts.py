"""drnas_lib.spaces.darts: operations, edges, the start of a search and the rule that derives a cell."""

import itertools

import pytest
import torch

from drnas_lib.config.space_rules import RULES
from drnas_lib.genotype import DARTS_OPERATIONS
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.darts_operations import OPERATIONS

DARTS = SPACES["darts"]
DARTS_KIND = [name for name in SPACES if name != "nb201"]


def test_fourteen_edges_in_the_order_of_the_published_code():
    assert DARTS.edges == ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4), *((i, 5) for i in range(5)))
    assert DARTS.shape == (2, 14, 8)


@pytest.mark.parametrize("name", DARTS_KIND)
def test_operations_are_there_and_the_parameters_know_how_many(name):
    space = SPACES[name]
    assert set(space.operations) <= set(OPERATIONS) & set(DARTS_OPERATIONS)
    for keep in RULES[name].operations:
        assert torch.tensor(space.initial_mask(keep)).sum(-1).unique().tolist() == [keep]


def test_seven_operations_are_all_but_none():
    start = torch.tensor(DARTS.initial_mask(7))
    assert not start[..., DARTS.operations.index("none")].any() and torch.tensor(DARTS.initial_mask(8)).all()
    with pytest.raises(ValueError, match="keep=6: an edge of space 'darts' begins with 7 or 8 operations"):
        DARTS.initial_mask(6)


def test_s1_has_the_published_pairs():
    s1, start = SPACES["s1"], SPACES["s1"].initial_mask(2)

    def pair(group, edge):
        return {name for name, there in zip(s1.operations, start[group][edge]) if there}

    assert pair(0, 0) == {"skip_connect", "dil_conv_3x3"} and pair(0, 5) == {"max_pool_3x3", "skip_connect"}
    assert pair(0, 13) == {"dil_conv_3x3", "dil_conv_5x5"} and pair(1, 6) == {"max_pool_3x3", "sep_conv_3x3"}
    assert pair(1, 1) == {"max_pool_3x3", "dil_conv_3x3"} and pair(1, 13) == {"skip_connect", "dil_conv_5x5"}


def test_the_other_spaces_have_the_same_choice_everywhere():
    assert SPACES["s2"].operations == ("skip_connect", "sep_conv_3x3")
    assert SPACES["s3"].operations == ("none", "skip_connect", "sep_conv_3x3")
    assert SPACES["s4"].operations == ("noise", "sep_conv_3x3")


def by_enumeration(space, scores):
    """Of all pairs of inputs of a node, the one whose best operations score most; 'none' does not count."""
    allowed = [o for o, name in enumerate(space.operations) if name != "none"]
    best = scores[:, allowed].max(-1)
    cell = []
    for node in range(2, 6):
        into = [e for e, (_, target) in enumerate(space.edges) if target == node]
        chosen = max(itertools.combinations(into, 2), key=lambda pair: best.values[list(pair)].sum())
        cell += [(space.operations[allowed[best.indices[e]]], space.edges[e][0]) for e in chosen]
    return tuple(cell)


@pytest.mark.parametrize("name", DARTS_KIND)
def test_the_two_strongest_inputs_of_every_node(name):
    space, generator = SPACES[name], torch.Generator().manual_seed(0)
    for _ in range(20):
        scores = torch.rand(space.shape, generator=generator)
        genotype = space.genotype(scores)
        assert (genotype.normal, genotype.reduce) == tuple(by_enumeration(space, of_group) for of_group in scores)
        assert genotype.normal_concat == genotype.reduce_concat == (2, 3, 4, 5)


def test_none_is_never_chosen_however_much_it_scores():
    scores = torch.rand(DARTS.shape, generator=torch.Generator().manual_seed(0))
    scores[..., 0] = 9.0
    assert "none" not in str(DARTS.genotype(scores))


def test_equal_scores_go_to_the_first_inputs_and_operations():
    assert DARTS.genotype(torch.ones(DARTS.shape)).normal == (("max_pool_3x3", 0), ("max_pool_3x3", 1)) * 4


def test_a_cell_as_text():
    text = str(DARTS.genotype(torch.ones(DARTS.shape)))
    assert text.startswith("normal: max_pool_3x3~0 max_pool_3x3~1 | ") and "; reduce: max_pool_3x3~0" in text
