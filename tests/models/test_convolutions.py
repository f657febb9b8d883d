"""Convolutions against the plain operations they stand for: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.models import convolutions


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def check_against(plain, layer, shape):
    """The layer's values and gradients are those of `plain(x, kernel, bias)`, eagerly and in a graph."""
    x = random(*shape)
    layer.build(x.shape)
    layer.kernel.assign(random(*layer.kernel.shape, seed=1))
    layer.bias.assign(random(*layer.bias.shape, seed=2))

    def value_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function()
            loss = tf.reduce_sum(y * random(*y.shape, seed=3))
        return [y, *tape.gradient(loss, [x, layer.kernel, layer.bias])]

    expected = value_and_gradients(lambda: plain(x, layer.kernel, layer.bias))
    with convolutions.as_written():
        for left, right in zip(value_and_gradients(lambda: layer(x)), expected, strict=True):
            np.testing.assert_allclose(left, right, atol=1e-6 * float(tf.reduce_max(tf.abs(right))))
    for found in (value_and_gradients(lambda: layer(x)), tf.function(value_and_gradients)(lambda: layer(x))):
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(left, right, atol=2e-5 * float(tf.reduce_max(tf.abs(right))))


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 3, 5, 2), (1, 1, 1, 1)])
def test_upsample_convolution_is_nearest_upsampling_and_a_5x5_convolution(shape):
    def plain(x, kernel, bias):
        large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        return tf.nn.conv2d(tf.pad(large, [[0, 0], [2, 2], [2, 2], [0, 0]]), kernel, 1, "VALID") + bias

    check_against(plain, convolutions.UpsampleConvolution(4), shape)


@pytest.mark.parametrize(
    ("layer", "stride"), [(convolutions.Convolution(4, 3), 1), (convolutions.HalvingConvolution(4), 2)]
)
def test_other_convolutions_are_padded_with_zeros(layer, stride):
    x = random(2, 5, 6, 3)
    y = layer(x)
    layer.bias.assign(random(4, seed=2))
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, layer.kernel, stride, "SAME") + layer.bias, atol=1e-5)
    assert y.shape == (2, -(-5 // stride), 6 // stride, 4)


def test_config_round_trip():
    layer = convolutions.UpsampleConvolution(3)
    again = convolutions.UpsampleConvolution.from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and again.filters == 3
