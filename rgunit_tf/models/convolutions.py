"""Convolutions, and the ones that are computed in another way than they are written, with the same result."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

_INITIALIZER = "he_normal"

# Channels or filters: with so few, the CPU's kernels reach a fifth of their speed.
_FEW = 4
# Of the output, over the whole batch: with fewer, rearranging the kernel takes what the faster gradient saves.
_MANY_POSITIONS = 256
# Of the output, in an image.
_FEW_POSITIONS = 4


# Whether layers compute what their definition says; None: where TensorFlow's own kernels are fast.
_written: contextvars.ContextVar[bool | None] = contextvars.ContextVar("written", default=None)


@contextlib.contextmanager
def _computed(as_written: bool) -> Iterator[None]:
    token = _written.set(as_written)
    try:
        yield
    finally:
        _written.reset(token)


def as_written() -> contextlib.AbstractContextManager[None]:
    """Layers that are called or traced inside compute what their definition says, by TensorFlow's own kernels.

    The plain formulation, to compare results with and to count the multiplications of the mathematics.
    """
    return _computed(True)


def rewritten() -> contextlib.AbstractContextManager[None]:
    """Layers that are called or traced inside are computed in the other way, whatever the machine."""
    return _computed(False)


def _plain() -> bool:
    """Whether to leave it to TensorFlow's kernels: GPUs have fast ones for every case, and so has oneDNN."""
    written = _written.get()
    if written is not None:
        return written
    return bool(tf.config.list_logical_devices("GPU")) or _pywrap_util_port.IsMklEnabled()


def _many_positions(batch: int | None, height: int, width: int) -> bool:
    return (batch or 1) * height * width >= _MANY_POSITIONS


