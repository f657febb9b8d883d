"""Inception Score (Salimans et al. 2016) on any classifier's predictions.

Only with an ImageNet Inception network is it called `inception_score`; see `classifier_score` for the other.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.measurement import measurement

SPLITS = 10


def _check(probabilities: np.ndarray) -> np.ndarray:
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or not len(probabilities):
        raise ValueError(f"probabilities of shape {probabilities.shape}, expected [N, C] with N > 0")
    return probabilities


def _log(probabilities: np.ndarray) -> np.ndarray:
    # 0 log 0 = 0.
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


def score(probabilities: np.ndarray) -> float:
    """exp(mean over images of KL(p(y|x) || p(y))), p(y) being the mean of the predictions [N, C]; from 1 to C."""
    probabilities = _check(probabilities)
    marginal = probabilities.mean(axis=0)
    return float(np.exp((probabilities * (_log(probabilities) - _log(marginal))).sum(axis=1).mean()))


def split_scores(probabilities: np.ndarray, splits: int = SPLITS) -> np.ndarray:
    """`score` of each of `splits` consecutive parts of the predictions [N, C]; fewer parts where N is smaller."""
    probabilities = _check(probabilities)
    return np.array([score(part) for part in np.array_split(probabilities, min(splits, len(probabilities)))])


def _weighted(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score of resamples given by the share of each image, [R, N] -> [R]."""
    negative_entropy = (probabilities * _log(probabilities)).sum(axis=1)
    marginal = weights @ probabilities
    return np.exp(weights @ negative_entropy - (marginal * _log(marginal)).sum(axis=1))


def record(probabilities: np.ndarray, words: str, seed: int, splits: int = SPLITS) -> dict[str, Any]:
    """Mean of the splits' scores with the deviation between them, and a bootstrap interval.

    Args:
      probabilities: predictions [N, C]; rows sum to 1.
      words: what predicted them.
      seed: of the splits and the resamples.
      splits: random parts of nearly equal size. Smaller parts lower the score, so it compares only at an equal
        number of images and splits.

    Returns:
      A record (see `measurement`) with the further entries `deviation` and `splits`.
    """
    started = time.perf_counter()
    # Images of one domain may lie together in the data.
    probabilities = np.random.default_rng(seed).permutation(_check(probabilities))
    scores = split_scores(probabilities, splits)
    value = float(scores.mean())
    interval = bootstrap.statistic_interval(
        lambda weights: _weighted(probabilities, weights), value, len(probabilities), seed
    )
    return measurement(
        value,
        interval,
        len(probabilities),
        f"exp of the mean KL divergence of predictions from their marginal, mean of {len(scores)} splits; {words}",
        seed,
        started,
        deviation=float(scores.std()),
        splits=len(scores),
    )
