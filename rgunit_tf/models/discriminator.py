"""Discriminator D at several scales, with a real/fake map and a domain head (paper Eq. 6-7 and the domain loss)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution, HalvingConvolution


class Verdict(NamedTuple):
    """What one scale of D says: `realness` float32 [B, h, w, 1] (0 real, 1 fake) and `domain` logits float32 [B, K]."""

    realness: tf.Tensor
    domain: tf.Tensor


class ScaleDiscriminator(tf.keras.Model):
    """Stride-2 4x4 convolutions with leaky ReLU, then a 1x1 real/fake map and a domain head over the whole map."""

    def __init__(self, num_attributes: int, width: int = 64, layers: int = 5, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.num_layers = num_attributes, width, layers
        self.body = [HalvingConvolution(width * min(2**index, 8)) for index in range(layers)]
        self.realness = Convolution(1, 1, dtype="float32", kernel_initializer="glorot_uniform")

    def build(self, shape: tf.TensorShape) -> None:
        """Makes the domain head as large as the last map."""
        side = int(shape[1])
        for _ in range(self.num_layers):
            side = -(-side // 2)
        self.domain = tf.keras.layers.Conv2D(self.num_attributes, side, padding="valid", dtype="float32")
        self.built = True

    def call(self, images: tf.Tensor) -> Verdict:
        """Images float [B, H, W, 3] in [-1, 1] -> Verdict."""
        x = images
        for layer in self.body:
            x = tf.nn.leaky_relu(layer(x), 0.2)
        return Verdict(self.realness(x), tf.reshape(self.domain(x), (-1, self.num_attributes)))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"num_attributes": self.num_attributes, "width": self.width, "layers": self.num_layers}


class Discriminator(tf.keras.Model):
    """D: the same network on the image and on its average-pooled smaller copies (Wang et al. 2018).

    Args:
      num_attributes: K.
      width: channels of the first convolution; they double up to 8 x width.
      layers: stride-2 convolutions.
      scales: how many sizes of the image are looked at.
    """

    def __init__(self, num_attributes: int, width: int = 64, layers: int = 5, scales: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.num_layers, self.num_scales = num_attributes, width, layers, scales
        self.scales = [ScaleDiscriminator(num_attributes, width, layers) for _ in range(scales)]

    def call(self, images: tf.Tensor) -> list[Verdict]:
        """Images float [B, H, W, 3] in [-1, 1] -> a Verdict a scale, the finest first."""
        verdicts = []
        for index, scale in enumerate(self.scales):
            if index:
                images = tf.nn.avg_pool2d(images, 3, 2, "SAME")
            verdicts.append(scale(images))
        return verdicts

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "num_attributes": self.num_attributes,
            "width": self.width,
            "layers": self.num_layers,
            "scales": self.num_scales,
        }
