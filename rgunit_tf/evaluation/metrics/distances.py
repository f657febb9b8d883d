"""Frechet and kernel distances between two sets of activations, float64 in NumPy."""

from __future__ import annotations

import math

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance between Gaussians fitted to activations (Heusel et al. 2017, Eq. 6).

    The root of a product of covariances, A B, has the trace of the root of A^(1/2) B A^(1/2), which is symmetric: its
    eigenvalues are quicker to have than singular values, and never complex, as those of A B may be by rounding.

    Args:
      first: [N, F], N > 1.
      second: [M, F], M > 1.

    Raises:
      ValueError: the shapes are others.
    """
    first, second = _pair(first, second)
    covariance, other = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (first, second))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0.0)).sum()
    means = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return float(means + np.trace(covariance) + np.trace(other) - 2.0 * shared)


def kernel_distance(first: np.ndarray, second: np.ndarray, block_size: int = 1000) -> tuple[float, float]:
    """Unbiased squared MMD with the cubic polynomial kernel (Binkowski et al. 2018), and its standard error.

    Args:
      first: activations [N, F], N > 1, in random order (blocks are taken in sequence).
      second: activations [M, F], M > 1, likewise.
      block_size: largest block of the block estimator, as far as there are images for; time is quadratic in it.

    Returns:
      The distance, which may be slightly negative for equal distributions, and its standard error (NaN for one block).

    Raises:
      ValueError: the shapes are others.
    """
    first, second = _pair(first, second)
    # A block needs two images of each side.
    count = min(math.ceil(max(len(first), len(second)) / block_size), min(len(first), len(second)) // 2)
    values = [_of_block(*blocks) for blocks in zip(_blocks(first, count), _blocks(second, count), strict=True)]
    error = np.std(values, ddof=1) / math.sqrt(count) if count > 1 else math.nan
    return float(np.mean(values)), float(error)


def kernel_distance_of_one_block(first: np.ndarray, second: np.ndarray) -> float:
    """`kernel_distance` without blocks."""
    return _of_block(*_pair(first, second))


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"activations {first.shape} and {second.shape} must be [N, F] and [M, F]")
    if min(len(first), len(second)) < 2:
        raise ValueError("a distance between distributions needs at least 2 images on each side")
    return first, second


def _blocks(x: np.ndarray, count: int) -> list[np.ndarray]:
    """Parts of nearly equal size, the larger ones last."""
    size, larger = divmod(len(x), count)
    return np.split(x, np.cumsum([size] * (count - larger) + [size + 1] * larger)[:-1])


def _of_block(first: np.ndarray, second: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1.0) ** 3

    def within(x: np.ndarray) -> float:
        table = kernel(x, x)
        return float(table.sum() - np.trace(table)) / (len(x) * (len(x) - 1))

    return within(first) + within(second) - 2.0 * float(kernel(first, second).mean())
