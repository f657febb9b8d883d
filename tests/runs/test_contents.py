"""Contents kept beside the gallery."""

import numpy as np
import pytest

from rgunit_tf import GuidedModel, default_config, pixels
from rgunit_tf.runs import contents, finished
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages import neighbor_styles


@pytest.fixture
def workdir(stages, tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claim(default_config())
    for model in stages[:2]:
        if not model.optimizers:
            model.compile()
        finished.save(model, workdir.stage(model.name) / "final", {})
    stages.gallery.save(workdir.stage("retrieval") / "gallery")
    return workdir


def test_what_is_held_comes_back(workdir, stages):
    assert contents.read(workdir) is None
    contents.write(workdir, stages.guided.contents_of)
    stored = contents.read(workdir)
    assert isinstance(stored, np.memmap)
    np.testing.assert_array_equal(stored, stages.guided.contents_of.held)


def test_styles_come_back_where_neighbours_give_them(workdir, stages, monkeypatch):
    model = stages.attention
    contents.write(workdir, stages.guided.contents_of, stages.guided.styles_of)
    assert contents.read(workdir, "styles") is None
    contents.write(workdir, model.contents_of, model.styles_of)
    np.testing.assert_array_equal(contents.read(workdir, "styles"), model.styles_of.held)
    model.compile()
    finished.save(model, workdir.stage("guided") / "final", {})
    monkeypatch.setattr(neighbor_styles, "_computed", lambda *arguments: pytest.fail("computed again"))
    again = finished.load(workdir, "guided")
    np.testing.assert_array_equal(again.styles_of.held, model.styles_of.held)


def test_another_way_to_guide_loads_for_inference_too(workdir, stages, images):
    model = stages.attention
    if not model.optimizers:
        model.compile()
    finished.save(model, workdir.stage("guided") / "final", {})
    contents.write(workdir, model.contents_of, model.styles_of)
    used = finished.load(workdir, "guided", inference=True)
    assert used.get_config() == model.get_config() and "discriminator" not in used.networks
    assert used.style_encoder is used.translation.style_encoder
    assert isinstance(used.contents_of.held, np.memmap)
    pictures, styles = pixels.to_float(images), model.prior.mean(np.eye(model.schema.size, dtype=np.float32)[:3])
    found, expected = (each.translate_with_style(pictures, styles) for each in (used, model))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_fewer_do_not_take_the_place_of_more(workdir, stages):
    few = GuidedModel(stages.translation, stages.retrieval, stages.gallery, 2, content_cache_mb=4 / 1024)
    contents.write(workdir, few.contents_of)
    assert len(contents.read(workdir)) == 4
    contents.write(workdir, stages.guided.contents_of)
    contents.write(workdir, few.contents_of)
    assert len(contents.read(workdir)) == 12


@pytest.mark.parametrize("file", ["translation/final/weights.index", "retrieval/gallery/manifest.json"])
def test_those_of_another_encoder_or_gallery_are_not_used(workdir, stages, file):
    contents.write(workdir, stages.guided.contents_of)
    with open(workdir.path / file, "ab") as opened:
        opened.write(b" ")
    assert contents.read(workdir) is None


def test_damaged_ones_are_not_used(workdir, stages):
    contents.write(workdir, stages.guided.contents_of)
    path = workdir.path / "retrieval/contents/contents.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert contents.read(workdir) is None


def test_a_model_without_neighbors_needs_no_gallery(workdir, stages):
    import shutil

    import tensorflow as tf

    model = GuidedModel(stages.translation, stages.retrieval, None, 0)
    model.compile()
    finished.save(model, workdir.stage("guided") / "final", {})
    shutil.rmtree(workdir.stage("retrieval") / "gallery")
    again = finished.load(workdir, "guided")
    assert again.gallery is None and again.contents_of is None
    images = tf.zeros((1, again.image_size, again.image_size, 3))
    styles = tf.ones((1, again.prior.style_dim))
    np.testing.assert_allclose(
        again.translate_with_style(images, styles)[0], model.translate_with_style(images, styles)[0], atol=1e-5
    )
