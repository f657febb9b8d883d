"""Normalisation and leaky ReLU with lean gradients, and the residual blocks that use the former."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution

EPSILON = 1e-5
"""Added to variances before the square root, as in the instance normalisation of MUNIT and GMM-UNIT."""

SLOPE = 0.2
"""Of D's leaky ReLUs below 0."""


@tf.custom_gradient
def leaky_relu(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """`max(x, 0.2 x)`, of float and any shape.

    Its gradient looks at the result, whose signs are those of `x`. TensorFlow's own looks at `x`, which then has to be
    kept: it is not fused with the convolution before it, at which TensorFlow 2.20's optimiser of graphs fails.
    """
    y = tf.nn.leaky_relu(x, SLOPE)
    return y, lambda gradient: tf.raw_ops.LeakyReluGrad(gradients=gradient, features=y, alpha=SLOPE)


def standardize(x: tf.Tensor, axes: tuple[int, ...]) -> tf.Tensor:
    """Zero mean and unit variance of `x` over `axes`, in float32 inside.

    The gradient is written out, `dx = (dy - mean(dy) - y mean(dy y)) / sigma`: it needs two reductions where the
    derivative of the chain of operations needs five.

    Args:
      x: float [B, H, W, C].
      axes: (1, 2) for instance normalisation, (1, 2, 3) for layer normalisation.

    Returns:
      Same shape and dtype as `x`.
    """

    @tf.custom_gradient
    def normalized(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        wide = tf.cast(x, tf.float32)
        centered = wide - tf.reduce_mean(wide, axes, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centered), axes, keepdims=True) + EPSILON)
        y = centered * inverse

        def gradient(dy: tf.Tensor) -> tf.Tensor:
            dy = tf.cast(dy, tf.float32)
            along_mean = tf.reduce_mean(dy, axes, keepdims=True)
            along_y = tf.reduce_mean(dy * y, axes, keepdims=True)
            return tf.cast(inverse * (dy - along_mean - y * along_y), x.dtype)

        return tf.cast(y, x.dtype), gradient

    return normalized(x)


class InstanceNormalization(tf.keras.layers.Layer):
    """Instance normalisation (Ulyanov et al. 2016) without parameters, as in the content encoder of MUNIT."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> the same shape, each channel of each image standardised."""
        return standardize(x, (1, 2))


class LayerNormalization(tf.keras.layers.Layer):
    """Standardises each image over all positions and channels, then scales and shifts each channel (Ba et al. 2016)."""

    def build(self, shape: tf.TensorShape) -> None:
        """Adds scale and shift, [C] each."""
        self.scale = self.add_weight("scale", (shape[-1],), initializer="ones")
        self.shift = self.add_weight("shift", (shape[-1],), initializer="zeros")
        super().build(shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> the same shape."""
        return standardize(x, (1, 2, 3)) * self.scale + self.shift


class AdaptiveInstanceNormalization(tf.keras.layers.Layer):
    """AdaIN (Huang and Belongie 2017): instance normalisation whose scale and shift come from the style."""

    def call(self, x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        """x [B, H, W, C] with scale and shift [B, C] -> [B, H, W, C]; the scale is given relative to 1."""
        scale, shift = scale[:, None, None, :], shift[:, None, None, :]
        return standardize(x, (1, 2)) * (1.0 + scale) + shift


class ResidualBlock(tf.keras.layers.Layer):
    """Two 3x3 convolutions with instance normalisation and a skip connection (He et al. 2016)."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.first = Convolution(filters, 3)
        self.second = Convolution(filters, 3)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> the same shape; C equals `filters`."""
        y = tf.nn.relu(standardize(self.first(x), (1, 2)))
        return x + standardize(self.second(y), (1, 2))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "filters": self.filters}


class AdaptiveResidualBlock(tf.keras.layers.Layer):
    """A residual block whose two normalisations are AdaIN."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.first = Convolution(filters, 3)
        self.second = Convolution(filters, 3)
        self.first_norm = AdaptiveInstanceNormalization()
        self.second_norm = AdaptiveInstanceNormalization()

    @property
    def num_parameters(self) -> int:
        """AdaIN parameters a block takes: scale and shift for each of two normalisations."""
        return 4 * self.filters

    def call(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """x [B, H, W, C], parameters [B, 4C] -> [B, H, W, C]."""
        scale1, shift1, scale2, shift2 = tf.split(parameters, 4, axis=-1)
        y = tf.nn.relu(self.first_norm(self.first(x), scale1, shift1))
        return x + self.second_norm(self.second(y), scale2, shift2)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "filters": self.filters}
