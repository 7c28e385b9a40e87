"""Every parameter of the study notebooks at its smallest, its largest, and just outside: taken, or refused in one sentence with its name.

Names such as `run`, `device` and `results` are texts; what they may be is tested where they are used.
"""

import pytest

from drnas_lib.parameters import ParameterError
from drnas_lib.study_config import ConstrainedConfig, ExplorationConfig, HessianConfig, LambdaConfig, TheoryConfig

MOST, SEEDS = 10**9, 2**32 - 1
NUMBERS = [  # notebook, parameter, smallest, largest, just outside
    (ExplorationConfig, "samples", 1, 100_000, [0, 100_001, 1.5, True, "many"]),
    (ExplorationConfig, "seed", 0, SEEDS, [-1, SEEDS + 1]),
    (TheoryConfig, "draws", 2, 100_000, [1, 100_001]),
    (TheoryConfig, "images", 2, MOST, [1, MOST + 1]),
    (TheoryConfig, "seed", 0, SEEDS, [-1, SEEDS + 1]),
    (ConstrainedConfig, "budget", 5e-324, 1.7e308, [0, -1, "inf", "nan"]),
    (ConstrainedConfig, "samples", [1], [100_000], [[], [0], [100_001], [10, 10]]),
    (ConstrainedConfig, "repeats", 2, 10_000, [1, 10_001]),
    (ConstrainedConfig, "batch_size", 1, 4096, [0, 4097]),
    (ConstrainedConfig, "timings", 1, 10_000, [0, 10_001]),
    (ConstrainedConfig, "seed", 0, SEEDS, [-1, SEEDS + 1]),
    *(
        (of, *row)
        for of in (HessianConfig, LambdaConfig)
        for row in (
            ("seeds", [0], [SEEDS], [[], [-1], [SEEDS + 1], [1, 1]]),
            ("epochs", [1], [MOST], [[], [0], [MOST + 1], [5, 5]]),
            ("batch_size", 2, MOST, [1, MOST + 1]),
            ("channels", 1, MOST, [0, MOST + 1]),
            ("cells", 1, MOST, [0, MOST + 1]),
            ("subset", 128, MOST, [0, 127, MOST + 1]),
            ("arch_lr", 5e-324, 1.7e308, [0, -1, "inf"]),
            ("snapshots", 1, MOST, [0, MOST + 1]),
            ("images", 2, MOST, [1, MOST + 1]),
        )
    ),
    (HessianConfig, "methods", ["darts"], ["drnas", "darts", "darts_2nd"], [[], ["pc_darts"], ["darts", "darts"]]),
    (HessianConfig, "runs", [], ["a/seed0", "b/seed0"], [["a/seed0", "a/seed0"], [""]]),
    (LambdaConfig, "lams", [0], [1.7e308], [[], [-1e-9], ["inf"], [1, 1.0]]),
]
WORDS = [
    (ExplorationConfig, "split", "train"),
    (TheoryConfig, "normalisation", "layer"),
    (ConstrainedConfig, "cost", "flops"),
    (ConstrainedConfig, "accuracy_on", "imagenet"),
    (ConstrainedConfig, "split", "train"),
    (LambdaConfig, "regulariser", "l1"),
    (LambdaConfig, "eigenvalues", 1),
    *((of, name, "?") for of in (HessianConfig, LambdaConfig) for name in ("dataset", "protocol", "variable", "measure", "precision")),
    *((of, "space", "s1") for of in (HessianConfig, LambdaConfig)),  # they search NAS-Bench-201; a finished run of any space goes in `runs`
    (LambdaConfig, "runs", ["a/seed0"]),  # Table 5 is made of its own searches
]


@pytest.mark.parametrize(("of", "name", "least", "most", "outside"), NUMBERS, ids=lambda value: getattr(value, "__name__", None))
def test_at_its_extremes(of, name, least, most, outside):
    for value in (least, most):
        assert getattr(of.of({name: value}), name) == value
    for value in outside:
        refused(of, name, value)


@pytest.mark.parametrize(("of", "name", "value"), WORDS, ids=lambda value: getattr(value, "__name__", None))
def test_another_word(of, name, value):
    refused(of, name, value)


def refused(of, name, value):
    with pytest.raises(ParameterError, match=f"{name}=") as caught:
        of.of({name: value})
    assert "llowed" in str(caught.value) or "there is no such parameter" in str(caught.value) or "each" in str(caught.value)


def test_a_list_says_what_is_wrong_with_it():
    with pytest.raises(ParameterError, match=r"seeds=\[\]: the list is empty. Allowed is one entry or more, such as \[0, 1, 2, 3\]."):
        LambdaConfig.of({"seeds": []})
    with pytest.raises(ParameterError, match=r"samples='10,10': 10 is there twice. Allowed is each entry once"):
        ConstrainedConfig.of({"samples": "10,10"})
