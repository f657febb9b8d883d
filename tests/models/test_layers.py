"""Layers against the plain operations they stand for: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.models import layers


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("axes", [(1, 2), (1, 2, 3)])
def test_standardize_equals_moments_and_their_derivative(axes):
    x, weights = 3.0 * random(2, 4, 5, 3) + 1.5, random(2, 4, 5, 3, seed=1)

    def plain(x):
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        return (x - mean) / tf.sqrt(variance + layers.EPSILON)

    def both(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y * weights)
        return y, tape.gradient(loss, x)

    (y, gradient), (plain_y, plain_gradient) = both(lambda x: layers.standardize(x, axes)), both(plain)
    np.testing.assert_allclose(y, plain_y, atol=1e-5)
    np.testing.assert_allclose(gradient, plain_gradient, atol=1e-5)
    assert float(tf.norm(gradient)) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_leaky_relu_and_both_its_derivatives_are_tensorflows(dtype):
    x = tf.cast(tf.constant([[-3.0, -1e-3, 0.0, 1e-3, 2.0]]), dtype)

    def values(function):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(function(x * x * x - x))
            first = inner.gradient(y, x)
        return y, first, outer.gradient(first, x)

    plain = values(lambda x: tf.nn.leaky_relu(x, 0.2))
    for mine in (values(layers.leaky_relu), tf.function(lambda: values(layers.leaky_relu), autograph=False)()):
        for ours, theirs in zip(mine, plain, strict=True):
            np.testing.assert_allclose(tf.cast(ours, tf.float32), tf.cast(theirs, tf.float32), rtol=1e-6)


def test_instance_normalization_is_that_of_tensorflow_addons():
    from tests.references import addons

    x, weights = 3.0 * random(2, 4, 5, 3) + 1.5, random(2, 4, 5, 3, seed=1)
    results = []
    for normalized in (
        lambda x: layers.standardize(x, (1, 2)),
        lambda x: addons.instance_normalized(x, layers.EPSILON),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = normalized(x)
        results.append((y, tape.gradient(y, x, weights)))
    np.testing.assert_allclose(*(y for y, _ in results), atol=1e-5)
    np.testing.assert_allclose(*(gradient for _, gradient in results), atol=1e-5)


def test_standardize_keeps_half_precision_outside_only():
    # In half precision the squares of these numbers overflow; inside float32 they must not.
    x = tf.cast(300.0 + 200.0 * random(1, 8, 8, 2), tf.float16)
    y = layers.standardize(x, (1, 2))
    assert y.dtype == tf.float16
    np.testing.assert_allclose(np.std(y.numpy().astype(np.float32), (1, 2)), 1.0, atol=1e-2)


def test_instance_and_layer_normalization():
    x = 2.0 * random(2, 6, 6, 3) + 1.0
    y = layers.InstanceNormalization()(x).numpy()
    np.testing.assert_allclose(y.mean((1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), 1.0, atol=1e-4)
    layer = layers.LayerNormalization()
    y = layer(x).numpy()
    np.testing.assert_allclose(y.mean((1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2, 3)), 1.0, atol=1e-4)
    layer.scale.assign([1.0, 2.0, 3.0])
    layer.shift.assign([0.0, 0.5, -1.0])
    np.testing.assert_allclose(layer(x), y * [1.0, 2.0, 3.0] + [0.0, 0.5, -1.0], atol=1e-5)


def test_adaptive_instance_normalization_takes_scale_and_shift_an_image():
    x = random(2, 6, 6, 3)
    scale, shift = random(2, 3, seed=1), random(2, 3, seed=2)
    y = layers.AdaptiveInstanceNormalization()(x, scale, shift).numpy()
    np.testing.assert_allclose(y.mean((1, 2)), shift, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), np.abs(1.0 + scale), rtol=1e-3)


def test_residual_blocks_keep_the_shape_and_skip():
    x = random(2, 4, 4, 6)
    block = layers.ResidualBlock(6)
    assert block(x).shape == x.shape
    block.second.kernel.assign(tf.zeros_like(block.second.kernel))
    np.testing.assert_allclose(block(x), x, atol=1e-6)
    adaptive = layers.AdaptiveResidualBlock(6)
    assert adaptive.num_parameters == 24
    assert adaptive(x, random(2, 24)).shape == x.shape
    # The last quarter of the parameters is the shift of the second normalisation.
    parameters = tf.concat([tf.zeros((2, 12)), -tf.ones((2, 6)), tf.fill((2, 6), 5.0)], -1)
    np.testing.assert_allclose(adaptive(x, parameters), x + 5.0, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [layers.ResidualBlock(3), layers.AdaptiveResidualBlock(3)],
    ids=lambda layer: type(layer).__name__,
)
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.filters == 3
