"""What D sees: drawn as said, moved by whole pixels, and with a gradient back to every pixel that is still there."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.stages.augmentation import augment, translate
from rgunit_tf.stages.noise import StepNoise

IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)


def noise(step=0):
    return StepNoise(0, tf.constant(step, tf.int64), tf.constant(4))


def test_without_strength_nothing_is_drawn_and_nothing_changes():
    assert augment(IMAGES, None, 0.0) is IMAGES


def test_brightness_saturation_and_contrast_are_those_that_were_drawn():
    strength = 0.05  # moves by round(0.05) pixels
    b, s, c = np.moveaxis(strength * (2 * noise().uniform(3, 1, 1, 1).numpy() - 1), 1, 0)
    expected = IMAGES + 0.5 * b
    grey = expected.mean(-1, keepdims=True)
    expected = grey + (1 + s) * (expected - grey)
    mean = expected.mean((1, 2, 3), keepdims=True)
    expected = mean + (1 + 0.5 * c) * (expected - mean)
    np.testing.assert_allclose(augment(IMAGES, noise(), strength), expected, atol=1e-5)


def test_grey_stays_grey():
    grey = np.repeat(IMAGES[..., :1], 3, -1)
    seen = augment(grey, noise(), 1.0).numpy()
    assert np.ptp(seen, -1).max() < 1e-6 and np.abs(seen - grey).max() > 0.1


def test_a_move_is_by_whole_pixels_and_mirrors_the_edge():
    shares = tf.constant([[0.0, 0.5], [0.5, 0.99], [0.5, 0.5], [0.99, 0.0]])
    moved = translate(IMAGES, shares, 2).numpy()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    for index, (down, right) in enumerate(((0, 2), (2, 4), (2, 2), (4, 0))):
        np.testing.assert_array_equal(moved[index], padded[index, down : down + 16, right : right + 16])
    np.testing.assert_array_equal(moved[2], IMAGES[2])


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_gradient_reaches_the_image(strength):
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        said = tf.reduce_sum(augment(images, noise(), strength) * IMAGES)
    gradient = tape.gradient(said, images).numpy()
    assert np.isfinite(gradient).all() and (np.abs(gradient) > 1e-4).mean() > 0.8


def test_the_draw_depends_on_the_step_alone():
    first, again, other = (augment(IMAGES, noise(step), 1.0).numpy() for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
