"""Convolutions, and the ones that are computed in another way than they are written, with the same result."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

_INITIALIZER = "he_normal"

# Of the input of a halving convolution: with more, the CPU's own kernel is as fast.
_FEW_POSITIONS = 16


def convolution(filters: int, kernel: int, activation: str | None = None, **kwargs: Any) -> tf.keras.layers.Conv2D:
    """A zero-padded convolution with He initialisation (He et al. 2015)."""
    kwargs.setdefault("kernel_initializer", _INITIALIZER)
    return tf.keras.layers.Conv2D(filters, kernel, padding="same", activation=activation, **kwargs)


@tf.custom_gradient
def halving_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """A zero-padded 4x4 convolution of stride 2, whose gradient is fast where next to no positions are left.

    The CPU's kernel for the input's gradient works image by image and reaches a thirtieth of its speed with 2x2
    positions each. Here all positions of the batch are one product of two matrices, and the 4x4 patches that it gives
    are added where they overlap: by pairs of rows and columns, each of which four patches share.

    Args:
      x: float [B, H, W, C], H and W even.
      kernel: float [4, 4, C, F].

    Returns:
      float [B, H/2, W/2, F].
    """

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels, filters = kernel.shape[2:]
        height, width = dy.shape[1:3]
        # Rows of the kernel by pair and place in the pair, columns alike: [2, 2, 2, 2, C, F] -> pairs first.
        pairs = tf.transpose(tf.reshape(kernel, (2, 2, 2, 2, channels, filters)), (0, 2, 1, 3, 4, 5))
        rows = tf.reshape(pairs, (16 * channels, filters))
        patches = tf.matmul(tf.reshape(dy, (-1, filters)), rows, transpose_b=True)
        patches = tf.reshape(patches, (-1, height, width, 2, 2, 4 * channels))
        placed = [
            tf.pad(patches[:, :, :, row, column], ((0, 0), (row, 1 - row), (column, 1 - column), (0, 0)))
            for row in (0, 1)
            for column in (0, 1)
        ]
        dx = tf.nn.depth_to_space(tf.add_n(placed), 2)[:, 1:-1, 1:-1]
        dkernel = tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=kernel.shape, out_backprop=dy, strides=[1, 2, 2, 1], padding="SAME"
        )
        return dx, dkernel

    return tf.nn.conv2d(x, kernel, 2, "SAME"), gradient


class HalvingConvolution(tf.keras.layers.Conv2D):
    """A zero-padded 4x4 convolution layer of stride 2; see `halving_convolution`. GPUs have kernels of their own.

    Args:
      filters: F, output channels.
      **kwargs: of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, **kwargs: Any):
        fixed = {"kernel_size": 4, "strides": 2, "padding": "same", "kernel_initializer": _INITIALIZER}
        super().__init__(filters, **{**fixed, **kwargs})

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What Keras calls for the convolution itself."""
        height, width = inputs.shape[1:3]
        # oneDNN has a fast kernel too, and what fuses it with its neighbours stumbles over the product.
        others = tf.config.list_logical_devices("GPU") or _pywrap_util_port.IsMklEnabled()
        if others or height * width > _FEW_POSITIONS or height % 2 or width % 2:
            return super().convolution_op(inputs, kernel)
        return halving_convolution(inputs, tf.convert_to_tensor(kernel))


@tf.custom_gradient
def convolution_to_few(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """A zero-padded convolution of stride 1 and an odd kernel, whose gradient is fast where there are few filters.

    The CPU's kernels for these gradients are made for many filters and reach a hundredth of its speed with four. Here
    the input's gradient is a convolution with the mirrored kernel, and that of each row of the kernel a product of two
    matrices: the input's pixels, and what lies left and right of each pixel in the output's gradient, which is small
    where filters are few.

    Args:
      x: float [B, H, W, C].
      kernel: float [k, k, C, F].

    Returns:
      float [B, H, W, F].
    """

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size, _, channels, filters = kernel.shape
        height, width, margin = x.shape[1], x.shape[2], size // 2
        padded = tf.pad(dy, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        beside = tf.concat([padded[:, :, tap : tap + width] for tap in range(size)], -1)
        pixels = tf.reshape(x, (-1, channels))
        rows = [tf.reshape(beside[:, tap : tap + height], (-1, size * filters)) for tap in range(size)]
        products = tf.stack([tf.matmul(pixels, row, transpose_a=True) for row in rows], 1)
        by_tap = tf.reverse(tf.reshape(products, (channels, size, size, filters)), [1, 2])
        mirrored = tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))
        return tf.nn.conv2d(dy, mirrored, 1, "SAME"), tf.transpose(by_tap, (1, 2, 0, 3))

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradient


class ConvolutionToFew(tf.keras.layers.Conv2D):
    """A convolution layer of stride 1 with few filters; see `convolution_to_few`. GPUs have kernels of their own."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What Keras calls for the convolution itself."""
        if tf.config.list_logical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        return convolution_to_few(inputs, tf.convert_to_tensor(kernel))


def _phase_taps() -> np.ndarray:
    """[2, 3, 5]: how the five taps fall on the three small pixels around an output pixel of each phase."""
    taps = np.zeros((2, 3, 5), np.float32)
    for phase, groups in enumerate((((0, 1), (2, 3), (4,)), ((0,), (1, 2), (3, 4)))):
        for small, members in enumerate(groups):
            taps[phase, small, list(members)] = 1.0
    return taps


class UpsampleConvolution(tf.keras.layers.Layer):
    """Nearest-neighbour upsampling by 2 followed by a zero-padded 5x5 convolution, computed on the small image.

    An output pixel of phase (p, q) sees only 3x3 distinct input pixels, so the layer is one 3x3 convolution to 4F
    channels with summed taps and a depth-to-space: 9 multiplications where there were 25, and the same result up to
    rounding. The trainable variable is the plain 5x5 kernel.

    Args:
      filters: F, output channels.
    """

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, shape: tf.TensorShape) -> None:
        """Adds kernel [5, 5, C, F] and bias [F]."""
        # Not cast under mixed precision before its taps are summed.
        self.kernel = self.add_weight(
            "kernel", (5, 5, shape[-1], self.filters), initializer=_INITIALIZER, experimental_autocast=False
        )
        self.bias = self.add_weight("bias", (self.filters,), initializer="zeros")
        super().build(shape)

    def small_kernel(self) -> tf.Tensor:
        """The equivalent kernel [3, 3, C, 4F] on the small image; channels ordered for depth_to_space."""
        taps = tf.constant(_phase_taps(), self.kernel.dtype)
        rows = tf.einsum("pai,ijcf->pajcf", taps, self.kernel)
        both = tf.einsum("qbj,pajcf->abcpqf", taps, rows)
        return tf.reshape(both, (3, 3, self.kernel.shape[2], 4 * self.filters))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> [B, 2H, 2W, F]."""
        kernel = tf.cast(self.small_kernel(), x.dtype)
        phases = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.nn.depth_to_space(phases, 2) + tf.cast(self.bias, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "filters": self.filters}
