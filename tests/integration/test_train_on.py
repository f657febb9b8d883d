"""A finished run is trained on, its data are moved, and another one starts from its weights."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.integration.conftest import weights

SHORT = [f"--config.{stage}.steps=4" for stage in ("translation", "retrieval", "guided")]


@pytest.fixture
def call(arguments, prepared, monkeypatch):
    """Runs bin/train in this process; returns its exit code."""
    from rgunit_tf.cli import launcher, train
    from rgunit_tf.runs import training

    # It would hold for the tests that follow as well.
    monkeypatch.setattr(training, "configure", lambda config: None)
    monkeypatch.setenv("RGUNIT_CACHE", str(prepared))
    return lambda *more: launcher.call(train.main, train.FLAGS, ["train", *arguments, *more])


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def steps(run, stage):
    with open(run / stage / "history.csv", newline="") as file:
        return [int(row[0]) for row in list(csv.reader(file))[1:]]


def test_a_finished_stage_is_trained_on_after_its_data_have_moved(call, copy, drawn, tmp_path, capsys):
    run = copy
    moved = shutil.copytree(drawn, tmp_path / "moved")
    capsys.readouterr()
    where = [f"--workdir={run}", f"--config.data.root={moved}"]
    assert call(*where, "--config.guided.steps=64", "--config.guided.batch_size=2") == 0
    assert steps(run, "guided") == [*range(5, 65, 5), 64] and steps(run, "translation")[-1] == 63
    assert json.loads((run / "guided/final/stage.json").read_text())["steps"] == 64
    assert sorted(entry.name for entry in (run / "guided/export").iterdir()) == ["1", "2"]
    assert json.loads((run / "config.json").read_text())["config"]["data"]["root"] == str(moved)
    assert f"data: celeba {moved}" in capsys.readouterr().out
    name = next((moved / "img_align_celeba").iterdir())
    Image.new("RGB", (178, 218)).save(name)
    assert call(*where, "--config.guided.steps=70", "--config.guided.batch_size=2") == 2
    assert "the data have changed since this run began" in capsys.readouterr().err
    assert json.loads((run / "guided/final/stage.json").read_text())["steps"] == 64


def test_what_cannot_be_trained_on(call, copy, capsys):
    run, where = copy, [f"--workdir={copy}"]
    assert call(*where, "--config.translation.steps=70") == 2
    assert "was trained from the translation stage as it is; delete" in capsys.readouterr().err
    shutil.rmtree(run / "guided/checkpoints")
    assert call(*where, "--config.guided.steps=70") == 2
    assert f"start a new run from them with --init_from={run}" in capsys.readouterr().err
    assert (run / "guided/final/stage.json").exists()


def test_another_run_starts_from_the_weights(call, finished, tmp_path, capsys):
    """Two domains of a folder in the place of five attributes: what they shape starts anew."""
    run = finished
    for number in range(24):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    still = [f"--config.{stage}.learning_rate=0" for stage in ("translation", "retrieval", "guided")]
    data = ["--config.data.source=folder", f"--config.data.root={tmp_path / 'photos'}", "--config.guided.neighbors=2"]
    tuned = tmp_path / "tuned"
    assert call(*data, *still, *SHORT, f"--workdir={tuned}", f"--init_from={run}") == 0
    for stage, prefix in (("translation", "content_encoder/"), ("guided", "fusion/")):
        here, there = weights(tuned, stage), weights(run, stage)
        same = [name for name in here if name.startswith(prefix)]
        assert same
        for name in same:
            np.testing.assert_array_equal(here[name], there[name])
    shapes = {name: value.shape for name, value in weights(tuned, "translation").items()}
    assert any(weights(run, "translation")[name].shape != shape for name, shape in shapes.items())
    capsys.readouterr()
    wider = ["--config.model.width=8", f"--workdir={tmp_path / 'wider'}", f"--init_from={run}"]
    assert call(*data, *wider) == 2
    assert "its translation stage is built otherwise (width: 4 there, 8 here)" in capsys.readouterr().err
