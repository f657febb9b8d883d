"""Styles of retrieved images in the place of those asked for."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.neighbor_styles import NeighborStyles
from rgunit_tf.stages.noise import StepNoise

# Two attributes of two dimensions: four images of (0, 0), two of (1, 0), one of (1, 1), none of (0, 1).
STYLES = np.repeat(np.array([[-1, -1], [-2, -1], [-1, -2], [-3, -3], [1, -1], [2, -1], [1, 1]], np.float32), 2, axis=1)


@pytest.fixture(scope="module")
def styles_of():
    class Held:
        size = len(STYLES)

    return NeighborStyles(Held(), None, AttributeSchema(("Male", "Smiling")), STYLES)


def test_the_nearest_style_of_the_domain_answers(styles_of):
    asked = tf.constant([[-1.9, -1.9, -0.9, -0.9], [1.6, 1.6, -1.0, -1.0], [0.1, 0.1, 0.1, 0.1]])
    rows = tf.constant([[0, 1, 4], [4, 5, 6], [6, 0, 4]])
    found = styles_of.nearest(asked, rows)
    np.testing.assert_array_equal(found, STYLES[[1, 5, 6]])


def test_without_an_image_of_the_domain_it_is_what_was_asked(styles_of):
    asked = tf.constant([[-1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    rows = tf.constant([[0, 1], [4, 5], [6, 4]])
    np.testing.assert_array_equal(styles_of.nearest(asked, rows, tf.constant([-1, -1, 6])), asked)
    np.testing.assert_array_equal(styles_of.nearest(asked, rows)[2], STYLES[6])


def test_random_rows_are_all_those_of_the_domain(styles_of):
    asked = tf.repeat(tf.constant([[-1.0, -1, -1, -1], [1, 1, -1, -1], [1, 1, 1, 1]]), 200, 0)
    seeds = tf.stack([tf.range(600), tf.zeros(600, tf.int32)], 1)
    rows = styles_of.random_rows(asked, seeds, 3).numpy().reshape(3, 200 * 3)
    for drawn, expected in zip(rows, ({0, 1, 2, 3}, {4, 5}, {6}), strict=True):
        counts = {row: int(np.sum(drawn == row)) for row in set(drawn.tolist())}
        assert set(counts) == expected
        assert min(counts.values()) > 0.7 * 600 / len(expected)


@pytest.mark.parametrize("groups", [(), (("a", "b"),), (("a", "b", "c", "d"),)])
def test_the_domain_of_a_style_is_that_of_the_schema(groups):
    schema = AttributeSchema(("a", "b", "c", "d"), groups)
    styles = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)

    class Held:
        size = 50

    found = NeighborStyles(Held(), None, schema, styles).labels_of(tf.constant(styles))
    np.testing.assert_array_equal(found, schema.nearest_labels(styles))


def noise(step):
    return StepNoise(0, tf.constant(step, tf.int64), tf.constant(4))


@pytest.mark.parametrize("mode", ["retrieved", "random"])
def test_a_guided_model_translates_to_a_style_that_somebody_has(translation, retrieval, gallery, make_batch, mode):
    model = GuidedModel(translation, retrieval, gallery, 11, mode, style="neighbors")
    batch = make_batch()
    content = model.content_encoder(batch["image"])
    known = model.styles_of.held.numpy()
    np.testing.assert_allclose(
        known, model.style_encoder(tf.cast(gallery.images(tf.range(12)), tf.float32) / 127.5 - 1.0)[0], atol=1e-5
    )
    # Questions whose domain somebody else has: the styles of images that no row of the batch shows.
    asked = tf.constant(known[8:12]) * 1.1
    found = model.target_styles(content, asked, batch["id"], noise(0)).numpy()
    for row in range(4):
        own = np.all(known == found[row], axis=1)
        assert own.any() and not own[row]
    labels = model.schema.nearest_labels
    np.testing.assert_array_equal(labels(found), labels(asked.numpy()))
    if mode == "retrieved":
        np.testing.assert_array_equal(found, known[8:12])
    passes = model.forward(batch, noise(0))
    somebodys = (np.abs(passes.target_style.numpy()[:, None] - known).max(-1) < 1e-6).any(1)
    assert somebodys.any()


def test_prior_styles_stay_what_they_are(translation, retrieval, gallery, make_batch):
    model, batch = GuidedModel(translation, retrieval, gallery, 2), make_batch()
    styles = translation.prior.mean(batch["target"])
    assert model.target_styles(model.content_encoder(batch["image"]), styles, batch["id"], None) is styles
