"""Each loss against numbers worked out by hand, or against an independent implementation."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import losses
from rgunit_tf.models.discriminator import Verdict


def verdict(realness, domain=((0.0,),)):
    return Verdict(tf.constant(realness, tf.float32), tf.constant(domain, tf.float32))


@pytest.mark.parametrize(
    "loss",
    [
        losses.l1,
        losses.content_reconstruction,
        losses.style_reconstruction,
        losses.image_reconstruction,
        losses.cycle_consistency,
    ],
)
def test_reconstructions_are_mean_absolute_differences(loss):
    left, right = tf.constant([[1.0, -2.0], [0.0, 4.0]]), tf.constant([[0.0, 2.0], [0.0, 3.0]])
    assert float(loss(left, right)) == pytest.approx((1 + 4 + 0 + 1) / 4)


def test_reconstruction_is_computed_in_float32():
    assert losses.l1(tf.constant([1.0], tf.float16), tf.constant([0.0], tf.float16)).dtype == tf.float32


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError):
        losses.l1(tf.zeros((2, 1)), tf.zeros((2, 3)))


def test_kl_is_the_mean_over_the_batch():
    assert float(losses.kl_divergence(tf.constant([1.0, 2.0, 6.0]))) == 3.0


def test_discriminator_wants_real_0_and_fake_1():
    real = [verdict([[0.5, -1.0]]), verdict([[2.0]])]
    fake = [verdict([[1.0, 3.0]]), verdict([[0.0]])]
    first = (0.25 + 1.0) / 2 + (0.0 + 4.0) / 2
    second = 4.0 + 1.0
    assert float(losses.discriminator_adversarial(real, fake)) == pytest.approx((first + second) / 2)


def test_generator_wants_fake_0():
    fake = [verdict([[1.0, 3.0]]), verdict([[0.5]])]
    assert float(losses.generator_adversarial(fake)) == pytest.approx((5.0 + 0.25) / 2)


def test_adversarial_losses_agree_with_tfgan():
    # TF-GAN halves the squares and has real 1, fake 0 as its defaults: the paper's targets are handed to it.
    from tests.references import tfgan

    random = np.random.default_rng(0)
    real, fake = (tf.constant(random.normal(size=(4, 3, 3, 1)), tf.float32) for _ in range(2))
    discriminator, generator = tfgan.least_squares_losses(real, fake, 0.0, 1.0)
    on_real, on_fake = [verdict(real)], [verdict(fake)]
    assert float(losses.discriminator_adversarial(on_real, on_fake)) == pytest.approx(2 * discriminator, 1e-5)
    assert float(losses.generator_adversarial(on_fake)) == pytest.approx(2 * generator, 1e-5)


def test_domain_loss_of_attributes_is_a_sum_of_sigmoid_cross_entropies():
    logits = [[0.0, math.log(3.0)], [math.log(4.0), 0.0]]
    labels = tf.constant([[1.0, 0.0], [1.0, 1.0]])
    # sigmoid: [1/2, 3/4], [4/5, 1/2]
    expected = (-math.log(1 / 2) - math.log(1 / 4) - math.log(4 / 5) - math.log(1 / 2)) / 2
    zero = (-math.log(1 / 2)) * 2
    verdicts = [verdict([[0.0]], logits), verdict([[0.0]], np.zeros((2, 2)))]
    assert float(losses.domain(verdicts, labels, categorical=False)) == pytest.approx((expected + zero) / 2)


def test_domain_loss_of_categories_is_a_softmax_cross_entropy():
    logits = [[0.0, math.log(3.0)], [math.log(4.0), 0.0]]
    labels = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    # softmax: [1/4, 3/4], [4/5, 1/5]
    expected = (-math.log(1 / 4) - math.log(4 / 5)) / 2
    assert float(losses.domain([verdict([[0.0]], logits)], labels, categorical=True)) == pytest.approx(expected)


def test_verdicts_are_projected_with_the_roots_of_their_weights():
    verdicts = [
        Verdict(tf.constant([[[[1.0], [3.0]]]]), tf.constant([[1.0, 5.0]])),
        Verdict(tf.constant([[[[4.0]]]]), tf.constant([[3.0, 1.0]])),
    ]
    signs = tf.constant([[1.0, -1.0, 1.0]])
    # Means over scales: realness (2 + 4) / 2, logits 2 and 3.
    said = losses.projected_verdict(verdicts, signs, 4.0, 9.0)
    np.testing.assert_allclose(said, [2 * 3.0 - 3 * 2.0 + 3 * 3.0], rtol=1e-6)


def test_gradient_penalty_is_a_mean_of_squared_lengths():
    gradients = tf.constant([[[[3.0, 4.0, 0.0]]], [[[1.0, 0.0, 0.0]]]])
    assert float(losses.gradient_penalty(gradients)) == pytest.approx((25.0 + 1.0) / 2)


def test_over_all_signs_the_penalty_is_the_sum_of_each_outputs():
    images = tf.constant(np.random.default_rng(0).normal(size=(3, 4, 4, 3)), tf.float32)
    to_map, to_logits = (
        tf.constant(np.random.default_rng(i).normal(size=(48, n)), tf.float32) for i, n in ((1, 2), (2, 2))
    )

    def outputs():
        hidden = tf.tanh(tf.reshape(images, (-1, 48)))
        return [Verdict(tf.reshape(hidden @ to_map, (-1, 1, 2, 1)), (hidden @ to_logits) ** 2)]

    def squared(function):
        with tf.GradientTape() as tape:
            tape.watch(images)
            said = function(outputs())
        return float(losses.gradient_penalty(tape.gradient(said, images)))

    over_signs = [
        squared(
            lambda verdicts, s=signs: losses.projected_verdict(verdicts, tf.constant([s] * 3, tf.float32), 4.0, 9.0)
        )
        for signs in itertools.product((-1, 1), repeat=3)
    ]
    expected = 4.0 * squared(lambda verdicts: tf.reduce_mean(verdicts[0].realness, (1, 2, 3)))
    expected += sum(9.0 * squared(lambda verdicts, k=k: verdicts[0].domain[:, k]) for k in range(2))
    assert np.mean(over_signs) == pytest.approx(expected, rel=1e-5)
    assert np.std(over_signs) > 0.01 * expected


def test_triplet_hinges_at_the_margin():
    anchor = tf.constant([[0.0, 0.0]] * 3)
    positive = tf.constant([[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    negative = tf.constant([[0.0, 2.0], [6.0, 8.0], [0.0, 0.1]])
    expected = [0.2 + 5 - 2, 0.0, 0.2 + 0 - 0.1]
    np.testing.assert_allclose(losses.triplet(anchor, positive, negative, 0.2), expected, atol=1e-5)


def test_distance_is_that_of_tensorflow_addons():
    from tests.references import addons

    vectors = tf.constant(np.random.default_rng(0).normal(size=(6, 4)), tf.float32)
    left, right = np.triu_indices(6, 1)
    distances = losses.euclidean(tf.gather(vectors, left), tf.gather(vectors, right))
    expected = addons.squared_distances(vectors).numpy()[left, right]
    np.testing.assert_allclose(np.square(distances), expected, rtol=1e-4)


def test_gradient_of_the_distance_is_finite_where_it_is_zero():
    point = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        distance = losses.euclidean(point, tf.constant([[1.0, 2.0]]))
    assert np.isfinite(tape.gradient(distance, point)).all()
