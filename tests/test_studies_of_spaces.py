"""Every study of one run, on a finished search of every space: it works, or says in a sentence why not."""

import numpy as np
import pytest

from drnas_lib.collection.studies import budgets, exploration, hessian, theory
from drnas_lib.collection.studies.config import ConstrainedConfig, ExplorationConfig, HessianConfig, TheoryConfig
from drnas_lib.collection.studies.exploration import ExplorationError
from drnas_lib.collection.studies.hessian import HessianError, Protocol
from drnas_lib.config.search import SearchConfig
from drnas_lib.config.space_rules import RULES
from drnas_lib.search.run import run

SMALL = {"dataset": "digits", "evaluate": "none", "device": "cpu", "subset": 32, "batch_size": 8, "channels": 2, "snapshots": 2}
ONE = {"progressive": False, "epochs": [1], "k": [1], "arch_warmup": [0], "cells": 3}
SEARCHES = {space: {"space": space} | ONE for space in RULES}
SEARCHES["nb201"] |= {"cells": 1}
SEARCHES["darts"] |= {"progressive": True, "epochs": [1, 1], "k": [2, 1], "keep": [7, 1], "arch_warmup": [0, 0]}  # 7 of the 8 operations
COUNTS = {"nb201": 30, "darts": 28, "s1": 56, "s2": 56, "s3": 84, "s4": 56}  # entries of theta that compete in the end
EXPLORATION = ExplorationConfig(samples=5)
THEORY, CONSTRAINED = TheoryConfig(draws=2, images=2, device="cpu"), ConstrainedConfig(samples=[5], repeats=2)


def searched(tmp_path, **changes) -> str:
    these = SearchConfig.of(SMALL | {"results": str(tmp_path)} | changes).settings()
    list(run(these))
    return these.folder


@pytest.mark.parametrize("space", SEARCHES)
def test_every_study_works(space, tmp_path, data_root):
    folder = searched(tmp_path, **SEARCHES[space])
    explored = exploration.study(folder, EXPLORATION)
    assert (explored.accuracy is None) == bool(explored.unknown) == (space != "nb201")
    picked = budgets.study(folder, CONSTRAINED).picked
    assert 1 <= len(picked) <= 5 and np.isfinite(picked.log_probability).all()
    (row,) = hessian.study(folder, Protocol.of(HessianConfig(images=2)), "cpu").to_dict("records")
    assert (row["space"], row["variables"]) == (space, COUNTS[space]) and np.isfinite(row["dominant"])
    bound = theory.evaluate(folder, THEORY)
    assert np.isfinite([bound.expected, bound.right, bound.least, bound.largest]).all()


def test_what_needs_a_distribution_says_so(tmp_path):
    folder = searched(tmp_path, **SEARCHES["s2"], method="darts")
    said = "method='darts' of this run.* Allowed is drnas"
    with pytest.raises(ExplorationError, match=said):
        exploration.study(folder, EXPLORATION)
    with pytest.raises(ExplorationError, match=said):
        budgets.study(folder, CONSTRAINED)
    with pytest.raises(HessianError, match=said):
        theory.evaluate(folder, THEORY)
    with pytest.raises(HessianError, match="variable='beta': darts has no such variable. Allowed are eta, mean, mu"):
        hessian.study(folder, Protocol.of(HessianConfig(variable="beta", methods=["drnas"])), "cpu")
    assert len(hessian.study(folder, Protocol.of(HessianConfig(images=2)), "cpu")) == 1
