"""The picture of the workflow: every rule once, left of what needs it."""

import pytest

from drnas_lib.collection.workflow import picture

DOT = """
digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
	0[label = "table1", color = "0.27 0.6 0.85", style="rounded"];
	1[label = "study\\nname: full", color = "0.3 0.6 0.85", style="rounded,dashed"];
	2[label = "search\\nseed: 0", color = "0.4 0.6 0.85", style="rounded"];
	3[label = "search\\nseed: 1", color = "0.4 0.6 0.85", style="rounded"];
	4[label = "report", color = "0.4 0.6 0.85", style="rounded"];
	5[label = "retrain", color = "0.4 0.6 0.85", style="rounded"];
	1 -> 0
	2 -> 1
	3 -> 1
	1 -> 4
	2 -> 5
	5 -> 4
}
"""


def test_a_rule_is_one_box_with_the_number_of_its_jobs():
    jobs, needs = picture.read(DOT)
    assert jobs == {"table1": 1, "study": 1, "search": 2, "report": 1, "retrain": 1}
    assert needs == {("study", "table1"), ("search", "study"), ("study", "report"), ("search", "retrain"), ("retrain", "report")}


def test_what_is_needed_stands_left_of_what_needs_it():
    place = {text.get_text().partition(",")[0]: text.get_position() for text in picture.figure(DOT).axes[0].texts}
    columns = [[rule for rule in sorted(place) if place[rule][0] == x] for x in sorted({x for x, _ in place.values()})]
    assert columns == [["search"], ["retrain", "study"], ["report", "table1"]]
    assert all(len({place[rule][1] for rule in column}) == len(column) for column in columns), "no box on another"


def test_the_picture_says_all_of_it(tmp_path):
    said = {text.get_text() for text in picture.figure(DOT).axes[0].texts}
    assert said == {"table1", "study", "search, 2 jobs", "report", "retrain"}
    picture.main(DOT, str(tmp_path / "dag.png"))
    assert (tmp_path / "dag.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_dag_is_told():
    with pytest.raises(ValueError, match="--dag dot"):
        picture.read("Nothing to be done")
