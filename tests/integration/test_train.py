"""bin/train as users run it: all stages, killed and resumed, and what it says when a run is not whole."""

import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.integration.conftest import SETTINGS, weights

STAGES = ("translation", "retrieval", "guided")


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def call(arguments, prepared, monkeypatch, capsys):
    """Runs the command in this process; returns its exit code and what it wrote to stderr."""
    from rgunit_tf.cli import launcher, train
    from rgunit_tf.runs import training

    # It would hold for the tests that follow as well.
    monkeypatch.setattr(training, "configure", lambda config: None)
    monkeypatch.setenv("RGUNIT_CACHE", str(prepared))

    def call(*more: str) -> tuple[int, str]:
        capsys.readouterr()
        code = launcher.call(train.main, train.FLAGS, ["train", *arguments, "--verbosity=-2", *more])
        return code, capsys.readouterr().err

    return call


def history(workdir, stage):
    with open(workdir / stage / "history.csv", newline="") as file:
        return list(csv.reader(file))


def end_in(process, workdir, stage, step, number):
    """Sends a signal as soon as the checkpoint of a step is there; returns the exit code."""
    deadline, known = time.monotonic() + 300, workdir / stage / "checkpoints/checkpoint"
    while not (known.exists() and f'"step-{step}"' in known.read_text()):
        assert process.poll() is None and time.monotonic() < deadline, (workdir / "log.txt").read_text()[-3000:]
        time.sleep(0.002)
    process.send_signal(number)
    code = process.wait()
    assert not (workdir / stage / "final").exists(), "the stage was over before the signal came"
    return code


def test_every_stage_leaves_what_a_workdir_holds(finished):
    assert json.loads((finished / "config.json").read_text())["config"]["translation"]["steps"] == 63
    for stage in STAGES:
        folder = finished / stage
        assert json.loads((folder / "final/stage.json").read_text())["steps"] == SETTINGS[f"{stage}.steps"]
        rows = history(finished, stage)
        assert [int(row[0]) for row in rows[1:]] == [
            *range(5, SETTINGS[f"{stage}.steps"], 5),
            SETTINGS[f"{stage}.steps"],
        ]
        assert all(len(row) == len(rows[0]) for row in rows)
        assert np.isfinite(np.array(rows[1:], float)).all()
        assert (folder / "export/1/saved_model.pb").is_file()
        checkpoints = sorted(file.name for file in (folder / "checkpoints").glob("*.index"))
        assert len(checkpoints) == 3
    for stage in ("translation", "guided"):
        names = sorted(file.name for file in (finished / stage / "samples").iterdir())
        assert names[0] == "0000030.png" and names[-1] == f"{SETTINGS[f'{stage}.steps']:07d}.png"
    assert (finished / "retrieval/gallery/manifest.json").is_file()
    assert not list(finished.glob("**/.partial-*"))


def test_guided_training_leaves_the_encoders_of_stage_1(finished):
    first, last = weights(finished, "translation"), weights(finished, "guided")
    encoders = [name for name in first if name.startswith(("content_encoder", "style_encoder"))]
    assert encoders
    for name in encoders:
        np.testing.assert_array_equal(first[name], last[name])
    assert any((first[name] != last[name]).any() for name in first if name.startswith("decoder"))
    assert any((first[name] != last[name]).any() for name in first if name.startswith("discriminator"))
    assert any(name.startswith("fusion") for name in last)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(start, finished, tmp_path):
    import tensorflow as tf

    workdir = tmp_path / "killed"
    assert end_in(start(workdir), workdir, "translation", 30, signal.SIGKILL) == -signal.SIGKILL
    # The newest checkpoint is cut off as well: the one before it must do.
    newest = tf.train.latest_checkpoint(workdir / "translation/checkpoints")
    damage(pathlib.Path(f"{newest}.data-00000-of-00001"), None)
    assert end_in(start(workdir), workdir, "retrieval", 60, signal.SIGTERM) == 128 + signal.SIGTERM
    assert "SIGTERM: saved at step" in (workdir / "log.txt").read_text()
    assert end_in(start(workdir), workdir, "guided", 20, signal.SIGKILL) == -signal.SIGKILL
    assert start(workdir).wait() == 0
    log = (workdir / "log.txt").read_text()
    assert f"{newest} is damaged" in log
    assert log.count("resuming from") == 3

    for stage in STAGES:
        expected, found = weights(finished, stage), weights(workdir, stage)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{stage}: {name}")
        rows, undisturbed = history(workdir, stage), history(finished, stage)
        steps = [int(row[0]) for row in rows[1:]]
        assert steps == sorted(set(steps)), "a step is logged twice"
        assert [row[0] for row in rows] == [row[0] for row in undisturbed]
        if stage != "retrieval":  # SIGTERM stops between two lines; the means of that line start there
            assert rows == undisturbed


