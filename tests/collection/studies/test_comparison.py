"""Comparisons: which searches they make, tables with every row, reasons, and a new method."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from drnas_lib.benchmark.policies import LABELS
from drnas_lib.benchmark.table import Benchmark, how_to_get
from drnas_lib.collection.studies.comparison import RUN_COLUMNS, ComparisonConfig, PartialChannelsConfig, runs
from drnas_lib.collection.studies.comparison_report import Table1Report, Table4Report, sensitivity
from drnas_lib.collection.studies.searches import look_up_missing, run_missing
from drnas_lib.collection.views.tables import by_stage, table1, table4
from drnas_lib.config import method_presets
from drnas_lib.config.method_presets import METHODS, MethodRow
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.scales import for_search
from drnas_lib.methods.method import Method
from drnas_lib.runs.files import PROJECT, RunFolder, read_json

PAPER4 = read_json(PROJECT / "params" / "paper" / "table4.json")["rows"]
PAPER1 = read_json(PROJECT / "params" / "paper" / "table1.json")["rows"]


def config(tmp_path, kind=ComparisonConfig, **values):
    return kind.of({"results": str(tmp_path), "device": "cpu", "scale": "smoke"} | values)


def run_row(**values):
    usual = {"row": "drnas", "label": "DrNAS", "dataset": "cifar10", "seed": 0, "reduced": "", "valid_acc_pct": 91.0, "test_acc_pct": 94.0}
    return dict.fromkeys(RUN_COLUMNS) | usual | {"search_s": 10.0, "activation_mb": 5.0} | values


def test_every_row_of_the_paper_is_a_method_a_policy_or_a_reference():
    ours = {row.label for row in METHODS.values()} | set(LABELS.values()) | {"ResNet (He et al., 2016)", "optimal"}
    assert {row["method"] for row in PAPER4} <= ours, "methods of one's own come on top"


@pytest.mark.parametrize("dataset", ["digits", "cifar10", "cifar100", "imagenet16-120"])
def test_every_scale_fits_every_method(tmp_path, dataset):
    for scale in for_search("nb201", dataset):
        searches = config(tmp_path, datasets=[dataset], scale=scale).searches()
        assert len(searches) == len(METHODS) == len({search.settings.folder for search in searches})
        assert all(bool(search.settings.reduced) == (scale != "full") for search in searches)
        partial = config(tmp_path, PartialChannelsConfig, datasets=[dataset], scale=scale).searches()
        assert [search.row for search in partial] == ["1", "2", "4", "8", "ours"]


def test_a_scale_that_the_data_do_not_have_and_a_k_that_does_not_fit_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="scale='laptop' with space='nb201' and dataset='digits'"):
        config(tmp_path, scale="laptop")
    with pytest.raises(ParameterError, match=r"k=\[16\] with channels=8: 16 does not divide"):
        config(tmp_path, PartialChannelsConfig, datasets=["cifar10"], scale="laptop", ks=[16])


def test_a_reduced_comparison_gives_all_methods_the_same_steps_and_images(tmp_path):
    searches = config(tmp_path, datasets=["cifar10"], scale="laptop").searches()
    budgets = {(sum(s.epochs for s in w.settings.stages), w.settings.batch_size, w.settings.subset, w.settings.cells) for w in searches}
    assert len(budgets) == 1


def test_the_full_searches_are_those_of_the_facts(tmp_path):
    of = {w.row: w.settings for w in config(tmp_path, datasets=["cifar10"], scale="full").searches()}
    epochs = {name: sum(stage.epochs for stage in s.stages) for name, s in of.items()}
    assert epochs.items() >= dict(rsps=250, enas=250, darts=50, darts_2nd=50, gdas=250, snas=150, dsnas=100, pc_darts=50, drnas=100).items()
    assert (of["darts"].step, of["darts_2nd"].step, of["gdas"].step) == ("weights_first", "arch_first", "weights_first")
    assert (of["darts"].bilevel, of["darts_2nd"].bilevel) == ("first", "second")
    assert {of[name].step for name in ("snas", "dsnas")} == {"single_level"} and of["rsps"].step == "weights_only"
    assert all((of[name].weight_decay, of[name].nesterov) == (5e-4, True) for name in ("rsps", "darts", "darts_2nd", "gdas"))
    assert (of["enas"].batch_size, of["enas"].weight_lr, of["enas"].lr_half_period, of["enas"].weight_decay) == (128, 0.05, 10, 2.5e-4)
    assert of["gdas"].options == {"tau_start": 10.0, "tau_end": 0.1, "tau_line": "both"}
    starts = {name: (s.eta_mean, s.eta_std, s.arch_grad_clip, s.label_smoothing) for name, s in of.items()}
    assert starts.pop("snas") == (1.0, 0.01, 10.0, 0.0) and starts.pop("dsnas") == (1.0, 0.01, None, 0.1)
    assert set(starts.values()) == {(0.0, 1e-3, None, 0.0)}
    pc = of["pc_darts"]
    assert (pc.stages[0].k, pc.stages[0].arch_warmup, pc.batch_size) == (4, 15, 256)
    assert (pc.weight_lr, pc.weight_lr_min, pc.arch_lr) == (0.1, 0.0, 6e-4)
    assert (of["drnas"].nesterov, of["drnas"].weight_decay, of["drnas"].protocol) == (False, 3e-4, "released")
    asked = {w.row: w.settings for w in config(tmp_path, datasets=["cifar10"], scale="full", baseline_protocol="released").searches()}
    assert all(sum(s.epochs for s in asked[name].stages) == 100 for name in ("darts", "gdas", "snas", "pc_darts"))
    code = {"tau_start": 10.0, "tau_end": 1.0, "tau_line": "start"}
    assert asked["gdas"].options == asked["snas"].options == code and (asked["snas"].eta_mean, asked["snas"].arch_grad_clip) == (0.0, None)
    assert asked["pc_darts"].options == {"edge_normalisation": False, "none_in_cell": True}
    assert pc.options == {"edge_normalisation": True, "none_in_cell": False}


def test_table_4_has_every_row_and_the_arithmetic_is_right():
    own = run_row(dataset="digits", test_acc_pct=50.0, reduced="x")
    found = pd.DataFrame([run_row(test_acc_pct=94.0), run_row(seed=1, test_acc_pct=94.5), own])
    table = table4(PAPER4, found, {"ResNet (He et al., 2016)": "quoted"})
    assert [label for label, kind in table.index if kind == "paper"] == [row["method"] for row in PAPER4]
    ours = table.loc[("DrNAS", "ours")]
    assert (ours["cifar10_test"], ours["n"]) == ("94.25 ± 0.35", "2")
    assert table.loc[("DrNAS", "difference")]["cifar10_test"] == "-0.11"
    assert table.loc[("DrNAS", "paper")]["digits_test"] == "–"
    assert table.loc[("ResNet (He et al., 2016)", "ours")]["note"] == "quoted"
    assert table.loc[("GDAS (Dong & Yang, 2019)", "ours")]["note"] == "not run"


def test_a_reduced_run_has_a_line_of_its_own_and_no_difference():
    table = table4(PAPER4, pd.DataFrame([run_row(reduced="2 instead of 100 epochs")]), {})
    assert table.loc[("DrNAS", "reduced")]["cifar10_test"] == "94.00"
    assert ("DrNAS", "ours") not in table.index and ("DrNAS", "difference") not in table.index
    assert "2 instead of 100 epochs" in table.loc[("DrNAS", "reduced")]["note"]


def test_table_1_keeps_reduced_and_whole_runs_apart():
    found = pd.DataFrame([run_row(row="1", test_acc_pct=94.0), run_row(row="8", test_acc_pct=60.0, reduced="less")])
    table = table1(PAPER1, found, {})
    assert table.loc[("cifar10", "K = 1")]["difference"] == "-0.36" and table.loc[("cifar10", "K = 1")]["paper: GPU memory (MB)"] == "2437"
    assert table.loc[("cifar10", "K = 8")]["reduced run: test accuracy (%)"] == "60.00"
    assert table.loc[("cifar10", "K = 8")]["ours: test accuracy (%)"] == "–"
    assert table.loc[("cifar100", "progressive")]["note"] == "not run"


class Uniform(Method):
    """A toy: every operation always weighs the same; the cell is the last operation everywhere."""

    def sample(self, generator):
        return torch.full_like(self.variables.eta, 0.2) + 0 * self.variables.eta

    def mean(self):
        return torch.full_like(self.variables.eta, 0.2)

    def scores(self):
        return torch.arange(5.0).expand_as(self.variables.eta)


def test_a_new_method_is_a_file_and_a_row(tmp_path, monkeypatch):
    """Registered in one row, it goes the notebook's way: parameters, run, table, figure, sentence."""
    monkeypatch.setitem(method_presets.METHODS, "uniform", MethodRow(f"{__name__}:Uniform", "Uniform"))
    these = config(tmp_path, datasets=["digits"], methods=["uniform"])
    reasons = look_up_missing(these.lookups()) | run_missing(these.searches())
    report = Table4Report.read(these, reasons)
    assert not reasons and report.runs.row.tolist() == ["uniform"]
    assert "avg_pool_3x3~2" in report.runs.genotype[0]
    assert ">Uniform<" in report.table().to_html() and "Uniform" in report.conclusion().data
    assert "Uniform" in [tick.get_text() for tick in report.dots().axes[0].get_yticklabels()]
    assert report.cost().axes
    with pytest.raises(ParameterError, match="Did you mean `uniform`"):
        config(tmp_path, methods=["unifrm"])


