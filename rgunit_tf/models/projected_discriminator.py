"""Discriminator D on the features of a network that was trained on ImageNet and stays as it is.

After Projected GANs (Sauer et al. 2021, https://arxiv.org/abs/2111.01007): D tells real from translated images by what
such a network sees in them, and its gradient reaches G through that network. A D of its own first has to learn what
edges and eyes are, and is satisfied meanwhile by patterns that no eye takes for a face.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution
from rgunit_tf.models.discriminator import Verdict
from rgunit_tf.models.frozen_features import CHANNELS, FrozenFeatures
from rgunit_tf.models.layers import leaky_relu

_WIDE = 8

_GAIN = 0.1
"""Of what is said of values. A value is told from the whole map, thousands of numbers, each of whose weights a step of
Adam moves by the learning rate: without it a single step turns the verdict over, and D learns next to nothing."""


class FeatureHead(tf.keras.Model):
    """What D says by one map of features: a real/fake map, and for each attribute two logits.

    Args:
      num_attributes: K.
      width: channels of its convolution.
      aligned: the logits are of the whole map: where a mouth is is where a smile is told. Else they are means over the
        map, for pictures that show an animal anywhere: of a whole map, a pattern in one place would satisfy them.
    """

    def __init__(self, num_attributes: int, width: int = 64, aligned: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.aligned = num_attributes, width, aligned

    def build(self, shape: tf.TensorShape) -> None:
        """A convolution of 1x1 on large maps, where a position has seen enough, of 3x3 on small ones."""
        side = int(shape[1])
        self.body = Convolution(self.width, 1 if side > _WIDE else 3)
        self.realness = Convolution(1, 1, dtype="float32", kernel_initializer="glorot_uniform")
        if self.aligned:
            self.values = tf.keras.layers.Conv2D(2 * self.num_attributes, side, padding="valid", dtype="float32")
        else:
            self.values = Convolution(2 * self.num_attributes, 3, dtype="float32", kernel_initializer="glorot_uniform")
        self.built = True

    def call(self, features: tf.Tensor) -> Verdict:
        """Features float [B, h, h, C] -> Verdict; its domain logits are the differences of the two of each value."""
        x = leaky_relu(self.body(features))
        values = self.values(x)
        if self.aligned:
            values = _GAIN * tf.reshape(values, (-1, 2 * self.num_attributes))
        else:
            values = tf.reduce_mean(values, (1, 2))
        holds, lacks = tf.split(values, 2, -1)
        return Verdict(self.realness(x), lacks - holds, values)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"num_attributes": self.num_attributes, "width": self.width, "aligned": self.aligned}


class ProjectedDiscriminator(tf.keras.Model):
    """D: a `FeatureHead` on each of several depths of frozen features.

    Args:
      num_attributes: K.
      width: channels of each head's convolution.
      aligned: see `FeatureHead`.
    """

    says_values = True

    def __init__(self, num_attributes: int, width: int = 64, aligned: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.aligned = num_attributes, width, aligned
        self.features = FrozenFeatures()
        self.heads = [FeatureHead(num_attributes, width, aligned) for _ in CHANNELS]

    def build_for(self, side: int) -> None:
        """Makes the heads for images of `side` pixels; the network itself need not be installed for that."""
        for head, shape in zip(self.heads, self.features.shapes(side), strict=True):
            head(tf.zeros((1, *shape)))
        self.built = True

    def project(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Images float [B, H, W, 3] in [-1, 1] -> their features, float32 [B, h, w, C] a depth."""
        return self.features(images)

    def judge(self, features: list[tf.Tensor]) -> list[Verdict]:
        """What `project` gave -> a Verdict a depth, the finest first."""
        return [head(x) for head, x in zip(self.heads, features, strict=True)]

    def call(self, images: tf.Tensor) -> list[Verdict]:
        """Images float [B, H, W, 3] in [-1, 1] -> a Verdict a depth, the finest first."""
        return self.judge(self.project(images))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"num_attributes": self.num_attributes, "width": self.width, "aligned": self.aligned}
