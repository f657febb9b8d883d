"""tensorflow-gan's distances and losses, to compare with; who asks for one where it is not installed is skipped.

Nothing else knows of it. It imports on TensorFlow 2.15 alone.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

tfgan = pytest.importorskip("tensorflow_gan", reason="tensorflow-gan is of the lane of TensorFlow 2.15")


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(tfgan.eval.frechet_classifier_distance_from_activations(*_pair(first, second)))


def kernel_distance(first: np.ndarray, second: np.ndarray, block_size: int = 1000) -> tuple[float, float]:
    distance, error = tfgan.eval.kernel_classifier_distance_and_std_from_activations(
        *_pair(first, second), max_block_size=block_size
    )
    return float(distance), float(error)


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(first, tf.float64), tf.constant(second, tf.float64)


def least_squares_losses(real: tf.Tensor, fake: tf.Tensor, on_real: float, on_fake: float) -> tuple[float, float]:
    """Of the discriminator, which wants `on_real` and `on_fake`, and of the generator, which wants `on_real`."""
    discriminator = tfgan.losses.wargs.least_squares_discriminator_loss(
        real, fake, real_label=on_real, fake_label=on_fake, add_summaries=False
    )
    generator = tfgan.losses.wargs.least_squares_generator_loss(fake, real_label=on_real, add_summaries=False)
    return float(discriminator), float(generator)
