"""Content encoder Ec and style encoder Es (paper §3.1; architecture of GMM-UNIT, Liu et al. 2020)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution, HalvingConvolution
from rgunit_tf.models.layers import InstanceNormalization, LayerNormalization, ResidualBlock


class ContentEncoder(tf.keras.Model):
    """Ec: a 7x7 convolution, two stride-2 4x4 convolutions and residual blocks, all instance-normalised.

    Args:
      width: channels after the first layer; the content has 4 x width.
      residual_blocks: how many.
      normalization: of the convolutions before the residual blocks. `instance` takes each channel's mean and deviation
        from an image, and with them its colours, which are left to the style; `layer` takes those of all channels
        together, so that content still knows what colour a place has.
    """

    stride = 4
    """Image pixels a content position covers in each direction."""

    def __init__(self, width: int = 64, residual_blocks: int = 4, normalization: str = "instance", **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.residual_blocks, self.normalization = width, residual_blocks, normalization
        normalize = {"instance": InstanceNormalization, "layer": LayerNormalization}[normalization]
        self.body = [Convolution(width, 7), normalize(), tf.keras.layers.ReLU()]
        for factor in (2, 4):
            self.body += [HalvingConvolution(factor * width), normalize(), tf.keras.layers.ReLU()]
        self.body += [ResidualBlock(self.channels) for _ in range(residual_blocks)]

    @property
    def channels(self) -> int:
        """Channels of the content."""
        return 4 * self.width

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Images float [B, H, W, 3] in [-1, 1] -> content float [B, H/4, W/4, 4 width]."""
        x = images
        for layer in self.body:
            x = layer(x)
        return x

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "width": self.width,
            "residual_blocks": self.residual_blocks,
            "normalization": self.normalization,
        }


class StyleEncoder(tf.keras.Model):
    """Es: a 7x7 convolution, four stride-2 4x4 convolutions, global pooling; mean and log-variance of the style.

    It has no normalisation: instance normalisation would remove the colour statistics that are the style.

    Args:
      style_dim: S, dimensions of the style over all attributes.
      width: channels after the first layer.
    """

    log_variance_range = (-8.0, 4.0)
    """Log-variances are clipped to this range, so that an early outlier cannot overflow the KL divergence."""

    def __init__(self, style_dim: int, width: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.style_dim, self.width = style_dim, width
        self.body = [Convolution(width, 7, activation="relu")]
        self.body += [HalvingConvolution(factor * width, activation="relu") for factor in (2, 4, 4, 4)]
        self.mean = tf.keras.layers.Dense(style_dim, dtype="float32")
        self.log_variance = tf.keras.layers.Dense(style_dim, dtype="float32")

    def call(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images float [B, H, W, 3] in [-1, 1] -> mean and log-variance, float32 [B, S] each."""
        x = images
        for layer in self.body:
            x = layer(x)
        pooled = tf.reduce_mean(tf.cast(x, tf.float32), (1, 2))
        return self.mean(pooled), tf.clip_by_value(self.log_variance(pooled), *self.log_variance_range)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"style_dim": self.style_dim, "width": self.width}