@pytest.mark.soak
def test_every_stage_trains_on_two_devices(root, arguments, tmp_path):
    short = {**{f"{stage}.steps": 3 for stage in STAGES}, "train.checkpoint_every": 2, "train.log_every": 2}
    result = subprocess.run(
        [
            *(sys.executable, str(pathlib.Path(__file__).with_name("train_on_two_devices.py"))),
            *(*arguments, f"--workdir={tmp_path}", *(f"--config.{name}={value}" for name, value in short.items())),
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    for stage in STAGES:
        assert (tmp_path / stage / "export/1/saved_model.pb").is_file()
        assert [row[0] for row in history(tmp_path, stage)] == ["step", "2", "3"]


def test_a_finished_run_is_left_as_it_is(call, copy):
    before = {file: file.stat().st_mtime_ns for file in copy.glob("**/final/*")}
    assert call(f"--workdir={copy}") == (0, "")
    assert {file: file.stat().st_mtime_ns for file in copy.glob("**/final/*")} == before


def test_a_deleted_gallery_is_built_again(call, copy):
    gallery = copy / "retrieval/gallery"
    before = {name: (gallery / name).read_bytes() for name in ("ids.json", "images.npy")}
    embeddings = np.load(gallery / "embeddings.npy")
    shutil.rmtree(gallery)
    shutil.rmtree(copy / "guided/export")
    assert call(f"--workdir={copy}") == (0, "")
    assert {name: (gallery / name).read_bytes() for name in before} == before
    # To rounding: the run was a process of its own, whose kernels may be others than those of this one.
    np.testing.assert_allclose(np.load(gallery / "embeddings.npy"), embeddings, atol=1e-4)
    assert (copy / "guided/export/1/saved_model.pb").is_file()


def test_another_config_is_refused(call, copy):
    before = {file: file.stat().st_mtime_ns for file in copy.glob("**/*")}
    code, message = call(f"--workdir={copy}", "--config.loss.cycle=3")
    assert code == 2 and message.count("\n") == 1
    assert "loss.cycle: 10.0 != 3.0" in message and "--workdir" in message
    after = {file: file.stat().st_mtime_ns for file in copy.glob("**/*")}
    assert {file for file in after if after[file] != before.get(file)} <= {copy / ".lock"}


def damage(file: pathlib.Path, content: bytes | None) -> None:
    """Puts `content` in place of a file's, or cuts the file in half."""
    if content is None:
        os.truncate(file, file.stat().st_size // 2)
    else:
        file.write_bytes(content)


@pytest.mark.parametrize(
    ("gone", "file", "content", "message"),
    [
        ("retrieval", "translation/final/stage.json", b'{"format"', "translation/final/stage.json is damaged"),
        ("retrieval", "translation/final/stage.json", b"[]", "translation/final/stage.json is damaged"),
        ("retrieval", "translation/final/stage.json", b'{"format": 99}', "has format 99"),
        ("retrieval", "translation/final/weights.index", None, "translation/final is damaged"),
        ("retrieval", "translation/final/weights.data-00000-of-00001", None, "translation/final is damaged"),
        ("guided", "retrieval/final/weights.data-00000-of-00001", b"", "retrieval/final is damaged"),
        ("guided", "retrieval/gallery/embeddings.npy", None, "embeddings.npy"),
        ("guided", "retrieval/gallery/manifest.json", b"{", "manifest.json"),
        (None, "config.json", b"{", "config.json is damaged"),
    ],
)
def test_a_broken_prerequisite_is_named(call, copy, gone, file, content, message):
    for stage in STAGES[STAGES.index(gone) :] if gone else ():
        shutil.rmtree(copy / stage / "final" if stage == "retrieval" and gone == "guided" else copy / stage)
    damage(copy / file, content)
    code, error = call(f"--workdir={copy}")
    assert code == 2 and error.count("\n") == 1, error
    assert message in error


def test_an_earlier_stage_cannot_be_trained_anew_below_a_later_one(call, copy):
    shutil.rmtree(copy / "translation")
    code, error = call(f"--workdir={copy}")
    assert code == 2 and error.count("\n") == 1, error
    assert "translation/final is missing" in error and "retrieval" in error
    assert not (copy / "translation/final").exists()


def test_no_whole_checkpoint_is_a_clear_end(call, copy):
    shutil.rmtree(copy / "guided/final")
    for file in (copy / "guided/checkpoints").glob("*.index"):
        damage(file, None)
    code, error = call(f"--workdir={copy}")
    assert code == 2 and error.count("\n") == 1, error
    assert "no checkpoint is whole" in error
    assert len(list((copy / "guided/checkpoints").glob("*.index"))) == 3


def test_more_neighbours_than_gallery_images(call, copy):
    shutil.rmtree(copy / "guided")
    config = json.loads((copy / "config.json").read_text())
    config["config"]["guided"]["neighbors"] = 30
    (copy / "config.json").write_text(json.dumps(config))
    code, error = call(f"--workdir={copy}", "--config.guided.neighbors=30")
    assert code == 2 and error.count("\n") == 1, error
    assert "neighbors=30 but the gallery holds 30 images" in error
