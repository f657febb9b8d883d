"""Accuracy and F1 per attribute (paper §4.1, ACC, and its abstract's F1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def _check(decided: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    decided, wanted = np.asarray(decided) > 0.5, np.asarray(wanted) > 0.5
    if decided.shape != wanted.shape or decided.ndim != 2:
        raise ValueError(f"decisions {decided.shape} and labels {wanted.shape} must both be [N, K]")
    return decided, wanted


def attribute_accuracy(decided: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Share of images in which an attribute is as wanted: float64 [K], from 0/1 arrays [N, K]."""
    decided, wanted = _check(decided, wanted)
    return (decided == wanted).mean(axis=0)


def attribute_f1(decided: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN) an attribute: float64 [K]; NaN where it is neither wanted nor decided at all."""
    decided, wanted = _check(decided, wanted)
    right = 2.0 * (decided & wanted).sum(axis=0)
    total = right + (decided ^ wanted).sum(axis=0)
    return np.divide(right, total, out=np.full(decided.shape[1], np.nan), where=total > 0)


def exact_match(decided: np.ndarray, wanted: np.ndarray) -> float:
    """Share of images in which every attribute is as wanted."""
    decided, wanted = _check(decided, wanted)
    return float((decided == wanted).all(axis=1).mean())


def changed_accuracy(decided: np.ndarray, wanted: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Accuracy an attribute over the images whose translation had to change it: float64 [K], NaN if none had to.

    The plain accuracy is flattered by attributes that were right already; copying the input scores 0 here.

    Args:
      decided: classifier's decisions on translated images, [N, K].
      wanted: target labels [N, K].
      before: labels of the inputs [N, K].
    """
    decided, wanted = _check(decided, wanted)
    return _share(decided == wanted, wanted != (np.asarray(before) > 0.5))


def kept_accuracy(decided: np.ndarray, wanted: np.ndarray, before: np.ndarray) -> np.ndarray:
    """As `changed_accuracy`, over the images whose translation had to leave the attribute as it was."""
    decided, wanted = _check(decided, wanted)
    return _share(decided == wanted, wanted == (np.asarray(before) > 0.5))


def _share(right: np.ndarray, asked: np.ndarray) -> np.ndarray:
    count = asked.sum(axis=0)
    return np.divide((right & asked).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def summary(decided: np.ndarray, wanted: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The figures above, by attribute name, with their means; JSON-ready."""
    accuracies, f1 = attribute_accuracy(decided, wanted), attribute_f1(decided, wanted)
    return {
        "accuracy": by_name(accuracies, names),
        "accuracy_mean": float(accuracies.mean()),
        "f1": by_name(f1, names),
        "f1_mean": mean_of_defined(f1),
        "exact_match": exact_match(decided, wanted),
    }


def by_name(values: np.ndarray, names: Sequence[str]) -> dict[str, float | None]:
    """Values [K] by attribute name; NaN, which JSON does not know, becomes None."""
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}


def mean_of_defined(values: np.ndarray) -> float | None:
    """Mean of the entries that are not NaN; None if all are."""
    values = np.asarray(values)[~np.isnan(values)]
    return float(values.mean()) if len(values) else None
