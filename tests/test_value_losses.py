"""Real or fake of each attribute's value, and the hinge, against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import losses
from rgunit_tf.models.discriminator import Verdict

LABELS = tf.constant([[1.0, 0.0], [0.0, 0.0]])
TARGETS = tf.constant([[0.0, 1.0], [1.0, 1.0]])


def verdict(values, realness=((((0.0,),),),) * 2):
    return Verdict(tf.constant(realness, tf.float32), tf.zeros((2, 2)), tf.constant(values, tf.float32))


REAL = [verdict([[0.5, 9.0, 9.0, -2.0], [9.0, 9.0, 1.0, 0.0]])]
FAKE = [verdict([[9.0, 3.0, 1.0, 9.0], [0.0, -1.0, 9.0, 9.0]])]


def test_values_are_those_that_the_labels_name():
    np.testing.assert_array_equal(losses.values_of(REAL[0], LABELS), [[0.5, -2.0], [1.0, 0.0]])
    np.testing.assert_array_equal(losses.values_of(FAKE[0], TARGETS), [[1.0, 3.0], [0.0, -1.0]])


def test_discriminator_wants_0_for_real_values_and_1_for_asked_ones():
    real, fake = (0.25 + 4.0 + 1.0 + 0.0) / 2, (0.0 + 4.0 + 1.0 + 4.0) / 2
    assert float(losses.discriminator_values(REAL, FAKE, LABELS, TARGETS)) == pytest.approx(real + fake)
    assert float(losses.discriminator_values(REAL * 2, FAKE * 2, LABELS, TARGETS)) == pytest.approx(real + fake)


def test_generator_wants_0_for_asked_values():
    assert float(losses.generator_values(FAKE, TARGETS)) == pytest.approx((1.0 + 9.0 + 0.0 + 1.0) / 2)


def test_the_hinge_leaves_alone_what_is_right_by_1():
    real, fake = (1.5 + 0.0 + 2.0 + 1.0) / 2, (0.0 + 0.0 + 1.0 + 2.0) / 2
    assert float(losses.discriminator_values(REAL, FAKE, LABELS, TARGETS, hinge=True)) == pytest.approx(real + fake)
    assert float(losses.generator_values(FAKE, TARGETS, hinge=True)) == pytest.approx((1.0 + 3.0 + 0.0 - 1.0) / 2)
    real, fake = (verdict(np.zeros((2, 4)), np.reshape(maps, (2, 1, 1, 1))) for maps in ((-3.0, 0.5), (2.0, 0.25)))
    assert float(losses.discriminator_adversarial([real], [fake], hinge=True)) == pytest.approx(1.5 / 2 + 0.75 / 2)
    assert float(losses.generator_adversarial([fake], hinge=True)) == pytest.approx(2.25 / 2)


def test_the_penalty_covers_what_is_said_of_values():
    features = [tf.constant([[[[1.0, 2.0]]]]), tf.constant([[[[3.0]]]])]
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = tf.reshape(
            tf.stack(
                [features[0][..., 0], features[0][..., 1] * 2, features[1][..., 0], 0.0 * features[1][..., 0]], -1
            ),
            (1, 4),
        )
        said = losses.projected_verdict(
            [Verdict(tf.zeros((1, 1, 1, 1)), tf.zeros((1, 2)), values)], tf.ones((1, 7)), 5.0, 4.0
        )
    gradients = tape.gradient(said, features)
    assert float(losses.gradient_penalty(*gradients)) == pytest.approx(4.0 * (1 + 4 + 1))
