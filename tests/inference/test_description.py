import json

import pytest

from rgunit_tf import config as settings
from rgunit_tf.errors import UserError
from rgunit_tf.inference import describe
from rgunit_tf.runs.workdir import Workdir


@pytest.fixture
def workdir(tmp_path, schema):
    """Looks like a run of three finished stages, without weights."""
    config = settings.default_config()
    config.data.crop = 89
    workdir = Workdir(tmp_path / "run")
    workdir.claim(config)
    model = {"schema": schema.to_dict(), "image_size": 16, "style_dim": 2}
    for name, facts in [("translation", model), ("retrieval", {}), ("guided", {"neighbors": 2})]:
        final = workdir.stage(name) / "final"
        final.mkdir(parents=True)
        (final / "stage.json").write_text(json.dumps({"format": 1, "model": facts}))
        (final / "weights.index").write_bytes(name.encode())
    (workdir.stage("retrieval") / "gallery").mkdir()
    (workdir.stage("retrieval") / "gallery" / "manifest.json").write_text("{}")
    return workdir


def test_the_stage_that_suits(workdir):
    stage = {purpose: describe(workdir.path, purpose).stage for purpose in (None, "translate", "retrieve")}
    assert stage == {None: "guided", "translate": "guided", "retrieve": "retrieval"}
    (workdir.stage("guided") / "final" / "stage.json").unlink()
    stage = {purpose: describe(workdir.path, purpose).stage for purpose in (None, "translate", "retrieve")}
    assert stage == {None: "retrieval", "translate": "translation", "retrieve": "retrieval"}


def test_what_a_run_is(workdir, schema):
    guided = describe(workdir.path)
    assert (guided.kind, guided.schema, guided.image_size, guided.style_dim) == ("workdir", schema, 16, 10)
    assert guided.crop_share == 0.5 and guided.neighbors == 2 and guided.gallery and guided.translates
    translation = describe(workdir.stage("translation"))
    assert (translation.stage, translation.neighbors, translation.gallery) == ("translation", 0, False)


def test_the_fingerprint_follows_the_weights_of_all_stages_beneath(workdir):
    former = {name: describe(workdir.stage(name)).fingerprint for name in ("translation", "guided")}
    (workdir.stage("guided") / "final" / "weights.index").write_bytes(b"others")
    assert describe(workdir.stage("translation")).fingerprint == former["translation"]
    assert describe(workdir.stage("guided")).fingerprint != former["guided"]
    (workdir.stage("translation") / "final" / "weights.index").write_bytes(b"others")
    assert describe(workdir.stage("translation")).fingerprint != former["translation"]


def test_an_export_by_its_version_or_the_newest(export_folder, make_export, schema):
    assert describe(export_folder).path == describe(export_folder.parent).path == export_folder
    newest = make_export(export_folder.parent / "10", schema, stage="guided", neighbors=3, gallery={"size": 9})
    (export_folder.parent / "11").mkdir()
    described = describe(export_folder.parent)
    assert described.path == newest and described.kind == "export"
    assert described.neighbors == 3 and described.gallery and described.translates


def test_what_is_no_model(tmp_path, export_folder, workdir):
    def mistake(path, purpose=None):
        with pytest.raises(UserError) as error:
            describe(path, purpose)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
        return str(error.value)

    assert "no such folder" in mistake(tmp_path / "nowhere")
    assert "neither a run" in mistake(tmp_path)
    (export_folder / "assets.extra" / "rgunit.json").write_text('{"format": 2}')
    assert "format 2" in mistake(export_folder)
    (export_folder / "assets.extra" / "rgunit.json").write_text('{"format": 1}')
    assert "damaged" in mistake(export_folder)
    (export_folder / "assets.extra" / "rgunit.json").unlink()
    assert "is missing" in mistake(export_folder)
    (workdir.stage("guided") / "final" / "weights.index").unlink()
    assert "weights.index" in mistake(workdir.path)
    (workdir.stage("translation") / "final" / "stage.json").write_text("half")
    assert "damaged" in mistake(workdir.stage("translation"))
    for stage in ("translation", "retrieval", "guided"):
        (workdir.stage(stage) / "final" / "stage.json").unlink()
    assert "run bin/train --stage=translation" in mistake(workdir.path, "translate")
