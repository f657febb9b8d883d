"""Bootstrap confidence intervals: how far a figure would move with another draw of as many images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CONFIDENCE = 0.95


def _bounds(draws: np.ndarray, confidence: float) -> tuple[float, float]:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, (tail, 1.0 - tail))
    return float(low), float(high)


def _weights(count: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each of `count` images occurs in each resample, as shares: float64 [resamples, count]."""
    return generator.multinomial(count, np.full(count, 1.0 / count), size=resamples) / count


def mean_interval(
    values: np.ndarray, seed: int = 0, resamples: int = 1000, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Percentile interval of the mean of `values` [N]."""
    return ratio_interval(values, None, seed, resamples, confidence)


def ratio_interval(
    above: np.ndarray,
    below: np.ndarray | None,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile interval of mean(above) / mean(below), both [N] and resampled together (None: of mean(above))."""
    above = np.asarray(above, np.float64)
    generator = np.random.default_rng(seed)
    draws = []
    # Resamples come in blocks: a [1000, 10000] table of weights at once would not be flat in the number of images.
    block = max(1, 4_000_000 // max(len(above), 1))
    for start in range(0, resamples, block):
        weights = _weights(len(above), min(block, resamples - start), generator)
        mean = weights @ above
        draws.append(mean if below is None else mean / (weights @ np.asarray(below, np.float64)))
    return _bounds(np.concatenate(draws), confidence)


def two_sample_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    first: np.ndarray,
    second: np.ndarray,
    seed: int = 0,
    resamples: int = 50,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Interval of a distance between two samples [N, F] and [M, F], each resampled by itself.

    Repeated rows shrink the spread of a resample, which biases distances between distributions upwards; the draws are
    therefore moved so that their median lies on the figure itself.
    """
    generator = np.random.default_rng(seed)
    draws = np.array(
        [
            statistic(
                first[generator.integers(len(first), size=len(first))],
                second[generator.integers(len(second), size=len(second))],
            )
            for _ in range(resamples)
        ]
    )
    draws += statistic(first, second) - np.median(draws)
    return _bounds(draws, confidence)
