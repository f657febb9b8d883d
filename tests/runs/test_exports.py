"""Exports of a run's stages."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import default_config
from rgunit_tf.cli import export as command
from rgunit_tf.cli import launcher
from rgunit_tf.errors import UserError
from rgunit_tf.runs import exports as run_exports
from rgunit_tf.runs import finished
from rgunit_tf.runs.exports import export_stage
from rgunit_tf.runs.workdir import Workdir

pytestmark = pytest.mark.slow


def translate(path, images, attributes):
    signature = tf.saved_model.load(str(path)).signatures["translate"]
    return signature(images=tf.constant(images), attributes=tf.constant(attributes))["images"].numpy()


def described(path):
    return json.loads((path / "assets.extra" / "rgunit.json").read_text())


@pytest.fixture(scope="module")
def workdir(stages, tmp_path_factory):
    config = default_config()
    config.data.image_size = 16
    config.data.crop = 89
    workdir = Workdir(tmp_path_factory.mktemp("run"))
    workdir.claim(config)
    for model in stages[:3]:
        model.compile()
        finished.save(model, workdir.stage(model.name) / "final", {})
    stages.gallery.save(workdir.stage("retrieval") / "gallery")
    yield workdir
    for model, optimizers in zip(stages[:3], (["generator", "discriminator"], ["network"]) * 2, strict=False):
        for name in optimizers:
            if hasattr(model, f"{name}_optimizer"):
                delattr(model, f"{name}_optimizer")


def test_another_format_goes_to_a_folder_of_its_own(workdir, capsys):
    arguments = ["export", f"--workdir={workdir.path}", "--stage=translation", "--format=tflite"]
    assert launcher.call(command.main, command.FLAGS, arguments) == 0
    folder = workdir.stage("translation") / "tflite" / "1"
    assert capsys.readouterr().out.split() == [str(folder)]
    assert sorted(path.name for path in folder.iterdir()) == ["model.tflite", "rgunit.json"]
    assert not (workdir.stage("translation") / "export").exists()


def test_the_command_exports_every_finished_stage(workdir, stages, images, attributes, capsys):
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={workdir.path}"]) == 0
    folders = capsys.readouterr().out.split()
    assert folders == [str(workdir.stage(name) / "export" / "1") for name in ("translation", "retrieval", "guided")]
    for folder in folders:
        assert described(pathlib.Path(folder))["crop_share"] == 0.5
    expected = stages.guided.translate_with_style(
        tf.cast(images, tf.float32) / 127.5 - 1.0, stages.guided.prior.mean(attributes)
    )[0]
    found = translate(folders[2], images, attributes)
    assert np.abs(found - (expected.numpy() + 1.0) * 127.5).max() <= 0.51


def test_a_full_disk_is_one_line_and_leftovers_are_cleared_away(workdir, tmp_path, monkeypatch, capsys):
    copy = shutil.copytree(workdir.path, tmp_path / "run")
    left = copy / "translation" / "export" / ".partial-left"
    left.mkdir(parents=True)
    before = {path for path in copy.rglob("*") if left not in [path, *path.parents]}

    def full(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, f"{copy}/x; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={copy}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{copy}: No space left on device; free space there" in error
    assert set(copy.rglob("*")) <= before


def test_the_command_exports_one_stage_with_another_index(workdir, capsys):
    arguments = ["export", f"--workdir={workdir.path}", "--stage=retrieval", "--index=scann"]
    assert launcher.call(command.main, command.FLAGS, arguments) == 0
    assert described(pathlib.Path(capsys.readouterr().out.strip()))["gallery"] == {
        "size": 12,
        "index": "scann",
        "dtype": "float32",
    }


def test_the_command_halves_the_gallery_and_lists_the_models(workdir, capsys):
    arguments = ["export", f"--workdir={workdir.path}", "--stage=guided", "--gallery_dtype=float16", "--models_root=/m"]
    assert launcher.call(command.main, command.FLAGS, arguments) == 0
    folder = pathlib.Path(capsys.readouterr().out.strip())
    assert described(folder)["gallery"] == {"size": 12, "index": "exact", "dtype": "float16"}
    assert 'base_path: "/m/guided/export"' in (workdir.path / "serving" / "models.config").read_text()


def test_the_crop_of_prepared_images_is_that_of_their_manifest(workdir, stages, tmp_path, monkeypatch):
    config = workdir.config
    config.data.source, config.data.root = "tfrecord", str(tmp_path)
    monkeypatch.setattr(Workdir, "config", config)
    with pytest.raises(UserError, match=r"dataset\.json: no such file; run bin/prepare to the end"):
        export_stage(workdir, "translation")
    shard = {"file": "train.tfrecord", "images": 1, "bytes": 1, "sha256": "", "unreadable": []}
    facts = {"plan": {"format": 1}, "schema": {}, "content_names": [], "crop": 172, "splits": {"train": [shard]}}
    (tmp_path / "dataset.json").write_text(json.dumps({**facts, "crop_share": 0.5}))
    assert described(export_stage(workdir, "translation"))["crop_share"] == 0.5


def test_a_deleted_gallery_is_built_again(workdir, stages, monkeypatch):
    gallery = workdir.stage("retrieval") / "gallery"
    gallery.rename(gallery.with_name("deleted"))
    asked = []

    def gallery_of(workdir, dataset):
        asked.append(dataset)
        stages.gallery.save(gallery)

    monkeypatch.setattr(run_exports.finished, "gallery_of", gallery_of)
    monkeypatch.setattr(run_exports.finished, "load_dataset", lambda workdir: "dataset")
    assert described(export_stage(workdir, "guided"))["gallery"]["size"] == 12
    assert asked == ["dataset"]


def test_an_export_of_other_weights_is_not_current(stages, workdir, tmp_path):
    copy = Workdir(shutil.copytree(workdir.path, tmp_path / "run"))
    shutil.rmtree(copy.stage("translation") / "export", ignore_errors=True)
    assert not run_exports.is_current(copy, "translation")
    export_stage(copy, "translation")
    assert run_exports.is_current(copy, "translation")
    # The stage is trained again: other weights, beside the export of the old ones.
    kept = [variable.numpy() for variable in stages.translation.trained_variables]
    stages.translation.trained_variables[0].assign_add(tf.ones_like(stages.translation.trained_variables[0]))
    shutil.rmtree(copy.stage("translation") / "final")
    tf.train.Checkpoint(**stages.translation.networks).write(str(copy.stage("translation") / "final/weights"))
    for variable, value in zip(stages.translation.trained_variables, kept, strict=True):
        variable.assign(value)
    assert not run_exports.is_current(copy, "translation")


def test_an_unfinished_run_is_one_line(tmp_path, capsys):
    Workdir(tmp_path).claim(default_config())
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={tmp_path}"]) == 2
    assert "no stage is finished" in capsys.readouterr().err
    assert launcher.call(command.main, command.FLAGS, ["export", f"--workdir={tmp_path}", "--stage=translation"]) == 2
    message = capsys.readouterr().err
    assert "translation stage is not finished" in message and len(message.splitlines()) == 1
