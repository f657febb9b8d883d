"""Fusion f of the input's content with that of the retrieved images (paper Eq. 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution


class Fusion(tf.keras.Model):
    """`c_total = f(Ec(x) + f(Ec(r_1) + ... + Ec(r_n)))`, + being concatenation of channels.

    The inner convolution (3x3, since neighbours are not aligned to the pixel) mixes the neighbours; the outer one
    (1x1) mixes the result with the input's content. The outer kernel starts as the identity on the input's content
    and zero on the neighbours', so that a fresh guided model is exactly the translation model.

    Args:
      channels: C of the content.
    """

    def __init__(self, channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels
        self.neighbors = Convolution(channels, 3)
        identity = np.concatenate([np.eye(channels), np.zeros((channels, channels))])[None, None]
        self.outer = Convolution(channels, 1, kernel_initializer=tf.keras.initializers.Constant(identity))

    def call(self, content: tf.Tensor, neighbors: tf.Tensor) -> tf.Tensor:
        """Content float [B, h, w, C], neighbours' content [B, r, h, w, C] (the nearest first) -> [B, h, w, C]."""
        count = neighbors.shape[1]
        height, width = content.shape[1], content.shape[2]
        stacked = tf.transpose(neighbors, (0, 2, 3, 1, 4))
        stacked = tf.reshape(stacked, (-1, height, width, count * self.channels))
        return self.outer(tf.concat([content, self.neighbors(stacked)], -1))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"channels": self.channels}
