"""Counted multiplications against counts by hand."""

import numpy as np
import tensorflow as tf

from rgunit_tf.benchmarks import multiplications
from rgunit_tf.models.convolutions import UpsampleConvolution, as_written


def traced(function, *shapes):
    return tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes))


def test_a_convolution_forward_and_backward():
    kernel = tf.Variable(tf.zeros((3, 3, 4, 8)))

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.nn.conv2d(x, kernel, 2, "SAME"))
        return y, tape.gradient(y, [x, kernel])

    counts, unknown = multiplications.count(traced(step, (2, 16, 16, 4)))
    assert unknown == 0
    # Forward, by the input and by the kernel: each touches every (output pixel, tap, channel, filter) once.
    assert sorted(counts.values()) == [2 * 8 * 8 * 3 * 3 * 4 * 8] * 3


def test_gradients_that_nobody_uses_are_not_counted():
    kernel = tf.Variable(tf.zeros((3, 3, 4, 8)))

    def step(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.nn.conv2d(tf.nn.relu(x + tf.reduce_sum(kernel)), kernel, 2, "SAME"))
        return tape.gradient(y, kernel)

    used = 2 * 8 * 8 * 3 * 3 * 4 * 8
    # By the input, which depends on the kernel as well, and by the kernel; not the value of y.
    assert sorted(multiplications.count(traced(step, (2, 16, 16, 4)))[0].values()) == [used] * 2

    def frozen(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(tf.nn.conv2d(x, kernel, 2, "SAME")))
        return tape.gradient(y, x)

    assert sorted(multiplications.count(traced(frozen, (2, 16, 16, 4)))[0].values()) == [used] * 2


def test_matrix_products_and_nested_calls():
    weights = tf.Variable(tf.zeros((5, 7)))
    inner = tf.function(lambda x: tf.matmul(x, weights))
    counts, unknown = multiplications.count(traced(lambda x: inner(x) + inner(2.0 * x), (3, 5)))
    assert unknown == 0
    assert sorted(counts.values()) == [3 * 5 * 7] * 2
    transposed = traced(lambda x: tf.matmul(weights, x, transpose_a=True, transpose_b=True), (3, 5))
    assert sum(multiplications.count(transposed)[0].values()) == 3 * 5 * 7


def convolutions_of(counts):
    return sum(value for name, value in counts.items() if "Conv2D" in name)


def test_an_upsampling_convolution_as_written_and_as_computed():
    layer = UpsampleConvolution(6)
    computed, _ = multiplications.count(traced(lambda x: layer(x), (1, 8, 8, 4)))
    assert convolutions_of(computed) == 8 * 8 * 9 * 4 * 24
    with as_written():
        written, _ = multiplications.count(traced(lambda x: layer(x), (1, 8, 8, 4)))
    assert convolutions_of(written) == 16 * 16 * 25 * 4 * 6
    np.testing.assert_allclose(multiplications.gflop(written), 2e-9 * 16 * 16 * 25 * 4 * 6)


def test_a_shape_that_is_not_known_is_said():
    counts, unknown = multiplications.count(traced(lambda x: tf.matmul(x, x, transpose_b=True), (None, 5)))
    assert counts == {}
    assert unknown == 1
