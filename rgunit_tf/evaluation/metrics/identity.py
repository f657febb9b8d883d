"""Whether a translation is still of the same person or thing: its own input is the nearest of all inputs.

The features must be of a network that training did not look at; see `judge/`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.measurement import measurement

# Rows compared at once, so that memory does not grow with the square of the images.
BLOCK = 1000


def nearest(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Row of `gallery` [M, F] with the largest cosine to each of `queries` [N, F]; int64 [N], the first of equals."""
    queries, gallery = _unit(queries), _unit(gallery)
    starts = range(0, len(queries), BLOCK)
    return np.concatenate([(queries[start : start + BLOCK] @ gallery.T).argmax(axis=1) for start in starts])


def rank1_record(
    translations: np.ndarray, inputs: np.ndarray, feature_name: str, seed: int, chosen: np.ndarray | None = None
) -> dict[str, Any]:
    """Share of the translations that are nearer, by cosine, to their own input than to any other.

    1 / N for translations that say nothing of their inputs, 1 for copies, as far as no two inputs are the same.

    Args:
      translations: features of the translations, [N, F].
      inputs: of the untouched inputs, [N, F], in the same order.
      feature_name: what computed the features.
      seed: of the resamples.
      chosen: which translations count, bool [N], each still among all inputs; None: all do.
    """
    started, chosen = time.perf_counter(), np.ones(len(inputs), bool) if chosen is None else chosen
    own = (nearest(translations[chosen], inputs) == np.flatnonzero(chosen)).astype(np.float64)
    return measurement(
        own.mean(),
        bootstrap.mean_interval(own, seed),
        len(own),
        f"translations whose own input is the nearest, by cosine, of all {len(inputs)} inputs; {feature_name}",
        seed,
        started,
    ).of_images(own)


def _unit(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
