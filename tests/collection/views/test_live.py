"""The live display, with a recorder where the notebook would be."""

import pytest

from drnas_lib.collection.views import live
from drnas_lib.collection.views.live import Interrupted, Live, LiveTraining
from drnas_lib.retrain.run import Progress
from drnas_lib.search.run import TrainingEpoch, run


class Recorder:
    """One output of a notebook and all that it ever showed."""

    def __init__(self, first):
        self.shown = [first]

    def update(self, what):
        self.shown.append(what)

    @property
    def text(self):
        return self.shown[-1].data


@pytest.fixture
def outputs(monkeypatch):
    """The line and the picture, in the order in which a display makes them."""
    made = []
    monkeypatch.setattr(live, "display", lambda first, display_id: made.append(Recorder(first)) or made[-1])
    return made


def test_a_search_is_shown_from_its_first_epoch_to_its_end(outputs, settings):
    display = Live("nb201")
    display.follow(run(settings(), on_step=display.tick))
    line, picture = outputs
    first, last = line.shown[1].data, line.shown[-2].data
    assert "epoch 1 of 2, about " in first and " s left; loss " in first and "% on η batches" in first and "now <code>|" in first
    assert "epoch 2 of 2; loss " in last and line.text == "Done; the records are read below."
    bars, accuracy = picture.shown[-1].axes
    assert len(bars.get_yticklabels()) == 6
    assert [len(curve.get_xdata()) for curve in accuracy.lines] == [2, 2]


def test_a_finished_search_says_so_and_shows_nothing(outputs, settings):
    for _ in run(settings()):
        pass
    Live("nb201").follow(run(settings()))
    assert outputs[0].text == "This run was done before; its records are read."
    assert len(outputs[1].shown) == 1


def test_both_kinds_of_cell_have_their_bars(outputs, settings):
    Live("s2").follow(run(settings(space="s2", epochs=1, subset=64, cells=3)))
    assert [ax.get_ylabel()[:6] for ax in outputs[1].shown[-1].axes] == ["normal", "reduce", "batch "]


def test_a_stopped_run_says_where_and_how_to_go_on_and_goes_on(outputs, settings):
    these, display = settings(), Live("nb201")

    def stopped():
        for progress in run(these):
            yield progress
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped after epoch 1 of 2. Run this cell again") as error:
        display.follow(stopped())
    assert error.value._render_traceback_() == [f"Interrupted: {error.value}"]
    assert outputs[0].text == "stopped after epoch 1 of 2"
    Live("nb201").follow(run(these))  # its lock is free
    assert "epoch 2 of 2" in outputs[2].shown[-2].data


def test_drawing_takes_its_share_of_the_time_and_no_more(outputs, monkeypatch):
    clock = iter(range(0, 10_000, 10))  # each look at it is ten seconds later, so a drawing takes ten
    monkeypatch.setattr(live.time, "monotonic", lambda: next(clock))
    display, drawn = LiveTraining("digits"), []
    monkeypatch.setattr(display, "_figure", lambda progress: drawn.append(progress.row["epoch"]) or "figure")
    rows = [{"epoch": n, "seconds": 1.0, "train_loss_nats": 1.0, "images_per_s": 9.0, "test_acc_pct": 50.0 + n} for n in range(1, 41)]
    for n in range(1, 41):
        display.show(Progress(rows[n - 1], rows[:n], 40))
    assert drawn[0] == 1 and drawn[-1] == 40 and len(drawn) < 20
    assert "test error 10.00 %, best so far 10.00 %" in outputs[0].text


def test_the_next_run_is_drawn_at_once_and_only_then(outputs, monkeypatch):
    monkeypatch.setattr(live, "PAUSE_S", 1e6)
    display, drawn = LiveTraining("digits"), []
    monkeypatch.setattr(display, "_figure", lambda progress: drawn.append(progress.row["epoch"]) or "figure")
    row = {"seconds": 1.0, "train_loss_nats": 1.0, "images_per_s": 9.0, "test_acc_pct": None}
    for title, epoch in (("one", 1), ("one", 2), ("other", 1), ("one", 3), ("other", 2)):
        display.begin(title)
        display.show(Progress(row | {"epoch": epoch}, [row], 9))
    assert drawn == [1, 1]


def test_a_training_after_the_search_keeps_the_picture(outputs):
    display = Live("nb201")
    row = {"epoch": 3, "seconds": 60.0, "train_loss_nats": 0.25}
    display.show(TrainingEpoch("all_skip", 2, row, [row], 5, number=33, trainings=33))
    assert "epoch 3 of 5, about 2 min left; training 33 of 33: the all-skip cell, seed 2, loss 0.250" in outputs[0].text
    assert len(outputs[1].shown) == 1


def test_steps_of_a_long_epoch_have_a_bar(outputs, monkeypatch):
    display = Live("nb201")
    display.tick(3, 9)
    assert len(outputs[0].shown) == 1  # too soon
    monkeypatch.setattr(live, "PAUSE_S", 0.0)
    display.begin("search 1 of 2")
    display.tick(3, 9)
    assert outputs[0].text.startswith("<b>search 1 of 2</b><br><progress value='3' max='9'")
