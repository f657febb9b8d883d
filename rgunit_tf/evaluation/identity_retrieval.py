"""Whether a retrieval model finds another photograph of the same person: what content is, where people are known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.metrics.precision_at_k import RANDOM_PREFIX, first_ranks
from rgunit_tf.evaluation.outputs.neighbors import BATCH_SIZE, embed_queries

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

RESAMPLES = 200


def evaluate_identity(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, dict[str, Any]]:
    """How far behind other people a person is found, among the test images.

    A query is a test image of somebody who is on another one, too, asked for in the attributes that a random one of
    these has, so that there is a right answer. The candidates are all other test images, not the gallery: with parts
    that are disjoint by person, as CelebA's are, nobody on a test image is in the gallery.

    Args:
      model: has `.translation.prior`, `.embed_query(images, styles)` and `.embed_images(images)`.
      dataset: its `.test` may know its people.
      seed: of the asked images, styles and resamples.

    Returns:
      Records `identity_rank` (median of the rank of the first image of the same person) and `identity_first` (share of
      queries whose nearest candidate is of the same person), and after `RANDOM_PREFIX` what candidates in random order
      would give; none where the people are not known or nobody is on two test images.
    """
    started, test = time.perf_counter(), dataset.test
    if test.identities is None:
        return {}
    same = (test.identities[:, None] == test.identities[None]) & (test.identities >= 0)
    np.fill_diagonal(same, False)
    rows = np.flatnonzero(same.any(axis=1))
    if not len(rows):
        return {}
    generator = np.random.default_rng([seed, 7])
    others = np.array([generator.choice(np.flatnonzero(same[row])) for row in rows])
    queries = embed_queries(model, test.subset(rows), np.asarray(test.labels)[others], seed)
    distances = _distances(queries, _embedded(model, test.images()))
    distances[np.arange(len(rows)), rows] = np.inf
    same, count = same[rows], len(test) - 1
    words = (
        f"among the {count} other test images; {len(rows)} queries, test images of {len(set(test.identities[rows]))} "
        "people with several, in the attributes of another one of theirs"
    )
    ranks, right = first_ranks(distances, same), same.sum(axis=1)
    found = _records(ranks, (ranks == 1).astype(float), f"{words}", seed, started)
    # Of n candidates in random order with m right ones the first right one is at rank (n + 1) / (m + 1) on average.
    chance = _records((count + 1) / (right + 1), right / count, f"{words}; in random order", seed, started)
    return {**found, **{f"{RANDOM_PREFIX}{name}": record for name, record in chance.items()}}


def _records(ranks: np.ndarray, first: np.ndarray, words: str, seed: int, started: float) -> dict[str, dict[str, Any]]:
    generator, size = np.random.default_rng(seed), (RESAMPLES, len(ranks))
    draws = np.median(ranks[generator.integers(len(ranks), size=size)], axis=1)
    interval = tuple(np.quantile(draws, (0.025, 0.975)))
    rank_words = f"median rank of the first image of the same person {words}"
    first_words = f"share of queries whose nearest is of the same person, {words}"
    return {
        "identity_rank": measurement(float(np.median(ranks)), interval, len(ranks), rank_words, seed, started),
        "identity_first": measurement(
            first.mean(), bootstrap.mean_interval(first, seed), len(ranks), first_words, seed, started
        ),
    }


def _embedded(model: Any, images: np.ndarray) -> np.ndarray:
    embed = tf.function(model.embed_images, reduce_retracing=True, autograph=False)
    starts = range(0, len(images), BATCH_SIZE)
    return np.concatenate([embed(pixels.to_float(images[start : start + BATCH_SIZE])).numpy() for start in starts])


def _distances(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, float64 [Q, N]."""
    queries, candidates = queries.astype(np.float64), candidates.astype(np.float64)
    squares = np.square(queries).sum(axis=1)[:, None] + np.square(candidates).sum(axis=1)[None]
    return squares - 2.0 * queries @ candidates.T
