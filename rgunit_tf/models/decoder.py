"""Decoder G: content and style to an image and an attention mask (paper §3.1 and the mask of §3.3)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.models.convolutions import Convolution, UpsampleConvolution
from rgunit_tf.models.layers import AdaptiveResidualBlock, LayerNormalization


class Decoder(tf.keras.Model):
    """G: AdaIN residual blocks, two upsampling convolutions with layer normalisation, image and mask heads.

    Args:
      width: channels before the heads; the content has 4 x width.
      residual_blocks: how many AdaIN residual blocks.
      mlp_width: hidden units of the three-layer MLP that turns the style into AdaIN parameters.
    """

    initial_mask_logit = 2.0
    """The mask starts near 0.9, so that the picture does not halve when the mask is switched on after its warm-up."""

    def __init__(self, width: int = 64, residual_blocks: int = 4, mlp_width: int = 256, **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.residual_blocks, self.mlp_width = width, residual_blocks, mlp_width
        self.blocks = [AdaptiveResidualBlock(4 * width) for _ in range(residual_blocks)]
        parameters = sum(block.num_parameters for block in self.blocks)
        self.mlp = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(mlp_width, "relu", kernel_initializer="he_normal"),
                tf.keras.layers.Dense(mlp_width, "relu", kernel_initializer="he_normal"),
                tf.keras.layers.Dense(parameters),
            ]
        )
        self.upsampling = [(UpsampleConvolution(factor * width), LayerNormalization()) for factor in (2, 1)]
        bias = tf.keras.initializers.Constant([0.0, 0.0, 0.0, self.initial_mask_logit])
        self.head = Convolution(4, 7, kernel_initializer="glorot_uniform", bias_initializer=bias, dtype="float32")

    def call(self, content: tf.Tensor, style: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes.

        Args:
          content: float [B, h, w, 4 width].
          style: float [B, S].

        Returns:
          Image float32 [B, 4h, 4w, 3] in [-1, 1] and mask float32 [B, 4h, 4w, 1] in [0, 1]. The translated image is
          `image * mask + input * (1 - mask)`.
        """
        x = content
        parameters = tf.split(self.mlp(style), len(self.blocks), axis=-1)
        for block, block_parameters in zip(self.blocks, parameters, strict=True):
            x = block(x, block_parameters)
        for convolve, normalize in self.upsampling:
            x = tf.nn.relu(normalize(convolve(x)))
        heads = self.head(x)
        return tf.tanh(heads[..., :3]), tf.sigmoid(heads[..., 3:])

    def soften(self) -> None:
        """Makes a decoder that was built draw a tenth of the contrast at first; for one that draws changes."""
        self.head.kernel.assign(0.1 * self.head.kernel)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"width": self.width, "residual_blocks": self.residual_blocks, "mlp_width": self.mlp_width}
