"""The penalty on the gradient of what D says of real images."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.stages.noise import StepNoise

PENALTIES = {"gradient_penalty": 2.0, "domain_gradient_penalty": 0.5}


def noise():
    return StepNoise(0, tf.constant(0, tf.int64), tf.constant(4))


def test_penalty_is_of_the_gradient_at_what_the_discriminator_sees_of_real_images(make_translation, make_batch):
    model, batch = make_translation(loss={**PENALTIES, "noise": 0.5}), make_batch()
    terms = model.batch_terms(batch, noise())
    source = noise()
    for _ in range(2):
        source.normal(10)  # the styles
    seen = batch["image"] + 0.5 * source.uniform(1, 1, 1) * source.normal(16, 16, 3)
    source.uniform(1, 1, 1), source.normal(16, 16, 3)  # what is seen of the translated images
    signs = np.where(source.uniform(6) < 0.5, -1.0, 1.0)
    with tf.GradientTape() as tape:
        tape.watch(seen)
        said = 0.0
        for verdict in model.discriminator(seen):
            said += 2.0**0.5 / 2 * tf.reduce_sum(signs[:, 0] * tf.reduce_mean(verdict.realness, (1, 2, 3)))
            said += 0.5**0.5 / 2 * tf.reduce_sum(signs[:, 1:] * verdict.domain)
    expected = tf.reduce_sum(tape.gradient(said, seen) ** 2) / 4
    assert float(terms["gradient_penalty"]) == pytest.approx(float(expected), rel=1e-3)


def test_without_a_penalty_there_is_none(translation, make_batch):
    terms = translation.batch_terms(make_batch(), noise())
    assert float(terms["gradient_penalty"]) == 0.0


def test_penalties_make_the_discriminator_smooth(make_translation, make_batch):
    outputs = {"gradient_penalty": "realness", "domain_gradient_penalty": "domain"}

    def steepness(**loss):
        """Of each output, after 60 steps of D."""
        model, batch = make_translation(loss=loss), make_batch()
        model.generator_optimizer = tf.keras.optimizers.SGD(0.0)
        step = tf.function(model.train_step)
        for _ in range(60):
            step(batch)
        found = {}
        for name in outputs.values():
            with tf.GradientTape() as tape:
                tape.watch(batch["image"])
                said = tf.add_n([tf.reduce_sum(getattr(v, name)[..., 0]) for v in model.discriminator(batch["image"])])
            found[name] = float(tf.norm(tape.gradient(said, batch["image"])))
        return found

    without = steepness()
    for penalty, output in outputs.items():
        assert steepness(**{penalty: 20.0})[output] < 0.5 * without[output], penalty
