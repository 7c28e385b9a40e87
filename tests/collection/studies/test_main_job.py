"""drnas_lib.collection.studies.main_job: the study behind the main job, from runs to its table, record and sentence."""

import pandas as pd
import pytest

from drnas_lib.collection.studies import main_job
from drnas_lib.collection.studies.config import MainJobConfig
from drnas_lib.collection.views import study_plots
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RecordError, RunFolder
from drnas_lib.search.run import run
from drnas_lib.search.trained_cells import MEDIAN, TrainedCells


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    small = {"dataset": "digits", "scale": "smoke", "seeds": [3, 4], "device": "cpu"}
    config = MainJobConfig.of(small | {"results": str(place / "runs"), "tables": str(place / "tables")})
    for settings in config.searches():
        list(run(settings))
    return config, main_job.table([settings.folder for settings in config.searches()])


def test_the_default_is_the_main_job():
    (settings,) = MainJobConfig.of({}).searches()
    assert (settings.dataset, settings.evaluate, settings.reduced) == ("cluttered_digits", "train", ())
    assert settings.random_cells == 8 and settings.train_seeds == 3


def test_a_row_for_each_search(studied):
    config, rows = studied
    assert rows.seed.tolist() == [3, 4] and rows.of_cells.tolist() == [3, 3]
    assert (rows.above_median_points == rows.found_pct - rows.random_median_pct).all()
    for settings, row in zip(config.searches(), rows.itertuples()):
        cells = TrainedCells.of(integrity.record(RunFolder(settings.folder))["evaluation"], "digits")
        assert (row.rank, row.noise_points) == (cells.rank, cells.noise(MEDIAN))


def test_the_table_and_its_record_are_kept_and_sealed(studied):
    config, rows = studied
    folder = main_job.write_seeds_table(rows, config)
    record = integrity.read(folder / integrity.RECORD)
    pd.testing.assert_frame_equal(integrity.table(folder / main_job.TABLE, record), rows)
    assert folder.name == "nb201_digits_drnas_released_smoke" and record["seeds"] == [3, 4]
    assert {"commit", "cpu", "time_utc"} <= record["environment"].keys() and record["threads"] == 1
    assert record["environment_of_the_first_search"]["time_utc"] <= record["environment"]["time_utc"]
    assert len(record["data"]["fingerprint"]) == 64 and record["search"]["train_epochs"] == 1
    (folder / main_job.TABLE).write_text("seed\n")
    with pytest.raises(RecordError, match="not what this run wrote"):
        integrity.table(folder / main_job.TABLE, record)


def test_the_sentence_counts_what_is_above_and_below_by_more_than_noise(studied):
    _, rows = studied
    told = rows.assign(above_median_points=[4.0, -6.0], noise_points=[3.0, 5.0])
    said = main_job.sentence(told)
    assert "Over 2 seeds of the search the difference" in said and "is -1.0 ± 5.0 points (mean and standard error)" in said
    assert "above the median in 1 of 2, by more than the noise in 1; it is below by more than the noise in 1." in said
    assert "Over 1 seed" in main_job.sentence(told[:1]) and "is +4.0 points." in main_job.sentence(told[:1])
    assert study_plots.main_job(rows, "digits").axes
