"""Checkpoints, history and the rest, with a model that does nothing but count."""

import csv
import io
import os
import signal
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rgunit_tf import progress as progress_module
from rgunit_tf.runs.callbacks import Checkpoints, History, Progress, Scalars
from rgunit_tf.runs.checkpoints import CheckpointFolder
from rgunit_tf.runs.clock import Clock
from rgunit_tf.runs.events import EventFile
from rgunit_tf.runs.stopping import StopRequest
from rgunit_tf.stages.tracking import TermMeans


@pytest.fixture
def model():
    return types.SimpleNamespace(step=tf.Variable(0, dtype=tf.int64), weight=tf.Variable(0.0), name="model")


@pytest.fixture
def folder(model, tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints", {"step": model.step, "weight": model.weight}, keep=9)


def run(callback, model, steps, logs=None):
    """Epochs that end at `steps`."""
    callback.model = model
    callback.set_params({"steps": 1})
    callback.on_train_begin()
    for epoch, step in enumerate(steps):
        model.step.assign(step)
        callback.on_train_batch_end(0)
        callback.on_epoch_end(epoch, logs or {"loss": float(step)})
    callback.on_train_end()


@pytest.mark.parametrize(
    ("every", "ends", "saved"),
    [
        (10, [5, 10, 15, 20], [10, 20]),
        (15, [10, 20, 30, 40, 50], [20, 30, 50]),
        (5, [10, 20, 23], [10, 20]),
        (100, [10, 20], []),
    ],
)
def test_checkpoints_are_saved_where_their_step_is_reached(model, folder, every, ends, saved):
    run(Checkpoints(folder, every, StopRequest(), Clock(folder.folder.parent / "clock.json")), model, ends)
    assert folder.steps() == saved


def test_a_resumed_run_saves_at_the_same_steps(model, folder):
    model.step.assign(20)
    run(Checkpoints(folder, 10, StopRequest(), Clock(folder.folder.parent / "clock.json")), model, [25, 30])
    assert folder.steps() == [30]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops_after_the_step(model, folder, capsys, number):
    handler = signal.getsignal(number)
    with pytest.raises(SystemExit) as stopped, StopRequest() as stop:
        callback = Checkpoints(folder, 100, stop, Clock(folder.folder.parent / "clock.json"))
        callback.model = model
        callback.set_params({"steps": 9})
        callback.on_train_begin()
        model.step.assign(7)
        callback.on_train_batch_end(0)
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_DFL, "a second signal must end the process"
        callback.on_train_batch_end(1)
    assert stopped.value.code == 128 + number
    assert folder.steps() == [7]
    assert "saved at step 7; the same command goes on from there" in capsys.readouterr().err
    assert signal.getsignal(number) == handler


def test_a_signal_in_a_step_that_is_logged_waits_for_its_line(model, folder):
    with pytest.raises(SystemExit), StopRequest() as stop:
        callback = Checkpoints(folder, 100, stop, Clock(folder.folder.parent / "clock.json"))
        callback.model = model
        callback.set_params({"steps": 2})
        callback.on_train_begin()
        model.step.assign(10)
        callback.on_train_batch_end(0)
        os.kill(os.getpid(), signal.SIGTERM)
        # The history and the grid of step 10 are written at the end of the epoch, by callbacks before this one.
        callback.on_train_batch_end(1)
        assert folder.steps() == []
        callback.on_epoch_end(0)
    assert folder.steps() == [10]


def test_a_signal_in_the_first_step_ends_the_run_at_once(model, folder):
    class Ended(BaseException):
        pass

    def end(number, frame):
        raise Ended

    handler = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended), StopRequest() as stop:
            callback = Checkpoints(folder, 100, stop, Clock(folder.folder.parent / "clock.json"))
            callback.model = model
            callback.on_train_begin()
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert folder.steps() == []


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_history_drops_what_lies_past_the_resumed_step(model, tmp_path):
    path = tmp_path / "new" / "history.csv"
    run(History(path), model, [5, 10, 15])
    assert rows_of(path) == [["step", "loss"], ["5", "5"], ["10", "10"], ["15", "15"]]
    with open(path, "a") as file:
        file.write("8")  # killed while it wrote
    model.step.assign(10)
    run(History(path), model, [15, 20], {"loss": 0.5})
    assert rows_of(path) == [["step", "loss"], ["5", "5"], ["10", "10"], ["15", "0.5"], ["20", "0.5"]]


def test_means_of_terms_since_the_last_reset():
    means = TermMeans(("a", "b"))
    assert {name: float(value) for name, value in means.result().items()} == {"a": 0.0, "b": 0.0}
    for a, b in ((1.0, 4.0), (2.0, 8.0)):
        means.update_state({"a": tf.constant(a), "b": tf.constant(b, tf.float64), "more": tf.constant(9.0)})
    assert {name: float(value) for name, value in means.result().items()} == {"a": 1.5, "b": 6.0}
    means.reset_state()
    means.update_state({"a": tf.constant(5.0), "b": tf.constant(5.0)})
    assert float(means.result()["a"]) == 5.0


@pytest.mark.parametrize("torn", ["", "step,lo", "step,loss\r\n", "loss\r\n"])
def test_a_history_whose_first_line_is_torn_begins_anew(model, tmp_path, torn):
    (tmp_path / "history.csv").write_text(torn)
    run(History(tmp_path / "history.csv"), model, [5])
    assert (tmp_path / "history.csv").read_text().splitlines() == ["step,loss", "5,5"]


def test_an_empty_history_gets_its_first_line_in_the_same_run(model, tmp_path):
    callback = History(tmp_path / "history.csv")
    callback.model = model
    callback.on_train_begin()
    (tmp_path / "history.csv").touch()  # what a disk leaves that is full for a while
    model.step.assign(5)
    callback.on_epoch_end(0, {"loss": 5.0})
    assert (tmp_path / "history.csv").read_text().splitlines() == ["step,loss", "5,5"]


def test_scalars_are_shown_by_step(model, tmp_path):
    events = EventFile(tmp_path / "logs")
    run(Scalars(events), model, [5, 10])
    picture = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(np.uint8)
    events.image(10, "samples", picture)
    # As TensorBoard reads it, while the file is still open.
    shown = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [(event.step, event.value) for event in shown.Scalars("loss")] == [(5, 5.0), (10, 10.0)]
    (image,) = shown.Images("samples")
    assert (image.step, image.width, image.height) == (10, 6, 4)
    np.testing.assert_array_equal(Image.open(io.BytesIO(image.encoded_image_string)), picture)
    events.close()


@pytest.mark.parametrize("ends", [[5], [5, 10], [5, 10, 5]])
def test_progress_in_a_log_file_is_lines(model, capsys, monkeypatch, ends):
    """As of a run that was ended, one that came to its end, and one that went back."""
    monkeypatch.setattr(progress_module, "SECONDS", 0.0)
    progress = Progress(10, 4, ("loss",))
    run(progress, model, ends)
    progress.close()
    out = capsys.readouterr().out
    assert "\r" not in out and "\b" not in out and out.endswith("\n")
    last = out.splitlines()[-1]
    assert last.startswith(f"model: {ends[-1]} of 10 steps, ")
    assert all(words in last for words in (" left", "images/s", f"loss {ends[-1]}"))