def test_absent_data_leave_a_reason_and_nothing_else_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path / "empty"))
    these = config(tmp_path, datasets=["imagenet16-120", "digits"], methods=["random", "darts"], table_results=str(tmp_path / "table"))
    reasons = look_up_missing(these.lookups()) | run_missing(these.searches())
    assert set(reasons) == {("Random (baseline)", "imagenet16-120"), ("DARTS (1st) (Liu et al., 2019)", "imagenet16-120")}
    report = Table4Report.read(these, reasons)
    assert report.runs.dataset.tolist() == ["digits"]
    html = report.table().to_html()
    assert "no NAS-Bench-201 table" in html and "optimal" in html
    (images,) = (why for why in reasons.values() if why != how_to_get())
    assert how_to_get() in report.conclusion().data and how_to_get() in sensitivity(these).data
    assert images in report.conclusion().data


def test_ranks_stand_beside_accuracies(data_root, tmp_path):
    these = config(tmp_path, datasets=["cifar10"], methods=["random"], table_seeds=[3], table_results=str(tmp_path / "table"))
    report = Table4Report.read(these, look_up_missing(these.lookups()))
    standing = Benchmark.load().median_standing(report.runs.test_acc_pct, "cifar10", "test")
    html, said = report.table().to_html(), report.conclusion().data
    assert ">rank, ours<" in html and f">{standing.short}<" in html
    assert f" %, rank {standing.short}, n = 3.**" in said and "the best cell has 94.37 %" in said


