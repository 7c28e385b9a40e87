"""Every parameter at its extremes: what is allowed is taken or contradicts another by name, what is not is refused with what is allowed."""

import pytest

from tests.extremes import CONFIGS, Case, cases, kind_of

CASES = list(cases())
INSIDE = [case for case in CASES if case.where in ("smallest", "largest")]
OUTSIDE = [case for case in CASES if case not in INSIDE]


@pytest.mark.parametrize("notebook", CONFIGS)
def test_every_kind_says_where_it_ends(notebook):
    for name in CONFIGS[notebook].model_fields:
        kind = kind_of(CONFIGS[notebook], name)
        assert kind.inside and kind.outside, name


@pytest.mark.parametrize("case", INSIDE, ids=str)
def test_what_is_allowed_is_taken_or_contradicts_another_parameter(case: Case):
    assert case.taken
    outcome = case.outcome()
    assert outcome == "taken" or f"{case.name}=" in outcome, outcome


@pytest.mark.parametrize("case", OUTSIDE, ids=str)
def test_what_is_not_allowed_is_refused_with_what_is(case: Case):
    outcome = case.outcome()
    assert outcome != "taken" and outcome.startswith(f"{case.name}="), outcome
    assert " allowed " in outcome.lower() or "Published are" in outcome or "expected" in outcome, outcome
