"""Convolutions, and one that is computed in another way than it is written, with the same result."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_INITIALIZER = "he_normal"

_as_written: contextvars.ContextVar[bool] = contextvars.ContextVar("as_written", default=False)


@contextlib.contextmanager
def as_written() -> Iterator[None]:
    """Layers that are called or traced inside compute what their definition says.

    The plain formulation, to compare results with and to count the multiplications of the mathematics.
    """
    token = _as_written.set(True)
    try:
        yield
    finally:
        _as_written.reset(token)


class Convolution(tf.keras.layers.Conv2D):
    """A zero-padded convolution layer of stride 1 with He initialisation (He et al. 2015).

    Args:
      filters: F, output channels.
      kernel_size: k, odd.
      **kwargs: of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any):
        super().__init__(filters, kernel_size, **{"padding": "same", "kernel_initializer": _INITIALIZER, **kwargs})


class HalvingConvolution(tf.keras.layers.Conv2D):
    """A zero-padded 4x4 convolution layer of stride 2 with He initialisation.

    Args:
      filters: F, output channels.
      **kwargs: of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, **kwargs: Any):
        fixed = {"kernel_size": 4, "strides": 2, "padding": "same", "kernel_initializer": _INITIALIZER}
        super().__init__(filters, **{**fixed, **kwargs})


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
        if _as_written.get():
            large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
            return tf.nn.conv2d(large, tf.cast(self.kernel, x.dtype), 1, "SAME") + tf.cast(self.bias, x.dtype)
        phases = tf.nn.conv2d(x, tf.cast(self.small_kernel(), x.dtype), 1, "SAME")
        return tf.nn.depth_to_space(phases, 2) + tf.cast(self.bias, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "filters": self.filters}
