"""The Gaussian mixture over styles, one component a domain (paper Eq. 1; GMM-UNIT, Liu et al. 2020)."""

from __future__ import annotations

import math

import tensorflow as tf


class StylePrior:
    """Each attribute has a block of `dim` style dimensions; its mean is +1 where the attribute holds, -1 where not.

    The component of the domain with label vector y is N(mean(y), 0.25 I).

    Args:
      num_attributes: K.
      dim: style dimensions an attribute.
    """

    variance = 0.25

    def __init__(self, num_attributes: int, dim: int = 8):
        self.num_attributes, self.dim = num_attributes, dim

    @property
    def style_dim(self) -> int:
        """S, the style dimensions over all attributes."""
        return self.num_attributes * self.dim

    def mean(self, labels: tf.Tensor) -> tf.Tensor:
        """Component means: labels float [B, K] of 0 and 1 -> float32 [B, S] of -1 and 1."""
        return tf.repeat(2.0 * tf.cast(labels, tf.float32) - 1.0, self.dim, axis=-1)

    def sample(self, labels: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Draws a style of each domain: labels [B, K], standard normal noise [B, S] -> styles float32 [B, S]."""
        return self.mean(labels) + math.sqrt(self.variance) * noise

    def kl(self, mean: tf.Tensor, log_variance: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """KL(N(mean, exp(log_variance)) || component of the labels), closed form -> float32 [B], nats."""
        squares = (tf.square(mean - self.mean(labels)) + tf.exp(log_variance)) / self.variance
        return 0.5 * tf.reduce_sum(squares - 1.0 + math.log(self.variance) - log_variance, -1)
