"""Retrieval network R: content and style to an embedding (paper §3.2)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution, HalvingConvolution


class RetrievalNetwork(tf.keras.Model):
    """R: pairs of a 3x3 and a stride-2 4x4 convolution bring the content to 4x4, then dense layers with the style.

    At 128 px (content 32x32) there are three pairs; other sizes take as many as lead closest to 4x4.

    Args:
      embedding_dim: dimensions of the embedding.
      hidden: units of each of the two hidden layers.
      content_channels: channels of the content after the convolutions.
      dropout: share of hidden units dropped in training.
    """

    final_side = 4

    def __init__(
        self,
        embedding_dim: int = 300,
        hidden: int = 512,
        content_channels: int = 32,
        dropout: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.embedding_dim, self.hidden_units = embedding_dim, hidden
        self.content_channels, self.dropout = content_channels, dropout
        self.hidden = [tf.keras.layers.Dense(hidden, "relu", kernel_initializer="he_normal") for _ in range(2)]
        self.embedding = tf.keras.layers.Dense(embedding_dim, dtype="float32")

    def build(self, shapes: tuple[tf.TensorShape, tf.TensorShape]) -> None:
        """Makes the pairs of convolutions that this content size needs."""
        side, channels = int(shapes[0][1]), int(shapes[0][-1])
        pairs = max(0, round(math.log2(side / self.final_side)))
        self.body = []
        for index in range(pairs):
            channels = max(self.content_channels, channels // 2)
            last = self.content_channels if index == pairs - 1 else channels
            self.body += [Convolution(channels, 3, activation="relu"), HalvingConvolution(last, activation="relu")]
        if not pairs:
            self.body = [Convolution(self.content_channels, 3, activation="relu")]
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], dropout_noise: list[tf.Tensor] | None = None) -> tf.Tensor:
        """Embeds.

        Args:
          inputs: content float [B, h, w, C] and style float [B, S].
          dropout_noise: in training, uniform noise [B, hidden] for each hidden layer; a unit is kept where it is at
            least `dropout`. None: nothing is dropped.

        Returns:
          Embeddings float32 [B, embedding_dim], compared by Euclidean distance.
        """
        content, style = inputs
        x = content
        for layer in self.body:
            x = layer(x)
        x = tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
        x = tf.concat([x, tf.cast(style, x.dtype)], -1)
        for index, layer in enumerate(self.hidden):
            x = layer(x)
            if dropout_noise is not None:
                keep = tf.cast(dropout_noise[index] >= self.dropout, x.dtype)
                x = x * keep / (1.0 - self.dropout)
        return self.embedding(x)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "embedding_dim": self.embedding_dim,
            "hidden": self.hidden_units,
            "content_channels": self.content_channels,
            "dropout": self.dropout,
        }
