import numpy as np
import tensorflow as tf

from rgunit_tf import pixels


def test_the_ends_and_the_middle():
    np.testing.assert_array_equal(pixels.to_float(tf.constant([0, 255], tf.uint8)).numpy(), [-1.0, 1.0])
    assert pixels.to_uint8(np.array([-3.0, 0.0, 3.0])).numpy().tolist() == [0, 128, 255]


def test_every_grey_level_comes_back():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(pixels.to_uint8(pixels.to_float(levels)).numpy(), levels)


def test_floats_are_in_range_already():
    given = np.array([-1.0, 0.25], np.float64)
    floats = pixels.to_float(given)
    assert floats.dtype == tf.float32
    np.testing.assert_array_equal(floats.numpy(), given)
