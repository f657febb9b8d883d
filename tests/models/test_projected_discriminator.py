"""D on frozen features: those of the network, which nothing changes, with a gradient back to the image."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.models import frozen_features
from rgunit_tf.models.projected_discriminator import FeatureHead, ProjectedDiscriminator
from rgunit_tf.pretrained import efficientnet

installed = pytest.mark.skipif(not frozen_features.available(), reason=frozen_features.MISSING)


def images(side=32, count=2):
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (count, side, side, 3)), tf.float32)


@installed
def test_features_are_those_of_the_network_that_judges():
    network, large = efficientnet.load(), images(128)
    np.testing.assert_allclose(
        network.features(large), tf.reduce_mean(network.blocks(large)[-1], (1, 2)), rtol=1e-6, atol=1e-6
    )
    doubled = tf.image.resize(images(), (64, 64), "bilinear")
    blocks = network.blocks(doubled, 11)
    assert len(blocks) == 11
    expected = [blocks[2] / 11.5, blocks[4] / 7.7, blocks[10] / 4.8]
    for one, other in zip(frozen_features.FrozenFeatures()(images()), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@installed
@pytest.mark.parametrize("side", [16, 32, 36, 64, 128])
def test_shapes_are_known_without_the_network(side):
    features = frozen_features.FrozenFeatures()
    assert features.shapes(side) == [tuple(x.shape[1:]) for x in features(images(side, 1))]


@installed
def test_what_is_said_reaches_every_pixel_of_the_image():
    discriminator, x = ProjectedDiscriminator(2, 8), images()
    discriminator.build_for(32)
    for part in ("realness", "domain", "values"):
        with tf.GradientTape() as tape:
            tape.watch(x)
            said = tf.add_n([tf.reduce_sum(getattr(verdict, part)) for verdict in discriminator(x)])
        gradient = tape.gradient(said, x).numpy()
        assert np.isfinite(gradient).all() and (np.abs(gradient).max((0, 3)) > 0).all(), part


@installed
def test_a_verdict_a_depth_with_a_map_and_two_logits_an_attribute():
    discriminator = ProjectedDiscriminator(2, 8)
    verdicts = discriminator(images())
    assert [verdict.realness.shape[1] for verdict in verdicts] == [16, 8, 4]
    for verdict in verdicts:
        assert verdict.values.shape == (2, 4)
        np.testing.assert_allclose(verdict.domain, verdict.values[:, 2:] - verdict.values[:, :2], atol=1e-5)


@pytest.mark.parametrize("aligned", [True, False])
def test_what_is_not_aligned_is_told_wherever_it_is(aligned):
    tf.keras.utils.set_random_seed(0)
    head = FeatureHead(2, 8, aligned)
    maps = np.zeros((2, 8, 8, 3), np.float32)
    maps[0, 2:4, 2:4] = maps[1, 4:6, 3:5] = np.random.default_rng(0).normal(size=(2, 2, 3))
    here, there = head(tf.constant(maps)).values
    assert head(tf.constant(maps)).values.shape == (2, 4)
    assert np.allclose(here, there, atol=1e-6) != aligned and float(tf.norm(here)) > 1e-3


@installed
def test_only_the_heads_are_variables():
    discriminator = ProjectedDiscriminator(2, 8)
    discriminator.build_for(32)
    before = len(discriminator.trainable_variables)
    discriminator(images())
    assert before == len(discriminator.variables) == 3 * 6
    again = ProjectedDiscriminator.from_config(discriminator.get_config())
    again.build_for(32)
    again.set_weights(discriminator.get_weights())
    np.testing.assert_array_equal(again(images())[0].values, discriminator(images())[0].values)


def test_the_network_is_missed_only_where_it_is_needed(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    frozen_features._network.cache_clear()
    assert not frozen_features.available()
    discriminator = ProjectedDiscriminator(2, 8)
    discriminator.build_for(32)
    with pytest.raises(UserError, match="pip install efficientnet"):
        discriminator(images())
    frozen_features._network.cache_clear()
