"""A run's small copy: answers as the run does, and says what it is not for."""

import numpy as np
import pytest

import rgunit_tf as rg
from rgunit_tf import bundled
from rgunit_tf.bundled import compact
from rgunit_tf.errors import UserError
from rgunit_tf.runs import finished
from rgunit_tf.runs.workdir import Workdir


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def copy(workdir, tmp_path_factory):
    return compact.write(workdir, tmp_path_factory.mktemp("copy") / "compact")


def test_answers_as_the_run_does(workdir, copy, images):
    mine, theirs = rg.load(copy), rg.load(workdir.path)
    assert str(mine.description) == f"guided stage of {copy}"
    changed = [model.translate(images, ["Blond_Hair"]).images.astype(int) for model in (mine, theirs)]
    # The weights are rounded to 11 bits.
    assert 0 < np.abs(changed[0] - changed[1]).mean() < 1.0
    found = [model.retrieve(images, ["Blond_Hair"], k=3) for model in (mine, theirs)]
    np.testing.assert_array_equal(found[0].ids[:, 0], found[1].ids[:, 0])
    np.testing.assert_array_equal(found[0].images[:, 0], found[1].images[:, 0])


def test_is_small(workdir, copy, tmp_path):
    def weights(path, stage):
        return sum(file.stat().st_size for file in (path / stage / "final").glob("weights.data*"))

    for stage in ("translation", "retrieval", "guided"):
        assert 0 < weights(copy, stage) < 0.55 * weights(workdir.path, stage)
    names = rg.retrieval.Gallery.load(compact.write(workdir, tmp_path / "c", 5) / "retrieval/gallery").ids
    assert len(names) == 5 and set(names) < {f"person {row}" for row in range(12)}


def test_is_not_to_be_trained_on(copy):
    for stage in ("translation", "guided"):
        with pytest.raises(UserError, match="is a small copy of a run, to be used and not trained on"):
            finished.load(Workdir(copy), stage)


def test_what_cannot_be_copied_is_refused(workdir, copy, tmp_path):
    with pytest.raises(UserError, match="2 images are too few for 2 neighbors"):
        compact.write(workdir, tmp_path / "compact", 2)
    with pytest.raises(UserError, match="exists"):
        compact.write(workdir, copy)
    with pytest.raises(UserError, match="guided stage is not finished"):
        compact.write(Workdir(tmp_path), tmp_path / "compact")
    assert not list(tmp_path.iterdir())


def test_the_model_that_comes_along_is_taken_where_none_is_named(copy, monkeypatch):
    monkeypatch.setattr(bundled, "FOLDER", copy)
    assert rg.load().description.path == copy
    monkeypatch.setattr(bundled, "FOLDER", copy / "nowhere")
    with pytest.raises(UserError, match="no model comes with this installation"):
        rg.load()
