"""Bootstrap confidence intervals: how far a figure would move with another draw of as many images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
    pairs = [(second, first)]
    count = len(first[0])
    value = _mean_difference(np.full((1, count), 1.0 / count), _as_floats(pairs), relative=False)
    return float(value[0]), paired_interval(pairs, False, seed, resamples, confidence)


def paired_interval(
    pairs: Sequence[tuple[Numbers, Numbers]],
    relative: bool,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Interval of the mean difference between two models over several trainings, all on the same N images.

    The same resample of the images serves both models and all trainings.

    Args:
      pairs: for each training the numbers of one model and of the other.
      relative: whether the difference is a share of the other model's figure.
      seed: of the resamples.
      resamples: how many.
      confidence: of the interval.

    Returns:
      Lower and upper bound; NaN where the difference is defined in no resample.
    """
    pairs = _as_floats(pairs)
    weights = resample_weights(len(pairs[0][0][0]), seed, resamples)
    draws = np.concatenate([_mean_difference(each, pairs, relative) for each in weights])
    draws = draws[np.isfinite(draws)]
    return _bounds(draws, confidence) if len(draws) else (float("nan"), float("nan"))


def _as_floats(pairs: Sequence[tuple[Numbers, Numbers]]) -> list[list[Numbers]]:
    """The same in float64."""

    def plain(numbers: np.ndarray | None) -> np.ndarray | None:
        return None if numbers is None else np.asarray(numbers, np.float64)

    return [[(plain(above), plain(below)) for above, below in pair] for pair in pairs]


def _mean_difference(weights: np.ndarray, pairs: Sequence[Sequence[Numbers]], relative: bool) -> np.ndarray:
    """One difference a resample, the mean over trainings: weights [R, N] -> [R]; not finite where undefined."""
    mine, other = (np.stack([_ratios(weights, *pair[side]) for pair in pairs]) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (mine / other - 1.0 if relative else mine - other).mean(axis=0)


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
