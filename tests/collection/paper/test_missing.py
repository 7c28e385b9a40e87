"""drnas_lib.collection.paper.missing: everything that is missing is listed once, in the order that it says."""

import shlex

import pytest

from drnas_lib.collection.paper.missing import Step, duration, impossible, listing, steps
from drnas_lib.collection.paper.verdicts import findings
from drnas_lib.runs.files import PROJECT
from drnas_lib.runs.index import RunIndex
from tests import paper_runs


@pytest.fixture(scope="module", params=["results", "nothing"])
def state(request, tmp_path_factory):
    results = RunIndex.read(request.param if request.param == "results" else tmp_path_factory.mktemp("nothing"))
    return findings(results), results


def test_every_missing_number_is_listed_once(state):
    found, results = state
    listed = [finding for step in steps(found, results) for finding in step.makes]
    listed += [finding for these in impossible(found).values() for finding in these]
    key = lambda finding: (finding.number.place, finding.number.row, finding.number.column)
    assert sorted(map(key, listed)) == sorted(key(finding) for finding in found if finding.missing)


def test_headlines_come_first_and_then_the_most_numbers_a_minute(state):
    ordered = steps(*state)
    needed = {line for step in ordered for line in step.after}  # stands where the one that needs it does
    free = [step for step in ordered if not step.after and step.command not in needed]
    ranks = [(not step.headline, -step.value) for step in free]
    assert ranks == sorted(ranks) and ordered[0].headline and not ordered[-1].headline
    assert any(finding.number.place == "Table 4" for finding in ordered[0].makes)


def test_what_a_line_needs_stands_before_it(state):
    place = {step.command: number for number, step in enumerate(steps(*state))}
    assert all(place[line] < place[step.command] for step in steps(*state) for line in step.after if line in place)


def test_minutes_are_above_zero_and_counted_once(state):
    found, results = state
    ordered = steps(found, results)
    assert all(step.minutes > 0 for step in ordered)
    assert len({step.command for step in ordered}) == len(ordered)


def test_the_listing_has_every_line_ready_to_be_typed_and_says_what_the_minutes_assume(state):
    text = listing(*state)
    typed = [shlex.split(line) for line in text.splitlines() if line.strip().startswith("papermill")]
    assert len(typed) >= len(steps(*state)) and all((PROJECT / words[1]).is_file() for words in typed)
    assert "estimates, not measurements" in text and "2e+12 FLOP/s" in text and "Most valuable first" in text
    assert "Nothing makes these" in text and "quoted" in text


def test_a_finished_run_leaves_the_list_and_its_line_where_it_served_all(tmp_path):
    wanted = lambda: steps(findings(RunIndex.read(tmp_path)), RunIndex.read(tmp_path))
    before = [step.command.out for step in wanted()]
    paper_runs.training(tmp_path, 2.5)
    assert before.count("retrain_drnas_cifar10_cifar10_released_seed0") == 1
    assert [step.command.out for step in wanted()] == [out for out in before if out != "retrain_drnas_cifar10_cifar10_released_seed0"]


def test_a_search_that_is_there_is_not_asked_for_again(tmp_path):
    of_s1 = lambda: next(step for step in steps(findings(RunIndex.read(tmp_path)), RunIndex.read(tmp_path))
                         if "of_s1_cifar10_drnas_released_seed" in step.command.out)  # fmt: skip
    before: Step = of_s1()
    paper_runs.search(tmp_path, space="s1", dataset="cifar10", seed=3)
    assert len(before.after) == 1 and not of_s1().after and of_s1().minutes < before.minutes
    assert "results/search/s1_cifar10_drnas_released/seed3" in of_s1().command.line


def test_durations():
    said = [duration(minutes) for minutes in (1, 45.2, 284, 10_000)]
    assert said == ["1 minute", "45 minutes", "284 minutes (5 hours)", "10,000 minutes (7 days)"]
