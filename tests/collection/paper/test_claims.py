"""drnas_lib.collection.paper.claims: which runs speak of which claim at which scale, and how it is shown."""

import numpy as np
import pytest

from drnas_lib.collection.paper.claim_rules import STATISTICS, ClaimVerdict, Region
from drnas_lib.collection.paper.claims import (
    HEADS,
    SCALES,
    Claim,
    claim_lines,
    claims,
    held,
    judge_claims,
    legend,
    markdown,
    sentence,
    shown,
    table,
)
from drnas_lib.collection.paper.numbers import PAPER
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import read_json, write_json
from drnas_lib.runs.index import RunIndex
from tests import paper_runs

HOLDS, NOT, UNDECIDED, NEVER = ClaimVerdict
ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
LAPTOP = {"dataset": "cifar10", "scale": "laptop"}


def runs(root, accuracies, **given):
    """A finished run for each of these accuracies, seed after seed."""
    return [paper_runs.search(root, accuracy, seed=seed, **LAPTOP | given) for seed, accuracy in enumerate(accuracies)]


def found(root, name, scale="laptop"):
    return next(scales[scale] for claim, scales in judge_claims(RunIndex.read(root)) if claim.name == name)


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.name)
def test_every_claim_is_whole(claim):
    assert claim.statement and claim.place and claim.quantity
    assert claim.test and claim.rule_text == f"{claim.test} {Region(**claim.rule)} {claim.unit}".strip()
    for group in (*claim.of, *claim.against):
        if "lookup" not in group:
            settings = SearchConfig.of({"dataset": claim.dataset, **group}).settings()
            assert not settings.reduced


def test_the_campaign_of_the_laptop_makes_every_run_that_a_claim_reads():
    plan = Plan(seeds=(0,))
    made = {plan.search(file, 0).fingerprint for file in files(plan)}
    for claim in claims():
        for group in (*claim.of, *claim.against):
            if "lookup" not in group:
                assert SearchConfig.of({**LAPTOP, **group}).settings().fingerprint in made, claim.name


def rows(table, **given):
    return [row for row in read_json(PAPER / f"table{table}.json")["rows"] if given.items() <= row.items()]


def printed_groups():
    """The groups of each claim of accuracy as the paper prints them."""
    method = {row["method"].split(" (20")[0].rsplit(" (", 1)[0]: row["cifar10_test"]["mean"] for row in rows(4)}
    k = {row["k"]: row for row in rows(1, dataset="cifar10")}
    lam = {row["lam"]: row["test_accuracy_pct"] for row in rows(5)}
    drnas, of_k, between = (
        [method["DrNAS"]],
        {name: row["test_accuracy_pct"]["mean"] for name, row in k.items()},
        (0.0005, 0.001, 0.005, 0.01),
    )
    queries = [method["Random"], method["Reinforce"]]
    darts = [method["DARTS (1st)"], method["DARTS (2nd)"]]
    supernets = darts + [method[name] for name in ("RSPS", "ENAS", "GDAS", "SNAS", "DSNAS", "PC-DARTS")]
    return {
        "best_of_table_4": (drnas, supernets),
        "better_than_lookups": (drnas, queries),
        "better_than_darts": (drnas, darts),
        "single_path_is_worse": ([method["SNAS"]], [method["GDAS"], method["DSNAS"]]),
        "falls_with_k": ([of_k[one] for one in (1, 2, 4, 8)], []),
        "progressive_recovers": ([of_k["ours"]], [of_k[1]]),
        "progressive_is_cheap": ([k["ours"]["gpu_memory_mb"]], [k[8]["gpu_memory_mb"]]),
        "insensitive_to_lambda": ([lam[one] for one in between], []),
        "worse_outside": ([lam[one] for one in between], [lam[one] for one in (0, 0.1, 1)]),
        "pull_beats_none": ([lam[0.001]], [lam[0]]),
    }


