"""drnas_lib.distributed.launch: a process writes what the notebook reads, each row of a history once."""

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.distributed.launch import ProgressLines, job_name
from drnas_lib.retrain.run import Progress
from drnas_lib.search.loop import Epoch
from drnas_lib.search.run import TrainingEpoch

ROWS = [{"epoch": epoch, "seconds": 0.5} for epoch in (1, 2, 3)]


def through(progresses):
    """(line, progress read from it, the history as it was then) for each progress."""
    here, there, found = ProgressLines(), ProgressLines(), []
    for line in map(here.encode, progresses):
        read = there.decode(line)
        found.append((line, read, list(read.history)))
    return found


def test_epochs_of_a_search_and_of_its_cells_come_across():
    epochs = [Epoch(ROWS[i], ROWS[: i + 1], [[[0.5, 0.5]]], 3) for i in range(3)]
    cells = [
        TrainingEpoch(cell, s, ROWS[i], ROWS[: i + 1], 2, 1, 4) for cell in ("derived", "random_1") for s in range(2) for i in range(2)
    ]
    found = through([*epochs, *cells])
    for (line, read, history), progress in zip(found, [*epochs, *cells], strict=True):
        assert type(read) is type(progress) and read.row == progress.row and history == progress.history
        assert line.count("seconds") == 2, "its row, and the one row of history that is new"


def test_a_search_that_continues_tells_the_rows_of_before():
    ((line, read, history),) = through([Epoch(ROWS[2], ROWS, [[[1.0]]], 3)])
    assert history == ROWS and read.mean == [[[1.0]]] and line.count("seconds") == 4


def test_a_training_that_continues_tells_the_rows_of_before():
    found = through([Progress(ROWS[1], ROWS[:2], 3), Progress(ROWS[2], ROWS, 3)])
    assert [type(read) for _, read, _ in found] == [Progress, Progress] and [read.row for _, read, _ in found] == ROWS[1:]
    assert [history for _, _, history in found] == [ROWS[:2], ROWS] and [line.count("seconds") for line, _, _ in found] == [3, 2]


def test_a_notebooks_parameters_say_which_job_they_are_for():
    assert job_name(RetrainConfig.of({"genotype": "DrNAS_cifar10"})) == "retrain"
