"""drnas_lib.distributed.jobs: what a process says is what the notebook hears, each row of a history said once."""

import json

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.distributed.jobs import RetrainJob, SearchJob, name_of
from drnas_lib.retrain.run import Progress
from drnas_lib.search.loop import Epoch
from drnas_lib.search.run import Training

ROWS = [{"epoch": epoch, "seconds": 0.5} for epoch in (1, 2, 3)]


def through(job, progresses):
    """(line, what is heard of it, the history as it was then) for each line, by way of JSON."""
    here, there, found = job(), job(), []
    for progress in progresses:
        for line in map(json.dumps, here.said(progress)):
            heard = there.heard(json.loads(line))
            found.append((line, heard, list(heard.history)))
    return found


def test_epochs_of_a_search_and_of_its_cells_come_across():
    epochs = [Epoch(ROWS[i], ROWS[: i + 1], [[[0.5, 0.5]]], 3) for i in range(3)]
    cells = [Training(cell, s, ROWS[i], ROWS[: i + 1], 2, 1, 4) for cell in ("derived", "random_1") for s in range(2) for i in range(2)]
    found = through(SearchJob, [*epochs, *cells])
    for (line, heard, history), progress in zip(found, [*epochs, *cells], strict=True):
        assert type(heard) is type(progress) and heard.row == progress.row and history == progress.history
        assert line.count("seconds") == 2, "its row, and the one row of history that is new"


def test_a_search_that_continues_tells_the_rows_of_before():
    ((line, heard, history),) = through(SearchJob, [Epoch(ROWS[2], ROWS, [[[1.0]]], 3)])
    assert history == ROWS and heard.mean == [[[1.0]]] and line.count("seconds") == 4


def test_a_training_that_continues_tells_the_rows_of_before():
    found = through(RetrainJob, [Progress(ROWS[1], ROWS[:2], 3), Progress(ROWS[2], ROWS, 3)])
    assert [heard.row for _, heard, _ in found] == ROWS and found[-1][2] == ROWS


def test_a_notebooks_parameters_say_which_job_they_are_for():
    assert name_of(RetrainConfig.of({"genotype": "DrNAS_cifar10"})) == "retrain"
