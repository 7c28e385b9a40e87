"""Tests of drnas_lib.spaces: the record of a space and its decode rule."""

import dataclasses

import numpy as np
import pytest
import torch

from drnas_lib.genotype import NB201_OPERATIONS, Nb201Genotype
from drnas_lib.spaces import SPACES

NB201 = SPACES["nb201"]


def test_spaces_are_found_by_their_name():
    assert all(space.name == name for name, space in SPACES.items())


def test_nb201_has_one_group_six_edges_five_operations():
    assert NB201.shape == (1, 6, 5)
    assert NB201.nodes == 1 + max(target for _, target in NB201.edges)


def test_space_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NB201.nodes = 5


@pytest.mark.parametrize("kind", ["torch", "numpy"])
def test_best_operation_of_each_edge_is_taken(kind):
    best = [3, 0, 4, 1, 2, 3]
    scores = np.random.default_rng(0).uniform(0, 1, NB201.shape)
    scores[0, range(6), best] = 2.0
    scores = torch.tensor(scores, requires_grad=True) if kind == "torch" else scores
    assert NB201.genotype(scores) == Nb201Genotype(tuple(NB201_OPERATIONS[i] for i in best))


def test_agrees_with_argmax_on_random_scores():
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        scores = torch.randn(NB201.shape, generator=generator)
        expected = tuple(NB201_OPERATIONS[i] for i in scores.argmax(-1)[0])
        assert NB201.genotype(scores).operations == expected


def test_equal_scores_give_the_first_operation():
    assert NB201.genotype(np.ones(NB201.shape)).operations == ("none",) * 6


def test_unavailable_operations_are_never_taken():
    scores = np.full(NB201.shape, -np.inf)
    scores[..., 2] = -5.0
    assert NB201.genotype(scores).operations == ("nor_conv_1x1",) * 6


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(1, 6, 5\), got \(6, 5\)"):
        NB201.genotype(np.zeros((6, 5)))


def test_nan_is_refused():
    scores = np.zeros(NB201.shape)
    scores[0, 4, 1] = np.nan
    with pytest.raises(ValueError, match="scores of space 'nb201' contain NaN"):
        NB201.genotype(scores)