def _mirrored(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel that leads back from the output to the input: [h, w, C, F] -> [h, w, F, C]."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))


def _convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A zero-padded convolution of stride 1; x [B, H, W, C], kernel [k, k, C, F].

    A product of matrices with few columns is slow. With few filters, those of the k columns of the kernel are therefore
    computed as filters of their own, and added where they belong.
    """
    size, _, channels, filters = kernel.shape
    if filters > _FEW:
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    width, margin = x.shape[2], size // 2
    columns = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3)), (size, 1, channels, size * filters))
    padded = tf.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    products = tf.nn.conv2d(padded, columns, 1, "VALID")
    return tf.add_n([products[:, :, tap : tap + width, tap * filters : (tap + 1) * filters] for tap in range(size)])


def _kernel_gradient(x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
    """[k, k, C, F] of x [B, H, W, C] and the output's gradient dy [B, H, W, F].

    With few channels each row of the kernel is a product of two matrices: what lies left and right of each of x's
    pixels, which is small, and the output's gradient. With few filters the two change places.
    """
    channels, filters = x.shape[-1], dy.shape[-1]
    if min(channels, filters) > _FEW:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=(size, size, channels, filters), out_backprop=dy, strides=[1] * 4, padding="SAME"
        )
    if channels > filters:
        return _mirrored(_kernel_gradient(dy, x, size))
    width, margin = x.shape[2], size // 2
    padded = tf.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    beside = tf.concat([padded[:, :, tap : tap + width] for tap in range(size)], -1)
    below = tf.pad(dy, ((0, 0), (0, 2 * margin), (0, 0), (0, 0)))
    products = _correlated(beside, below, [row * width for row in range(size)])
    return tf.reshape(products, (size, size, channels, filters))


def _correlated(x: tf.Tensor, y: tf.Tensor, shifts: Sequence[int]) -> tf.Tensor:
    """Sums of the products of x's pixels with y's of so many pixels before, all images in one row: [shifts, C, F].

    Where y is zero at the ends of its rows nothing is carried from one row or image into the next. To shift a row of
    pixels copies nothing, unlike to cut a part out of each image.
    """
    x, y = (tf.reshape(tensor, (-1, tensor.shape[-1])) for tensor in (x, y))
    return tf.stack([tf.matmul(x[n:], y[:-n] if n else y, transpose_a=True) for n in shifts])


@tf.custom_gradient
def same_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """A zero-padded convolution of stride 1 and an odd kernel, fast forward and backward on a CPU.

    The input's gradient is a convolution too, with the mirrored kernel. TensorFlow's kernel for convolutions reaches
    twice the speed of its kernel for that gradient.

    Args:
      x: float [B, H, W, C].
      kernel: float [k, k, C, F].

    Returns:
      float [B, H, W, F].
    """

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _convolve(dy, _mirrored(kernel)), _kernel_gradient(x, dy, kernel.shape[0])

    return _convolve(x, kernel), gradient


class Convolution(tf.keras.layers.Conv2D):
    """A zero-padded convolution layer of stride 1 with He initialisation (He et al. 2015); see `same_convolution`.

    Args:
      filters: F, output channels.
      kernel_size: k, odd.
      **kwargs: of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any):
        super().__init__(filters, kernel_size, **{"padding": "same", "kernel_initializer": _INITIALIZER, **kwargs})

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What Keras calls for the convolution itself."""
        if self.kernel_size == (1, 1) or _plain() or not _many_positions(*inputs.shape[:3]):
            return super().convolution_op(inputs, kernel)
        return same_convolution(inputs, tf.convert_to_tensor(kernel))


@tf.custom_gradient
def halving_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """A zero-padded 4x4 convolution of stride 2, fast backward on a CPU.

    It equals a 2x2 convolution of stride 1 on the padded image whose squares of 2x2 pixels have become channels. In
    that form the input's gradient is a convolution with the mirrored kernel, and that of each tap of the kernel a
    product of two matrices. TensorFlow's kernels for the gradients reach half of that speed, and next to nothing where
    few positions are left, since they work image by image.

    Args:
      x: float [B, H, W, C], H and W even.
      kernel: float [4, 4, C, F].

    Returns:
      float [B, H/2, W/2, F].
    """
    channels, filters = kernel.shape[2:]

    def squares(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.space_to_depth(tf.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0))), 2)

    def pixels(squares: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(squares, 2)[:, 1:-1, 1:-1]

    def regrouped(kernel: tf.Tensor) -> tf.Tensor:
        """Rows of the kernel by tap and place in the square, columns alike, and taps first; or the other way round."""
        return tf.transpose(tf.reshape(kernel, (2, 2, 2, 2, channels, filters)), (0, 2, 1, 3, 4, 5))

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = dy.shape[1:3]
        small = tf.reshape(regrouped(kernel), (2, 2, 4 * channels, filters))
        if height * width <= _FEW_POSITIONS:
            # All positions of the batch are one product; each of the four taps is added where it belongs.
            products = tf.matmul(tf.reshape(dy, (-1, filters)), tf.reshape(small, (-1, filters)), transpose_b=True)
            products = tf.reshape(products, (-1, height, width, 2, 2, 4 * channels))
            placed = [
                tf.pad(products[:, :, :, row, column], ((0, 0), (row, 1 - row), (column, 1 - column), (0, 0)))
                for row in (0, 1)
                for column in (0, 1)
            ]
            dkernel = tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=kernel.shape, out_backprop=dy, strides=[1, 2, 2, 1], padding="SAME"
            )
            return pixels(tf.add_n(placed)), dkernel
        around = tf.pad(dy, ((0, 0), (1, 1), (1, 1), (0, 0)))
        dx = pixels(tf.nn.conv2d(around, _mirrored(small), 1, "VALID"))
        beside = tf.pad(dy, ((0, 0), (0, 1), (0, 1), (0, 0)))
        taps = [row * (width + 1) + column for row in (0, 1) for column in (0, 1)]
        return dx, tf.reshape(regrouped(_correlated(squares(x), beside, taps)), kernel.shape)

    return tf.nn.conv2d(x, kernel, 2, "SAME"), gradient


class HalvingConvolution(tf.keras.layers.Conv2D):
    """A zero-padded 4x4 convolution layer of stride 2; see `halving_convolution`.

    Args:
      filters: F, output channels.
      **kwargs: of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, **kwargs: Any):
        fixed = {"kernel_size": 4, "strides": 2, "padding": "same", "kernel_initializer": _INITIALIZER}
        super().__init__(filters, **{**fixed, **kwargs})

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """What Keras calls for the convolution itself."""
        batch, height, width = inputs.shape[:3]
        fast = height * width <= 4 * _FEW_POSITIONS or _many_positions(batch, height // 2, width // 2)
        if _plain() or height % 2 or width % 2 or not fast:
            return super().convolution_op(inputs, kernel)
        return halving_convolution(inputs, tf.convert_to_tensor(kernel))


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
        if _written.get():
            large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
            return tf.nn.conv2d(large, tf.cast(self.kernel, x.dtype), 1, "SAME") + tf.cast(self.bias, x.dtype)
        kernel = tf.cast(self.small_kernel(), x.dtype)
        phases = tf.nn.conv2d(x, kernel, 1, "SAME") if _plain() else same_convolution(x, kernel)
        return tf.nn.depth_to_space(phases, 2) + tf.cast(self.bias, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "filters": self.filters}
