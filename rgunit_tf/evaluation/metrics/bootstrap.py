"""Bootstrap confidence intervals: how far a figure would move with another draw of as many images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

CONFIDENCE = 0.95


def _bounds(draws: np.ndarray, confidence: float) -> tuple[float, float]:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, (tail, 1.0 - tail))
    return float(low), float(high)


def resample_weights(count: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each of `count` images occurs in each resample, as shares: float64 [R, count], block after block.

    One table of [1000, 10000] weights at once would not be flat in the number of images.
    """
    generator = np.random.default_rng(seed)
    block = max(1, 4_000_000 // max(count, 1))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield generator.multinomial(count, np.full(count, 1.0 / count), size=size) / count


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
    """Percentile interval of mean(above) / mean(below), resampled together (None: of mean(above)).

    Args:
      above: one number an image [N], or several [N, K], whose ratios are then averaged (a ratio without any
        denominator in a resample is left out of that average).
      below: as `above`.
      seed: of the resamples.
      resamples: how many.
      confidence: of the interval.

    Returns:
      Lower and upper bound; NaN where the ratio is defined in no resample.
    """
    above = np.asarray(above, np.float64)
    below = None if below is None else np.asarray(below, np.float64)
    draws = [_ratios(weights, above, below) for weights in resample_weights(len(above), seed, resamples)]
    draws = np.concatenate(draws)
    draws = draws[np.isfinite(draws)]
    return _bounds(draws, confidence) if len(draws) else (float("nan"), float("nan"))


Numbers = tuple[np.ndarray, np.ndarray | None]
"""Of each image, as `ratio_interval` takes them: what is above, and what is below or None."""


def paired_difference(
    first: Numbers, second: Numbers, seed: int = 0, resamples: int = 1000, confidence: float = CONFIDENCE
) -> tuple[float, tuple[float, float]]:
    """How much more a figure of the same N images is in a second measurement, and its percentile interval.

    Both are resampled together, so that what is hard about an image does not count as chance: the interval is the
    narrower the more alike the two measurements are.

    Args:
      first: numbers of the N images.
      second: likewise, of the same images in the same order.
      seed: of the resamples.
      resamples: how many.
      confidence: of the interval.

    Returns:
      The difference, second less first, and its bounds; NaN where either is undefined.
    """
    pairs = [
        (np.asarray(above, np.float64), None if below is None else np.asarray(below, np.float64))
        for above, below in (first, second)
    ]
    count = len(pairs[0][0])
    whole = np.full((1, count), 1.0 / count)
    value = float((_ratios(whole, *pairs[1]) - _ratios(whole, *pairs[0]))[0])
    draws = np.concatenate(
        [
            _ratios(weights, *pairs[1]) - _ratios(weights, *pairs[0])
            for weights in resample_weights(count, seed, resamples)
        ]
    )
    draws = draws[np.isfinite(draws)]
    return value, _bounds(draws, confidence) if len(draws) else (float("nan"), float("nan"))


def _ratios(weights: np.ndarray, above: np.ndarray, below: np.ndarray | None) -> np.ndarray:
    """One figure a resample: weights [R, N] -> [R]."""
    mean = (weights @ above).reshape(len(weights), -1)
    if below is None:
        return mean.mean(axis=1)
    count = (weights @ below).reshape(len(weights), -1)
    ratio = np.divide(mean, count, out=np.zeros_like(mean), where=count > 0)
    defined = (count > 0).sum(axis=1)
    return np.divide(ratio.sum(axis=1), defined, out=np.full(len(weights), np.nan), where=defined > 0)


def statistic_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    value: float,
    count: int,
    seed: int = 0,
    resamples: int = 200,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Interval of a figure that is no mean; its draws are moved so that their median lies on the figure itself.

    Args:
      statistic: share of each image [R, N] -> the figure for each of R resamples [R].
      value: the figure.
      count: N, the number of images.
      seed: of the resamples.
      resamples: how many.
      confidence: of the interval.
    """
    draws = np.concatenate([statistic(weights) for weights in resample_weights(count, seed, resamples)])
    return _bounds(draws + (value - np.median(draws)), confidence)


def two_sample_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    first: np.ndarray,
    second: np.ndarray,
    seed: int = 0,
    resamples: int = 50,
    confidence: float = CONFIDENCE,
    value: float | None = None,
) -> tuple[float, float]:
    """Interval of a distance between two samples [N, F] and [M, F], each resampled by itself.

    Repeated rows shrink the spread of a resample, which biases distances between distributions upwards; the draws are
    therefore moved so that their median lies on the figure itself, which is `value` where it is known already.
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
    draws += (statistic(first, second) if value is None else value) - np.median(draws)
    return _bounds(draws, confidence)
