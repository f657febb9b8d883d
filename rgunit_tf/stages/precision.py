"""Mixed precision (Micikevicius et al. 2018): networks compute in 16 bits, all else in float32.

Weights, optimisers, averages, losses, the statistics of normalisations and the heads of the networks stay in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Networks that are made within the block compute as Keras' policy `name` says, for as long as they live."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


class LossScale(tf.Module):
    """What losses are multiplied by, so that small gradients do not vanish in float16, whose smallest number is 6e-8.

    It halves where a gradient overflows, in which case the step is skipped, and doubles after `GROWTH` steps without.
    """

    INITIAL = 2.0**15
    GROWTH = 2000

    def __init__(self) -> None:
        super().__init__(name="loss_scale")
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.value = tf.Variable(self.INITIAL, trainable=False, name="value", aggregation=once)
        self.good_steps = tf.Variable(0, trainable=False, name="good_steps", aggregation=once)

    def update(self, finite: tf.Tensor) -> tf.Tensor:
        """Adapts the scale to a step whose scaled gradients were `finite`, bool scalar.

        Returns:
          Bool scalar: whether something is not finite for another reason than the scale.
        """
        hopeless = ~finite & (self.value <= 1.0)
        grows = finite & (self.good_steps + 1 >= self.GROWTH)
        factor = tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        good_steps = tf.where(finite & ~grows, self.good_steps + 1, 0)
        self.value.assign(tf.maximum(1.0, self.value * factor))
        self.good_steps.assign(good_steps)
        return hopeless
