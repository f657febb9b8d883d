"""tensorflow-addons' layers and optimisers, to compare with; who asks for one where it is not installed is skipped.

Nothing else knows of it. It imports on TensorFlow 2.15 alone.
"""

from __future__ import annotations

import warnings

import pytest
import tensorflow as tf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that its end has come
    addons = pytest.importorskip("tensorflow_addons", reason="tensorflow-addons is of the lane of TensorFlow 2.15")


def instance_normalized(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    return addons.layers.InstanceNormalization(epsilon=epsilon, center=False, scale=False)(x)


def adamw(learning_rate: float, weight_decay: float, beta_1: float, beta_2: float) -> tf.keras.optimizers.Optimizer:
    """Its weight decay is not times the learning rate."""
    return addons.optimizers.AdamW(
        learning_rate=learning_rate, weight_decay=learning_rate * weight_decay, beta_1=beta_1, beta_2=beta_2
    )


def squared_distances(vectors: tf.Tensor) -> tf.Tensor:
    return addons.losses.metric_learning.pairwise_distance(vectors, squared=True)
