"""Convolutions that MobileNet v2 and EfficientNet-Lite are both made of, with their normalisation folded in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Layer(NamedTuple):
    """A convolution with its batch normalisation folded in: kernel [h, w, I, O] (depthwise [h, w, C, 1]), bias [O]."""

    kernel: np.ndarray
    bias: np.ndarray


def folded(kernel: np.ndarray, norm: Sequence[np.ndarray], epsilon: float, depthwise: bool) -> Layer:
    """A convolution and the normalisation after it, in one.

    Args:
      kernel: [h, w, I, O], depthwise [h, w, C, 1].
      norm: gain, offset, mean and variance, [O] each.
      epsilon: added to the variance.
      depthwise: whether the kernel is.
    """
    gain, offset, mean, variance = (np.asarray(part, np.float64) for part in norm)
    scale = gain / np.sqrt(variance + epsilon)
    kernel = kernel * (scale[:, None] if depthwise else scale)
    return Layer(kernel.astype(np.float32), (offset - mean * scale).astype(np.float32))


def block_outputs(
    x: tf.Tensor, stem: Layer, blocks: Sequence[Sequence[Layer]], strides: Sequence[int]
) -> list[tf.Tensor]:
    """Outputs of each block.

    Args:
      x: float32 images [B, S, S, I], scaled as the weights expect it.
      stem: the first convolution, stride 2.
      blocks: layers of each block: expansion (where there is one), depthwise convolution, linear projection.
      strides: of the depthwise convolution of each block.

    Returns:
      float32 [B, h, w, C] a block, C the channels of its projection.
    """
    x = tf.nn.relu6(tf.nn.conv2d(x, stem.kernel, 2, "SAME") + stem.bias)
    outputs = []
    for stride, (*expand, depthwise, project) in zip(strides, blocks, strict=True):
        y = x
        for kernel, bias in expand:
            y = tf.nn.relu6(tf.nn.conv2d(y, kernel, 1, "SAME") + bias)
        y = tf.nn.depthwise_conv2d(y, depthwise.kernel, (1, stride, stride, 1), "SAME")
        y = tf.nn.relu6(y + depthwise.bias)
        y = tf.nn.conv2d(y, project.kernel, 1, "SAME") + project.bias
        x = x + y if stride == 1 and x.shape[-1] == y.shape[-1] else y
        outputs.append(x)
    return outputs
