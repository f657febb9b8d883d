"""Between the pixels of files, uint8 in 0..255, and those that networks take and give, float in [-1, 1]."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def to_float(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Images of any shape as float32 in [-1, 1]; uint8 is mapped from 0..255, floats are taken to be there already."""
    if images.dtype in (np.uint8, tf.uint8):
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    return tf.cast(images, tf.float32)


def to_uint8(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Float images of any shape in [-1, 1] as uint8 in 0..255, rounded to the nearest: what a PNG would hold."""
    return tf.cast(tf.round(tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)
