"""drnas_lib.collection.workflow.readme: the README says of claims and results what the committed files say."""

import re
import shutil

import pytest

from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.workflow.readme import (
    CLAIMS_PAGE,
    FAR,
    README,
    explained,
    found_so_far,
    full_size,
    number_counts,
    picture,
    results,
    updated,
)
from drnas_lib.runs.files import PROJECT
from tests import paper_runs


def test_the_readme_says_what_the_files_say(committed):
    text = README.read_text(encoding="utf-8")
    assert updated(text, Report.read(committed)) == text, "results/ has changed since: run `make report`"


def test_the_page_of_the_claims_says_what_their_file_and_the_runs_say(committed, tmp_path):
    text, report = CLAIMS_PAGE.read_text(encoding="utf-8"), Report.read(committed)
    assert explained(text, report) == text, "results/ or the claims have changed since: run `make report`"
    assert explained(text.replace("Figure 5", "Figure 6").replace("| holds |", "| fails |"), report) == text
    empty = explained(text, Report.read(tmp_path))
    assert "Not run yet: " in empty and "verdict at" not in empty and empty.count("## ") == text.count("## ")


def test_numbers_in_sentences_are_those_of_the_runs(committed):
    """What README.md and docs/claims.md say by hand: mean eigenvalues of both methods, and the spread of RSPS."""
    report = Report.read(committed)
    (result,) = [scales["laptop"] for claim, scales in report.claims if claim.name == "drnas_stays_flat"]
    (rsps,) = [row for row in results(report) if row.startswith("| RSPS")]
    for page in (README, CLAIMS_PAGE):
        ours, darts = map(float, re.search(r"are ([\d.]+) for DrNAS and ([\d.]+) for DARTS", page.read_text(encoding="utf-8")).groups())
        assert ours - darts == pytest.approx(result.outcome.value, abs=0.01), page
    (spread,) = re.findall(r"such as RSPS \((± [\d.]+)\)", README.read_text(encoding="utf-8"))
    assert f"{spread} |" in rsps


def test_the_picture_has_every_seed_of_the_table_and_enlarges_a_part(committed):
    whole, enlarged = picture(Report.read(committed)).axes
    seeds = [len(line.get_xdata()) for line in whole.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert seeds == [int(row.split(" | ")[3]) for row in results(Report.read(committed))[2:]]
    assert enlarged.get_xlim() == (92.0, 94.5) and whole.get_xlim()[0] < 54


def test_every_part_is_made_new(tmp_path):
    text = README.read_text(encoding="utf-8")
    empty = updated(text, Report.read(tmp_path))
    for part in (
        "88 of the 88 searches planned at this scale are still to be made",
        "at full scale none is tested.",
        "- *Accuracy.* Nothing to compare yet.",
    ):
        assert part in empty, part
    assert "verdict at" not in empty and empty.count("## ") == text.count("## ") and updated(empty, Report.read(tmp_path)) == empty
    with pytest.raises(ValueError, match="needs one place for"):
        updated(text.replace("| method | paper |", "| paper | method |"), Report.read(tmp_path))


def test_a_new_result_changes_its_row_and_a_reduced_one_does_not(tmp_path):
    def row():
        (found,) = [line for line in results(Report.read(tmp_path)) if line.startswith("| DrNAS |")]
        return found

    assert row() == "| DrNAS | 94.36 ± 0.00 | – | – | – | – |"
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", epochs=[5])
    assert row() == "| DrNAS | 94.36 ± 0.00 | – | – | – | – |", "a run of another size does not count"
    paper_runs.search(tmp_path, 92.0, dataset="cifar10", scale="laptop")
    assert row() == "| DrNAS | 94.36 ± 0.00 | 92.00 | 1 | laptop | – |"
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    assert row() == "| DrNAS | 94.36 ± 0.00 | 94.36 ± 0.00 | 4 | full | reproduced |"


def test_the_status_counts_what_agrees_and_what_of_it_was_trained(tmp_path):
    before = number_counts(Report.read(tmp_path))
    assert "They need no supernet: they are parameter counts, or accuracies that are looked up." in before
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    after = number_counts(Report.read(tmp_path))
    full = lambda text: int(re.search(r"At full scale we have (\d+) of them", text)[1])
    assert "4 of them come from networks that we trained. The others need none: they are parameter counts" in after
    assert full(after) > full(before)


def test_the_first_screen_compares_drnas_with_random_search(tmp_path):
    said = lambda: found_so_far(Report.read(tmp_path))  # noqa: E731
    for seed, accuracy in enumerate((92.0, 92.2, 92.4)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", scale="laptop", seed=seed)
    assert said() == "Nothing to compare yet.", "without random search"
    shutil.copytree(PROJECT / "results" / "table_search", tmp_path / "table_search")
    assert said().startswith("DrNAS reaches 92.20 ± 0.20 % at the laptop scale") and "n = 3), in the paper 94.36 ± 0.00." in said()
    assert said().endswith("So here DrNAS is worse than random search.")
    paper_runs.search(tmp_path, 94.0, dataset="cifar10")
    assert said().startswith("DrNAS reaches 94.00 % at the full scale") and said().endswith("too few seeds to say which is better.")


def test_the_first_screen_has_the_progressive_search_at_full_size(tmp_path):
    said = lambda: full_size(Report.read(tmp_path))  # noqa: E731
    paper_runs.search(tmp_path, 94.36, dataset="cifar10")
    paper_runs.search(tmp_path, 94.36, dataset="cifar10", protocol="paper", scale="laptop")
    assert said() == "No progressive search is finished at full scale yet."
    for seed, accuracy in enumerate((94.0, 93.0)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", protocol="paper", seed=seed)
    assert "finds cells of 93.50 ± 0.71 % test accuracy at full scale (n = 2), in the paper 94.36 ± 0.00: not reproduced" in said()
    assert f"([what we found]({FAR}))" in said()
    assert said().endswith("One search took 1.00 hours of wall time on CPU, made up.")