def test_the_papers_value_of_a_claim_is_the_statistic_of_its_printed_numbers():
    groups = printed_groups()
    (drnas,) = rows(4, method="DrNAS")
    expected = {
        "low_variance": drnas["cifar10_test"]["std"],
        "darts_grows_sharp": read_json(PAPER / "text.json")["figure4"]["eigenvalue_growth_of_darts"],
    }
    for claim in claims():
        if claim.name in groups:
            means = [np.array(side)[:, None] for side in groups[claim.name]]
            expected[claim.name] = STATISTICS[claim.statistic](*means).item()
    assert {claim.name: claim.paper for claim in claims() if claim.paper is not None} == pytest.approx(expected)


def test_claims_have_names_of_their_own_and_cover_the_issues_list():
    names = [claim.name for claim in claims()]
    assert len(set(names)) == len(names) >= 17


def test_a_claim_that_nothing_can_judge_is_refused():
    known = vars(claims()[0])
    with pytest.raises(ValueError, match="claim 'best_of_table_4': allowed are values"):
        Claim(**known | {"value": "beauty"})


def test_better_than_darts_with_three_seeds_of_each(tmp_path):
    runs(tmp_path, [94.0, 93.8, 93.9])
    assert found(tmp_path, "better_than_darts").outcome.verdict is NEVER
    runs(tmp_path, [84.0, 86.7, 85.0], method="darts", protocol="paper")
    runs(tmp_path, [90.0, 91.0], method="darts_2nd", protocol="paper")
    result = found(tmp_path, "better_than_darts")
    assert (result.outcome.verdict, result.runs) == (UNDECIDED, "2 and 3") and "n = 2 and 3" in result.numbers
    runs(tmp_path, [90.0, 91.0, 90.5, 90.6], method="darts_2nd", protocol="paper")
    result = found(tmp_path, "better_than_darts")
    assert result.outcome.verdict is HOLDS and "95 % interval" in result.numbers and result.outcome.value == pytest.approx(93.9 - 90.525)
    assert found(tmp_path, "better_than_darts", "full").outcome.verdict is NEVER


def test_a_run_with_a_changed_value_or_of_another_scale_does_not_count(tmp_path):
    runs(tmp_path, [94.0, 93.8, 93.9])
    runs(tmp_path, [50.0] * 3, lam=0)
    before = found(tmp_path, "pull_beats_none")
    assert before.outcome.verdict is HOLDS
    runs(tmp_path, [10.0] * 4, epochs=[10])
    runs(tmp_path, [10.0] * 4, scale="smoke")
    runs(tmp_path, [10.0] * 4, scale="full", epochs=[3])
    runs(tmp_path, [10.0] * 4, subset=2500)
    assert found(tmp_path, "pull_beats_none").numbers == before.numbers


def test_the_same_values_under_another_name_count_once(tmp_path):
    runs(tmp_path, [94.0, 93.8, 93.9])
    runs(tmp_path, [93.0, 93.0, 93.0], name="again")
    assert found(tmp_path, "low_variance").runs == "3"


def test_the_full_scale_is_judged_by_full_runs(tmp_path):
    for kind, accuracy in (({}, 94.36), ({"lam": 0}, 93.78)):
        for seed in range(4):
            paper_runs.search(tmp_path, accuracy, dataset="cifar10", seed=seed, **kind)
    assert found(tmp_path, "pull_beats_none", "full").outcome.verdict is HOLDS
    assert found(tmp_path, "low_variance", "full").numbers == "0, 95 % interval 0 to 0, n = 4"
    assert found(tmp_path, "pull_beats_none").outcome.verdict is NEVER


def test_collapse_is_read_from_the_cells(tmp_path):
    for method in ("darts", "darts_2nd"):
        runs(tmp_path, [54.3] * 3, method=method, protocol="paper", genotype=ALL_SKIP)
    result = found(tmp_path, "darts_collapses")
    assert (result.outcome.verdict, result.outcome.value) == (HOLDS, 1.0)
    unread = runs(tmp_path, [54.3] * 4, method="darts", protocol="paper", genotype="made up")
    assert len(unread) == 4 and found(tmp_path, "darts_collapses").outcome.verdict is NEVER


