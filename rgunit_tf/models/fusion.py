"""Fusion f of the input's content with that of the retrieved images (paper Eq. 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution


class Fusion(tf.keras.Model):
    """`c_total = f(Ec(x) + f(Ec(r_1) + ... + Ec(r_n)))`, + being concatenation of channels.

    The inner convolution (3x3, since neighbours are not aligned to the pixel) mixes the neighbours; the outer one
    (1x1) mixes the result with the input's content. They start as the mean of the neighbours, and as
    `(1 - initial_share) Ec(x) + initial_share * mean`: at 0 a fresh guided model is exactly the translation model.

    Args:
      channels: C of the content.
      initial_share: the neighbours' share in the fused content before training, from 0 to 1.
    """

    def __init__(self, channels: int, initial_share: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels, self.initial_share = channels, initial_share
        same = np.eye(channels, dtype=np.float32)
        mixture = np.concatenate([(1.0 - initial_share) * same, initial_share * same])[None, None]
        self.neighbors = Convolution(channels, 3, kernel_initializer=_mean_of_neighbors)
        self.outer = Convolution(channels, 1, kernel_initializer=tf.keras.initializers.Constant(mixture))

    def call(self, content: tf.Tensor, neighbors: tf.Tensor, styles: tf.Tensor | None = None) -> tf.Tensor:
        """Content float [B, h, w, C], neighbours' content [B, r, h, w, C] (the nearest first) -> [B, h, w, C].

        `styles` [B, S], those that are asked for, are what other fusions look at.
        """
        del styles
        count = neighbors.shape[1]
        height, width = content.shape[1], content.shape[2]
        stacked = tf.transpose(neighbors, (0, 2, 3, 1, 4))
        stacked = tf.reshape(stacked, (-1, height, width, count * self.channels))
        return self.outer(tf.concat([content, self.neighbors(stacked)], -1))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"channels": self.channels, "initial_share": self.initial_share}


def _mean_of_neighbors(shape: Sequence[int], dtype: tf.DType | None = None) -> tf.Tensor:
    """The kernel [3, 3, r C, C] of a convolution that gives the mean of r contents of C channels."""
    height, width, stacked, channels = shape
    kernel = np.zeros(shape, np.float32)
    count = stacked // channels
    kernel[height // 2, width // 2] = np.tile(np.eye(channels), (count, 1)) / count
    return tf.cast(kernel, dtype or tf.float32)
