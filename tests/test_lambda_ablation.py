"""drnas_lib.lambda_ablation: committed runs, judged by the table where it is there."""

from drnas_lib import lambda_ablation, study_plots
from drnas_lib.records import PROJECT

RUNS = [str(path) for path in sorted((PROJECT / "results" / "search").glob("nb201_cifar10_drnas_released_epochs10_*_lam*/seed0"))]


def test_a_row_for_each_lambda_beside_the_paper(data_root):
    runs = lambda_ablation.accuracies(RUNS)
    beside = lambda_ablation.beside_paper(runs)
    assert runs.test_acc_pct.between(0, 100).all() and list(beside.index) == sorted({0, 5e-4, 5e-3, 1e-2, 1e-1, 1})
    assert beside.loc[0.01, "paper_pct"] == 94.36 and (beside.runs == 1).all()
    assert f"Best is λ = {runs.set_index('lam').test_acc_pct.idxmax():g}" in lambda_ablation.conclusion(runs, [])


def test_without_the_table_the_cells_are_not_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    runs = lambda_ablation.accuracies(RUNS)
    assert runs.test_acc_pct.isna().all() and len(runs) == len(RUNS)
    assert "is unknown" in lambda_ablation.conclusion(runs, ["10 epochs"])
    assert study_plots.lambda_accuracy(lambda_ablation.beside_paper(runs), "cifar10", True).axes
