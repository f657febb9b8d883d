"""Networks: shapes, sizes at the paper's scale, configs that build the same network again."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.models.decoder import Decoder
from rgunit_tf.models.discriminator import Discriminator, ScaleDiscriminator
from rgunit_tf.models.encoders import ContentEncoder, StyleEncoder
from rgunit_tf.models.fusion import Fusion
from rgunit_tf.models.retrieval_network import RetrievalNetwork


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def test_content_is_a_quarter_of_the_image_with_4_times_the_width():
    assert ContentEncoder(4, 1)(random(2, 24, 24, 3)).shape == (2, 6, 6, 16)


@pytest.mark.parametrize(("normalization", "keeps"), [("instance", False), ("layer", True)])
def test_normalisation_decides_whether_content_has_colours(normalization, keeps):
    tf.keras.utils.set_random_seed(0)
    encoder = ContentEncoder(4, 1, normalization)
    red, blue = (0.1 * random(1, 24, 24, 3) + colour for colour in ([1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]))
    # Of each channel, over all places; later layers only see what is left by the first.
    red, blue = (tf.reduce_mean(encoder.body[1](encoder.body[0](x)), (1, 2)).numpy() for x in (red, blue))
    assert (np.abs(red - blue).max() > 0.5) == keeps
    assert np.allclose(red, 0.0, atol=1e-4) != keeps
    assert ContentEncoder.from_config(encoder.get_config()).normalization == normalization


def test_style_is_a_mean_and_a_bounded_log_variance():
    encoder = StyleEncoder(10, 4)
    mean, log_variance = encoder(random(3, 16, 16, 3))
    assert mean.shape == log_variance.shape == (3, 10)
    encoder.log_variance.bias.assign(tf.fill((10,), 100.0))
    assert float(tf.reduce_max(encoder(random(3, 16, 16, 3))[1])) == StyleEncoder.log_variance_range[1]


def test_style_sees_the_colours_of_the_image():
    # An instance-normalised encoder would not: it maps an image and its darkened copy to the same style.
    encoder, images = StyleEncoder(4, 4), random(1, 16, 16, 3)
    left, right = encoder(images)[0], encoder(0.5 * images)[0]
    assert float(tf.norm(left - right)) > 0.05 * float(tf.norm(left))


def test_decoder_gives_image_and_mask_in_their_ranges():
    decoder = Decoder(4, 1, 8)
    image, mask = decoder(10.0 * random(2, 4, 4, 16), 10.0 * random(2, 6))
    assert image.shape == (2, 16, 16, 3) and mask.shape == (2, 16, 16, 1)
    assert float(tf.reduce_max(tf.abs(image))) <= 1.0
    assert float(tf.reduce_min(mask)) >= 0.0 and float(tf.reduce_max(mask)) <= 1.0


def test_mask_starts_near_1():
    _, mask = Decoder(4, 1, 8)(tf.zeros((1, 4, 4, 16)), tf.zeros((1, 6)))
    np.testing.assert_allclose(mask, 1.0 / (1.0 + np.exp(-2.0)), atol=1e-5)


def test_decoder_depends_on_the_style_and_the_content_of_its_own_image():
    decoder = Decoder(4, 1, 8)
    content, style = random(2, 4, 4, 16), random(2, 6)
    image, _ = decoder(content, style)
    other, _ = decoder(content, style + tf.constant([[0.0], [1.0]]))
    np.testing.assert_allclose(other[0], image[0], atol=1e-5)
    assert float(tf.reduce_max(tf.abs(other[1] - image[1]))) > 1e-3


@pytest.mark.parametrize("side", [16, 20])
def test_discriminator_judges_at_each_scale(side):
    verdicts = Discriminator(5, 4, layers=2, scales=2)(random(3, side, side, 3))
    assert [verdict.realness.shape for verdict in verdicts] == [
        (3, side // 4, side // 4, 1),
        (3, *[-(-side // 8)] * 2, 1),
    ]
    assert all(verdict.domain.shape == (3, 5) for verdict in verdicts)


def test_discriminator_width_stops_at_8_times_the_first():
    network = ScaleDiscriminator(2, 4, layers=6)
    assert [layer.filters for layer in network.body] == [4, 8, 16, 32, 32, 32]


@pytest.mark.parametrize(("side", "final"), [(32, 4), (16, 4), (8, 4), (4, 4), (6, 3), (12, 3), (10, 5)])
def test_retrieval_network_adapts_to_the_content_size(side, final):
    network = RetrievalNetwork(7, hidden=8, content_channels=3)
    assert network((random(2, side, side, 4), random(2, 6))).shape == (2, 7)
    assert network.hidden[0].kernel.shape[0] == final * final * 3 + 6


def test_dropout_drops_where_the_noise_is_below_its_rate():
    network = RetrievalNetwork(7, hidden=8, content_channels=3, dropout=0.25)
    inputs = random(2, 4, 4, 4), random(2, 6)
    plain = network(inputs)
    kept = [tf.ones((2, 8))] * 2
    dropped = [tf.ones((2, 8)), tf.zeros((2, 8))]
    assert float(tf.norm(network(inputs, kept) - plain)) > 1e-4  # what is kept is scaled by 1 / 0.75
    np.testing.assert_allclose(network(inputs, dropped), np.tile(network.embedding.bias, (2, 1)), atol=1e-6)


def test_fusion_starts_as_the_identity_on_the_content():
    fusion = Fusion(6)
    content, neighbors = random(2, 4, 4, 6), random(2, 3, 4, 4, 6, seed=1)
    np.testing.assert_array_equal(fusion(content, neighbors), content)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_fusion_can_start_as_a_mixture_with_the_mean_of_the_neighbours(share):
    fusion = Fusion(6, initial_share=share)
    content, neighbors = random(2, 4, 4, 6), random(2, 3, 4, 4, 6, seed=1)
    expected = (1 - share) * content + share * tf.reduce_mean(neighbors, 1)
    np.testing.assert_allclose(fusion(content, neighbors), expected, atol=1e-6)
    assert Fusion.from_config(fusion.get_config()).initial_share == share


def test_fusion_convolves_the_neighbours_together_nearest_first():
    fusion = Fusion(2)
    content, neighbors = random(1, 4, 4, 2), random(1, 3, 4, 4, 2, seed=1)
    fusion(content, neighbors)
    fusion.neighbors.kernel.assign(random(3, 3, 6, 2, seed=3))
    fusion.outer.kernel.assign(random(1, 1, 4, 2, seed=2))
    stacked = tf.concat([neighbors[:, rank] for rank in range(3)], -1)
    mixed = tf.nn.conv2d(stacked, fusion.neighbors.kernel, 1, "SAME")
    expected = tf.nn.conv2d(tf.concat([content, mixed], -1), fusion.outer.kernel, 1, "SAME")
    np.testing.assert_allclose(fusion(content, neighbors), expected, atol=1e-5)


NETWORKS = [
    (ContentEncoder(4, 1), (random(1, 16, 16, 3),)),
    (StyleEncoder(6, 4), (random(1, 16, 16, 3),)),
    (Decoder(4, 1, 8), (random(1, 4, 4, 16), random(1, 6))),
    (ScaleDiscriminator(3, 4, 2), (random(1, 16, 16, 3),)),
    (Discriminator(3, 4, 2, 2), (random(1, 16, 16, 3),)),
    (RetrievalNetwork(7, 8, 3, 0.2), ((random(1, 8, 8, 4), random(1, 6)),)),
    (Fusion(4), (random(1, 4, 4, 4), random(1, 2, 4, 4, 4))),
]


@pytest.mark.parametrize(("network", "inputs"), NETWORKS, ids=[type(network).__name__ for network, _ in NETWORKS])
def test_config_and_weights_make_the_same_network_again(network, inputs):
    outputs = tf.nest.flatten(network(*inputs))
    again = type(network).from_config(network.get_config())
    assert again.get_config() == network.get_config()
    again(*inputs)
    again.set_weights(network.get_weights())
    for left, right in zip(tf.nest.flatten(again(*inputs)), outputs, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_papers_scale(schema):
    from rgunit_tf.stages.translation import TranslationModel

    model = TranslationModel(schema, image_size=128)
    generator = sum(int(tf.size(variable)) for variable in model.trained_variables)
    discriminator = sum(int(tf.size(variable)) for variable in model.discriminator.trainable_variables)
    assert generator == pytest.approx(15.1e6, rel=0.03)
    assert discriminator == pytest.approx(14.0e6, rel=0.03)
    assert model.content_encoder.compute_output_shape((None, 128, 128, 3)) == (None, 32, 32, 256)
    assert model.prior.style_dim == 40

    network = RetrievalNetwork()
    network((tf.zeros((1, 32, 32, 256)), tf.zeros((1, 40))))
    assert network.embedding.units == 300
    assert network.hidden[0].kernel.shape == (4 * 4 * 32 + 40, 512)
