"""drnas_lib.benchmark.policies: policies on a small made-up signal, the real table where it is, and the records."""

import numpy as np
import pandas as pd
import pytest

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchSettings, cells, draws, genotype, random_search, reinforce, run
from drnas_lib.errors import MissingData
from drnas_lib.genotype import all_nb201
from drnas_lib.runs import integrity
from drnas_lib.runs.files import PROJECT, RecordError, read_json

SPREAD = {"random": "Random (baseline)", "reinforce": "Reinforce (Zoph et al., 2018)"}


def test_the_number_of_a_cell_is_its_place_among_all():
    everything = list(all_nb201())
    numbers = {str(genotype(n)) for n in range(5**6)}
    assert numbers == {str(cell) for cell in everything}
    choice = np.array([[3, 0, 1, 4, 2, 3]])
    cell = genotype(int(cells(choice)[0]))
    assert [policies.NB201_OPERATIONS.index(name) for name in cell.operations] == choice[0].tolist()


def test_random_search_is_uniform_over_the_cells():
    asked = random_search(np.zeros(5**6), *draws(50, 200, "reinforce"), 0.0)
    assert asked.shape == (50, 200)
    first, last = asked // 5**5, asked % 5
    for digit in (first, last):
        counts = np.bincount(digit.ravel(), minlength=5)
        assert abs(counts - 2000).max() < 5 * 2000**0.5


def test_reinforce_is_the_explicit_loop():
    """One seed, written out with log-probabilities and PyTorch's gradient and Adam."""
    torch = pytest.importorskip("torch")
    signal = np.random.default_rng(0).uniform(30, 90, 5**6)
    uniform, normal = draws(3, 25, "reinforce")
    asked = reinforce(signal, uniform, normal, 0.1)
    for seed in range(3):
        logits = torch.tensor(1e-3 * normal[seed], requires_grad=True)
        optimiser, average = torch.optim.Adam([logits], 0.1), 0.0
        for q in range(25):
            p = logits.softmax(-1)
            choice = [int(np.searchsorted(np.cumsum(row), u)) for row, u in zip(p.detach().numpy(), uniform[seed, q])]
            cell = int(sum(c * 5 ** (5 - e) for e, c in enumerate(choice)))
            assert cell == asked[seed, q]
            average = 0.9 * average + 0.1 * signal[cell]
            advantage = signal[cell] - average / (1 - 0.9 ** (q + 1))
            loss = -p.log()[range(6), choice].sum() * advantage
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def test_reinforce_improves_the_expected_reward():
    signal = 10.0 * np.array([sum(name == "nor_conv_3x3" for name in genotype(n).operations) for n in range(5**6)])
    uniform, normal = draws(20, 400, "reinforce")
    asked = reinforce(signal, uniform, normal, 0.05)
    early, late = signal[asked[:, :50]].mean(), signal[asked[:, -50:]].mean()
    assert early < 30 and late > early + 15
    assert signal[random_search(signal, uniform, normal, 0.0)[:, -50:]].mean() == pytest.approx(12, abs=1)


def test_a_seed_does_not_depend_on_how_many_there_are():
    few, many = draws(2, 30, "reinforce"), draws(9, 30, "reinforce")
    assert all(np.array_equal(a, b[:2]) for a, b in zip(few, many))


@pytest.mark.parametrize("method", ["random", "reinforce"])
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
def test_full_protocol_is_within_the_spread_of_the_paper(method, dataset, data_root, tmp_path):
    these = TableSearchSettings.of(dataset=dataset, method=method, results=str(tmp_path))
    rows = run(these)
    assert len(rows) == 500 and (rows.simulated_s <= 12_000).all() and (rows.simulated_s > 12_000 - these.seconds_per_query).all()
    (paper,) = [row for row in read_json(PROJECT / "params/paper/table4.json")["rows"] if row["method"] == SPREAD[method]]
    for split in ("valid", "test"):
        published = paper[f"{dataset}_{split}"]
        assert abs(rows[f"{dataset}_{split}_acc_pct"].mean() - published["mean"]) < published["std"]


def test_records_and_skipping(data_root, tmp_path, monkeypatch):
    these = TableSearchSettings.of(seeds=5, results=str(tmp_path))
    rows = run(these)
    record = read_json(tmp_path / "nb201_cifar10_random_seeds5" / "record.json")
    assert record["parameters"]["queries"] == 100 and record["parameters"]["seconds_per_query"] == 120
    assert record["metrics"]["cifar10_test_acc_pct_mean"] == pytest.approx(rows.cifar10_test_acc_pct.mean())
    assert record["metrics"]["optimum_cifar10_test_acc_pct"] >= rows.cifar10_test_acc_pct.max()
    monkeypatch.setattr(policies, "search", None)  # would fail if it were called again
    pd.testing.assert_frame_equal(run(these), rows)
    integrity.write(
        tmp_path / "nb201_cifar10_random_seeds5" / "record.json", record | {"parameters": record["parameters"] | {"policy_lr": 0.5}}
    )
    with pytest.raises(RecordError, match="other settings"):
        run(these)


def test_without_the_table_a_finished_search_is_kept(tmp_path, data_root, monkeypatch):
    these = TableSearchSettings.of(seeds=2, results=str(tmp_path))
    before = policies.run(these)
    record = read_json(tmp_path / "nb201_cifar10_random_seeds2" / "record.json")
    assert record["protocol"] and record["device"] and len(record["data"]["fingerprint"]) == 64
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MissingData):
        policies.run(these, rerun=True)
    pd.testing.assert_frame_equal(policies.run(these), before)