def test_memory_is_that_of_the_stage_that_keeps_most(tmp_path):
    for given, kept in (({"protocol": "paper"}, [21.8, 26.0]), ({"k": [8]}, [21.8])):
        for folder in runs(tmp_path, [94.0] * 3, **given):
            record = read_json(folder.file("record.json"))
            write_json(folder.file("record.json"), record | {"stages": [{"activation_mb": mb, "gpu_peak_memory_mb": None} for mb in kept]})
    result = found(tmp_path, "progressive_is_cheap")
    assert result.outcome.verdict is NOT and result.outcome.value == pytest.approx(26.0 / 21.8)


def test_eigenvalues_and_draws_are_read_beside_the_runs(tmp_path):
    for folder in runs(tmp_path, [90.0] * 4, method="darts"):
        paper_runs.eigenvalues(folder, [0.1, 0.5, 1.0])
    for folder in runs(tmp_path, [94.0] * 4):
        paper_runs.eigenvalues(folder, [0.1, 0.08, 0.05])
        paper_runs.exploration(folder, [80.0, 20.0])
    assert {found(tmp_path, name).outcome.verdict for name in ("darts_grows_sharp", "drnas_stays_flat")} == {HOLDS}
    assert found(tmp_path, "flat_for_every_lambda").outcome.verdict is NEVER  # of five strengths nothing was run
    assert (found(tmp_path, "range_narrows").outcome.value, found(tmp_path, "range_narrows").outcome.verdict) == (0.25, HOLDS)
    assert (found(tmp_path, "mean_is_best").outcome.value, found(tmp_path, "mean_is_best").outcome.verdict) == (-3.0, NOT)


def test_the_tables_have_a_column_for_each_scale(tmp_path):
    runs(tmp_path, [94.0, 93.8, 93.9])
    runs(tmp_path, [50.0] * 3, lam=0)
    report = Report.read(tmp_path)
    row = table(report.claims).loc["The regulariser helps"]
    assert (row["full scale"], row["laptop scale"], row.place) == ("not run", "holds", "Table 5")
    assert row["laptop scale: value"].startswith("43.90, 95 % interval 43.65 to 44.15")
    html = shown(report.claims).to_html()
    assert "● holds" in html and "○ not run" in html and "full scale" in html
    assert all(str(verdict) in legend().to_html() for verdict in ClaimVerdict)
    total = len(claims())
    counted = f"**Of the paper's {total} claims, at full scale none is tested; at laptop scale 1 holds, "
    assert sentence(report.claims).data.startswith(counted)
    (holding,) = [claim for claim, scales in report.claims if scales["laptop"].outcome.verdict == "holds"]
    assert held(report.claims, "laptop") == f"*{holding.statement}*"
    assert held(report.claims, "full") == "nothing yet"
    said = "\n".join(claim_lines(report.claims))
    assert "Table 5: The regulariser helps" in said and "  laptop: holds (43.90" in said


def test_the_readmes_table_has_what_was_judged_and_the_decided_claims_first(tmp_path):
    runs(tmp_path, [94.0, 93.8, 93.9])
    runs(tmp_path, [50.0] * 3, lam=0)
    heads, _, *rows, _, left, _ = markdown(Report.read(tmp_path).claims)
    assert heads == "| claim of the paper | test | paper | ours | 95 % interval | n | verdict at laptop scale |"
    assert {row.count("|") for row in rows} == {8}
    assert (
        rows[0].startswith("| The regulariser helps")
        and "| accuracy at λ = 0.001 − at λ = 0 > 0 points | 0.58 | 43.90 | 43.65 to 44.15" in rows[0]
    )
    assert rows[0].endswith("| 3 | holds |")
    assert all(row.endswith("| undecided |") for row in rows[1:])
    fewer, *_ = markdown(Report.read(tmp_path).claims, [head for head in HEADS if head != "n"])
    assert fewer == heads.replace(" n |", "")
    assert left.startswith("Not run yet: *") and len(rows) + len(left.split("*; *")) == len(claims())


def test_each_claim_stands_once_with_all_its_scales():
    found = judge_claims(RunIndex.read("/nowhere"))
    assert [claim.name for claim, _ in found] == [claim.name for claim in claims()]
    assert all(tuple(of) == SCALES for _, of in found)