class Ranks:
    """Made up, in place of the benchmark's."""

    @staticmethod
    def median_standing(accuracies, dataset, split):
        found = len(accuracies) and dataset == "cifar10"
        return SimpleNamespace(short=f"rank of {max(accuracies):.1f} on {dataset} {split}") if found else None


def test_tables_rank_what_they_found():
    found = pd.DataFrame([run_row(row="1", test_acc_pct=94.0), run_row(row="1", seed=1, test_acc_pct=60.0, reduced="less")])
    best = run_row(row="optimal", label="optimal")
    table = table4(PAPER4, pd.concat([found, pd.DataFrame([best])]), {}, Ranks)
    assert table.loc[("DrNAS", "rank, ours")]["cifar10_test"] == "rank of 94.0 on cifar10 test"
    assert table.loc[("DrNAS", "rank, reduced")]["cifar10_test"] == "rank of 60.0 on cifar10 test"
    assert ("optimal", "rank, ours") not in table.index and table.loc[("DrNAS", "rank, ours")]["cifar100_test"] == ""
    row = table1(PAPER1, found, {}, Ranks).loc[("cifar10", "K = 1")]
    assert (row["rank"], row["reduced run: rank"]) == ("rank of 94.0 on cifar10 test", "rank of 60.0 on cifar10 test")
    assert not table4(PAPER4, found, {}).index.isin([("DrNAS", "rank, ours")]).any(), "without the benchmark there are no ranks"


def test_finished_runs_are_not_run_again_and_other_seeds_are_shown(tmp_path):
    for seed in (0, 1):
        run_missing(config(tmp_path, methods=["gdas"], seeds=[seed]).searches())
    these = config(tmp_path, methods=["gdas"], seeds=[1])
    before = RunFolder(these.searches()[0].settings.folder).file("done.json").stat().st_mtime_ns
    run_missing(these.searches())
    assert RunFolder(these.searches()[0].settings.folder).file("done.json").stat().st_mtime_ns == before
    assert sorted(runs(these.searches()).seed) == [0, 1]


def test_partial_channels_report(tmp_path):
    these = config(tmp_path, PartialChannelsConfig, ks=[1, 4])
    report = Table1Report.read(these, run_missing(these.searches()))
    memory = report.runs.set_index("row").activation_mb
    assert memory["4"] < memory["1"] and len(report.runs.set_index("row").stage_memory["ours"]) == 2
    assert "progressive" in report.table().to_html() and report.memory().axes
    assert "by a factor of" in report.conclusion().data
    more = report.runs.stage_memory.map(lambda stages: [stage | {"activation_mb": 3 * stage["activation_mb"]} for stage in stages])
    one, two = by_stage(report.runs), by_stage(pd.concat([report.runs, report.runs.assign(stage_memory=more)]))
    assert len(one) == 4 and one[one.row == "ours"].stage.tolist() == [1, 2]
    assert two.activation_mb.tolist() == pytest.approx((2 * one.activation_mb).tolist()), "the mean over seeds"
