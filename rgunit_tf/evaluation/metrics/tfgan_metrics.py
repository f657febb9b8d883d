"""The only module that imports tensorflow-gan: its metrics on arrays of activations.

Leaving tensorflow-gan later is a change to this file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_gan as tfgan


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"activations {first.shape} and {second.shape} must be [N, F] and [M, F]")
    if min(len(first), len(second)) < 2:
        raise ValueError("a distance between distributions needs at least 2 images on each side")
    return tf.constant(first), tf.constant(second)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance between Gaussians fitted to activations [N, F] and [M, F] (Heusel et al. 2017, Eq. 6)."""
    return float(tfgan.eval.frechet_classifier_distance_from_activations(*_pair(first, second)))


def kernel_distance(first: np.ndarray, second: np.ndarray, block_size: int = 1000) -> tuple[float, float]:
    """Unbiased squared MMD with the cubic polynomial kernel (Binkowski et al. 2018), and its standard error.

    Args:
      first: activations [N, F], in random order (blocks are taken in sequence).
      second: activations [M, F], likewise.
      block_size: largest block of the block estimator; time is quadratic in it.

    Returns:
      The distance, which may be slightly negative for equal distributions, and its standard error (NaN for one block).
    """
    with _quiet():
        distance, error = tfgan.eval.kernel_classifier_distance_and_std_from_activations(
            *_pair(first, second), max_block_size=block_size
        )
    return float(distance), float(error)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TensorFlow from warning, at each call, that the library calls a deprecated function."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
