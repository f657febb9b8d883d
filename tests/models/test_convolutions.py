"""Convolutions that are computed in another way, against the plain operations they stand for: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.models import convolutions


@pytest.fixture(autouse=True)
def rewritten():
    """On GPUs, and where oneDNN is on as on processors with AVX-512, most are left to TensorFlow's kernels."""
    with convolutions.rewritten():
        yield


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
            np.testing.assert_array_equal(left, right)
    for found in (value_and_gradients(lambda: layer(x)), tf.function(value_and_gradients)(lambda: layer(x))):
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(left, right, atol=2e-5 * float(tf.reduce_max(tf.abs(right))))


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 3, 5, 2), (1, 1, 1, 1)])
def test_upsample_convolution_is_nearest_upsampling_and_a_5x5_convolution(shape):
    def plain(x, kernel, bias):
        large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        return tf.nn.conv2d(tf.pad(large, [[0, 0], [2, 2], [2, 2], [0, 0]]), kernel, 1, "VALID") + bias

    check_against(plain, convolutions.UpsampleConvolution(4), shape)


# Few channels, few filters, neither, both; and fewer positions than are worth it.
@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize(
    ("shape", "filters"),
    [((2, 16, 8, 3), 6), ((1, 16, 16, 6), 4), ((1, 16, 18, 5), 5), ((4, 8, 8, 2), 2), ((1, 3, 3, 6), 4)],
)
def test_a_convolution_is_tensorflows(shape, filters, size):
    layer = convolutions.Convolution(filters, size)
    check_against(lambda x, kernel, bias: tf.nn.conv2d(x, kernel, 1, "SAME") + bias, layer, shape)


def test_a_convolution_of_one_pixel_is_tensorflows():
    layer = convolutions.Convolution(4, 1)
    check_against(lambda x, kernel, bias: tf.nn.conv2d(x, kernel, 1, "SAME") + bias, layer, (1, 16, 16, 2))


@pytest.mark.parametrize(
    "shape", [(2, 4, 4, 5), (3, 2, 2, 1), (1, 6, 2, 3), (2, 5, 3, 2), (2, 8, 8, 3), (1, 32, 32, 3), (4, 16, 24, 5)]
)
def test_halving_convolution_is_a_convolution_of_stride_2(shape):
    layer = convolutions.HalvingConvolution(4)
    check_against(lambda x, kernel, bias: tf.nn.conv2d(x, kernel, 2, "SAME") + bias, layer, shape)


@pytest.mark.parametrize("layer", [convolutions.Convolution(6, 3), convolutions.HalvingConvolution(6)])
def test_gradients_are_written_out_where_positions_are_many(layer):
    """Or the other tests would compare TensorFlow with itself."""
    kinds = {}
    for side in (4, 32):
        x = tf.zeros((1, side + 4, side + 4, 5))
        layer.build(x.shape)

        @tf.function
        def gradient(x):
            return tf.gradients(layer(x), x)[0]

        kinds[side] = {operation.type for operation in gradient.get_concrete_function(x).graph.get_operations()}
    assert "Conv2DBackpropInput" in kinds[4] and "Conv2DBackpropInput" not in kinds[32]


def test_config_round_trip():
    layer = convolutions.UpsampleConvolution(3)
    again = convolutions.UpsampleConvolution.from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and again.filters == 3
