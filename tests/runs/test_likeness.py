"""What a run knows of pictures like those of its gallery, and its exports with it."""

import types

import numpy as np
import pytest

from rgunit_tf import default_config
from rgunit_tf.inference import load
from rgunit_tf.retrieval.likeness import FILE
from rgunit_tf.runs import finished
from rgunit_tf.runs.exports import export_stage
from rgunit_tf.runs.workdir import Workdir

pytestmark = pytest.mark.slow


class Images:
    """Slopes of grey in all directions, as a `Split` gives pictures."""

    def __init__(self, count: int, seed: int, side: int):
        right, down = np.random.default_rng(seed).uniform(-60.0, 60.0, (2, count, 1, 1, 1))
        ramp = np.linspace(-1.0, 1.0, side)
        grey = 128.0 + right * ramp[:, None] + down * ramp[:, None, None]
        self.pictures = np.repeat(grey, 3, -1).astype(np.uint8)

    def __len__(self):
        return len(self.pictures)

    def images(self, rows):
        return self.pictures[rows]

    def batches(self, batch_size, training):
        del batch_size, training
        return [{"image": self.pictures, "id": [f"{row}.jpg" for row in range(len(self))]}]


@pytest.fixture
def workdir(stages, tmp_path):
    config = default_config()
    config.data.image_size = stages.translation.image_size
    config.retrieval.index = "exact"
    workdir = Workdir(tmp_path)
    workdir.claim(config)
    for model in stages[:2]:
        if not model.optimizers:
            model.compile()
        finished.save(model, workdir.stage(model.name) / "final", {})
    return workdir


def test_it_is_learnt_with_the_gallery_and_goes_into_exports(workdir):
    side = workdir.config.data.image_size
    dataset = types.SimpleNamespace(retrieval=Images(300, 1, side), test=Images(100, 2, side))
    finished.gallery_of(workdir, dataset)
    noise = np.random.default_rng(3).integers(0, 256, (8, side, side, 3), np.uint8)
    run = load(workdir.path, "retrieve")
    unlike = run.unlikeness_of(noise)
    assert (unlike > 1.0).all() and (run.unlikeness_of(dataset.test.pictures) > 1.0).sum() <= 3
    exported = load(export_stage(workdir, "retrieval"))
    np.testing.assert_allclose(exported.unlikeness_of(noise), unlike, rtol=0.02)
    # Of other weights it says nothing.
    with open(workdir.stage("translation") / "final/weights.index", "ab") as file:
        file.write(b" ")
    assert (workdir.stage("retrieval") / FILE).exists() and finished.likeness_of(workdir) is None


def test_without_test_pictures_nothing_is_known(workdir):
    side = workdir.config.data.image_size
    finished.gallery_of(workdir, types.SimpleNamespace(retrieval=Images(30, 1, side), test=[]))
    assert finished.likeness_of(workdir) is None
