"""Perceptual distance between images in the features of a network, and its mean over the pairs of a group.

The construction is that of LPIPS (Zhang et al. 2018, Eq. 1): features of several layers, scaled to unit length over
the channels; the squared difference, weighted a channel and averaged over the places; the sum over the layers. It is
LPIPS itself only with that network and those weights (`lpips`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# In LPIPS it is added to the length, so that a place without any activation stays 0.
EPSILON = 1e-10


@dataclasses.dataclass(frozen=True)
class PerceptualNetwork:
    """What distances are measured with.

    Attributes:
      metric: name of the mean distance between several translations of one image, in reports.
      words: how reports call the network and its weights.
      features: float32 images [B, S, S, 3] in [-1, 1] -> activations [B, h, w, C] of each layer.
      weights: non-negative weight of each channel, float32 [C] a layer; None: all 1.
    """

    metric: str
    words: str
    features: Callable[[tf.Tensor], Sequence[tf.Tensor]]
    weights: Sequence[np.ndarray] | None = None

    def mean_pair_distance(self, images: tf.Tensor, group: int) -> tf.Tensor:
        """Mean distance over the group * (group - 1) / 2 pairs of each run of `group` images.

        Args:
          images: float32 [G * group, S, S, 3] in [-1, 1].
          group: at least 2.

        Returns:
          float32 [G].
        """
        layers = self.features(images)
        weights = self.weights or [None] * len(layers)
        return tf.add_n([_layer(layer, weight, group) for layer, weight in zip(layers, weights, strict=True)])


def _layer(features: tf.Tensor, weight: np.ndarray | None, group: int) -> tf.Tensor:
    length = tf.sqrt(tf.reduce_sum(tf.square(features), axis=-1, keepdims=True))
    unit = features / (length + EPSILON)
    shape = tf.shape(unit)
    unit = tf.reshape(unit, tf.concat([[-1, group], shape[1:]], 0))
    # The sum of squared differences over all pairs of n points is n times that of the points to their mean.
    spread = tf.square(unit - tf.reduce_mean(unit, axis=1, keepdims=True)) * (2.0 / (group - 1))
    if weight is not None:
        spread *= weight
    return tf.reduce_mean(tf.reduce_sum(spread, axis=[1, 4]), axis=[1, 2])
