"""Discriminator D at several scales, with a real/fake map and a domain head (paper Eq. 6-7 and the domain loss)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution, HalvingConvolution
from rgunit_tf.models.layers import leaky_relu


class Verdict(NamedTuple):
    """What one scale of D says.

    Attributes:
      realness: float32 [B, h, w, 1], 0 for real and 1 for fake.
      domain: logits float32 [B, K].
      values: float32 [B, 2K], whether the image is a real one whose attribute holds (the first K) or does not hold (the
        others), 0 for real and 1 for fake; None of a D that is not asked.
    """

    realness: tf.Tensor
    domain: tf.Tensor
    values: tf.Tensor | None = None


class ScaleDiscriminator(tf.keras.Model):
    """Stride-2 4x4 convolutions with leaky ReLU, then a 1x1 real/fake map and a domain head over the whole map.

    With `values` also a head, over the whole map too, that says real or fake of each attribute's value.
    """

    def __init__(self, num_attributes: int, width: int = 64, layers: int = 5, values: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.num_layers, self.says_values = num_attributes, width, layers, values
        self.body = [HalvingConvolution(width * min(2**index, 8)) for index in range(layers)]
        self.realness = Convolution(1, 1, dtype="float32", kernel_initializer="glorot_uniform")

    def build(self, shape: tf.TensorShape) -> None:
        """Makes the domain head as large as the last map."""
        side = int(shape[1])
        for _ in range(self.num_layers):
            side = -(-side // 2)
        self.domain = tf.keras.layers.Conv2D(self.num_attributes, side, padding="valid", dtype="float32")
        if self.says_values:
            self.values = tf.keras.layers.Conv2D(2 * self.num_attributes, side, padding="valid", dtype="float32")
        self.built = True

    def call(self, images: tf.Tensor) -> Verdict:
        """Images float [B, H, W, 3] in [-1, 1] -> Verdict."""
        x = images
        for layer in self.body:
            x = leaky_relu(layer(x))
        values = tf.reshape(self.values(x), (-1, 2 * self.num_attributes)) if self.says_values else None
        return Verdict(self.realness(x), tf.reshape(self.domain(x), (-1, self.num_attributes)), values)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "num_attributes": self.num_attributes,
            "width": self.width,
            "layers": self.num_layers,
            "values": self.says_values,
        }


class Discriminator(tf.keras.Model):
    """D: the same network on the image and on its average-pooled smaller copies (Wang et al. 2018).

    Args:
      num_attributes: K.
      width: channels of the first convolution; they double up to 8 x width.
      layers: stride-2 convolutions.
      scales: how many sizes of the image are looked at.
      values: also say real or fake of each attribute's value.
    """

    def __init__(
        self,
        num_attributes: int,
        width: int = 64,
        layers: int = 5,
        scales: int = 2,
        values: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_attributes, self.width, self.num_layers, self.num_scales = num_attributes, width, layers, scales
        self.says_values = values
        self.scales = [ScaleDiscriminator(num_attributes, width, layers, values) for _ in range(scales)]

    def project(self, images: tf.Tensor) -> list[tf.Tensor]:
        """What D's trained part looks at, and at which its gradient is penalised: the images themselves."""
        return [images]

    def judge(self, projected: list[tf.Tensor]) -> list[Verdict]:
        """What `project` gave -> a Verdict a scale, the finest first."""
        return self(projected[0])

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
            "values": self.says_values,
        }
