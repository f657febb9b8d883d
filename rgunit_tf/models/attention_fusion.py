"""Fusion by attention: for neighbours that are not aligned with the input, which Eq. 9 adds up place by place."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution


class AttentionFusion(tf.keras.Model):
    """Each position of the input's content attends to all positions of all neighbours (Vaswani et al. 2017).

    Queries are made of the content and the target style, keys and values of the neighbours' contents; queries and keys
    know where they are. What is found is added through a projection that starts at zero: a fresh guided model is the
    translation model, to the bit. Neighbours of zeros add nothing.

    Scores take B x heads x (h w)^2 r numbers: 200 MB for 16 images of 64 px and r = 3.

    Args:
      channels: C of the content, a multiple of `heads`.
    """

    heads = 4

    def __init__(self, channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.channels = channels
        self.queries, self.keys, self.values = (
            Convolution(channels, 1, use_bias=False, kernel_initializer="glorot_uniform") for _ in range(3)
        )
        self.projection = Convolution(channels, 1, use_bias=False, kernel_initializer="zeros")

    def call(self, content: tf.Tensor, neighbors: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Content [B, h, w, C], neighbours' content [B, r, h, w, C] and target styles [B, S] -> [B, h, w, C]."""
        count, height, width = neighbors.shape[1], content.shape[1], content.shape[2]
        # The neighbours one below the other: as a picture of h r rows.
        stacked = tf.reshape(neighbors, (-1, count * height, width, self.channels))
        places = tf.constant(_places(height, width), content.dtype)
        asked = tf.broadcast_to(
            tf.cast(styles, content.dtype)[:, None, None], (tf.shape(content)[0], height, width, styles.shape[-1])
        )
        queries = self._heads(self.queries(tf.concat([_with_places(content, places), asked], -1)))
        keys = self._heads(self.keys(_with_places(stacked, tf.tile(places, (count, 1, 1)))))
        values = self._heads(self.values(stacked))
        scores = tf.matmul(queries, keys, transpose_b=True) * (self.channels // self.heads) ** -0.5
        found = tf.matmul(tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), values.dtype), values)
        found = tf.reshape(tf.transpose(found, (0, 2, 1, 3)), (-1, height, width, self.channels))
        return content + self.projection(found)

    def _heads(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> [B, heads, H W, C / heads]."""
        x = tf.reshape(x, (-1, x.shape[1] * x.shape[2], self.heads, self.channels // self.heads))
        return tf.transpose(x, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"channels": self.channels}


def _places(height: int, width: int) -> np.ndarray:
    """Where each position is, from -1 to 1 both ways: float32 [h, w, 2]."""
    rows, columns = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([rows, columns], -1).astype(np.float32)


def _with_places(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    shape = (tf.shape(x)[0], *places.shape)
    return tf.concat([x, tf.broadcast_to(places, shape)], -1)
