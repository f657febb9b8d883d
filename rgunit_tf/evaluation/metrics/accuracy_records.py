"""Accuracy and F1 with their intervals, as records of a report (paper §4.1, ACC)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import accuracy, bootstrap
from rgunit_tf.evaluation.metrics.measurement import Record, measurement


def accuracy_records(
    decided: np.ndarray, wanted: np.ndarray, names: Sequence[str], words: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Records `accuracy`, `f1` (each also as `<name>/<attribute>`) and `exact_match`.

    Args:
      decided: the classifier's decisions 0/1 [N, K].
      wanted: the labels 0/1 [N, K].
      names: of the K attributes.
      words: what decided.
      seed: of the resamples.
    """
    right = (decided > 0.5) == (wanted > 0.5)
    both = 2.0 * ((decided > 0.5) & (wanted > 0.5))
    all_images = np.ones(right.shape, bool)
    every = _record(
        right.all(axis=1), np.ones(len(right)), all_images[:, 0], f"images with every attribute right; {words}", seed
    )
    return {
        **_by_attribute("accuracy", "accuracy", right, all_images, all_images, names, words, seed),
        **_by_attribute("f1", "F1", both, both + ~right, all_images, names, words, seed),
        "exact_match": every,
    }


def mean_accuracy_record(decided: np.ndarray, wanted: np.ndarray, words: str, seed: int) -> dict[str, Any]:
    """The record `accuracy` alone."""
    right = (decided > 0.5) == (wanted > 0.5)
    words = f"mean accuracy of {right.shape[1]} attributes; {words}"
    return _record(right, np.ones(right.shape), np.ones(len(right), bool), words, seed)


def changed_and_kept_records(
    decided: np.ndarray, wanted: np.ndarray, before: np.ndarray, names: Sequence[str], words: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Records `changed_accuracy` and `kept_accuracy`, each also as `<name>/<attribute>`; see `accuracy`.

    Their images are those whose translation had to change, or to keep, the attribute, or any attribute.
    """
    right = (decided > 0.5) == (wanted > 0.5)
    changed = (wanted > 0.5) != (before > 0.5)
    records = {}
    for name, verb, asked in (("changed", "change", changed), ("kept", "keep", ~changed)):
        meaning = f"accuracy where the translation had to {verb} the attribute"
        records.update(_by_attribute(f"{name}_accuracy", meaning, right & asked, asked, asked, names, words, seed))
    return records


def _by_attribute(
    name: str,
    meaning: str,
    above: np.ndarray,
    below: np.ndarray,
    asked: np.ndarray,
    names: Sequence[str],
    words: str,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Each of these figures is a ratio of sums over images: [N, K] over [N, K]; `asked` [N, K]: whom it is about."""
    records = {
        f"{name}/{attribute}": _record(
            above[:, column], below[:, column], asked[:, column], f"{meaning}; {words}", seed
        )
        for column, attribute in enumerate(names)
    }
    words = f"mean {meaning} of {len(names)} attributes; {words}"
    records[name] = _record(above, below, asked.any(axis=1), words, seed)
    return records


def _record(above: np.ndarray, below: np.ndarray, asked: np.ndarray, words: str, seed: int) -> Record:
    started = time.perf_counter()
    total, count = above.sum(axis=0, dtype=np.float64), below.sum(axis=0, dtype=np.float64)
    ratios = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    mean = accuracy.mean_of_defined(np.atleast_1d(ratios))
    return measurement(
        float("nan") if mean is None else mean,
        bootstrap.ratio_interval(above, below, seed),
        asked.sum(),
        words,
        seed,
        started,
    ).of_images(above, below)
