"""drnas_lib.collection.studies.lambda_ablation: committed runs, judged by the table where it is there."""

from drnas_lib.benchmark.table import Benchmark, how_to_get
from drnas_lib.collection.studies import lambda_ablation
from drnas_lib.collection.views import study_plots
from drnas_lib.runs.files import PROJECT

RUNS = [str(path) for path in sorted((PROJECT / "results" / "search").glob("nb201_cifar10_drnas_released_laptop_lam*/seed0"))]


def test_a_row_for_each_lambda_beside_the_paper(data_root):
    runs = lambda_ablation.accuracies(RUNS)
    beside = lambda_ablation.beside_paper(runs)
    assert runs.test_acc_pct.between(0, 100).all() and list(beside.index) == sorted({0, 5e-4, 5e-3, 1e-2, 1e-1, 1})
    assert beside.loc[0.01, "paper_pct"] == 94.36 and (beside.runs == 1).all()
    best = runs.loc[runs.test_acc_pct.idxmax()]
    standing = Benchmark.load().standing(best.test_acc_pct, "cifar10", "test")
    assert (best["rank"], best.below_pct) == (standing.rank, standing.below_pct) and beside.median_rank.min() == standing.rank
    said = lambda_ablation.conclusion(runs, [])
    assert f"Best is λ = {best.lam:g} with {best.test_acc_pct:.2f} % (rank {standing.rank:,}, better than" in said and "94.37 %" in said


def test_of_a_single_lambda_nothing_is_called_best_or_worst(data_root):
    said = lambda_ablation.conclusion(lambda_ablation.accuracies(RUNS[:1]), [])
    assert said.startswith("**The only strength here is λ = 0 with ") and "orst" not in said and "In the paper" not in said


def test_without_the_table_the_cells_are_not_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    runs = lambda_ablation.accuracies(RUNS)
    assert runs.test_acc_pct.isna().all() and len(runs) == len(RUNS)
    assert f"is unknown here:** {how_to_get()}" in lambda_ablation.conclusion(runs, ["10 epochs"])
    assert study_plots.lambda_accuracy(lambda_ablation.beside_paper(runs), "cifar10", True).axes
