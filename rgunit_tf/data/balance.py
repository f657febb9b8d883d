"""As many training images of each domain: the rows of rare ones are repeated."""

from __future__ import annotations

import numpy as np

from rgunit_tf.data.split import Split


def balanced(split: Split) -> Split:
    """The images of a labelled split, those of each domain repeated until it has as many as the largest one.

    For `stream` alone: names occur several times. Targets, which are drawn as often as they occur, are balanced by the
    same means. Each image comes up as often as the others of its domain, or once more.
    """
    return split.subset(balanced_indices(split.labels))


def balanced_indices(labels: np.ndarray) -> np.ndarray:
    """Labels [N, K] -> int64 [D * M], domain by domain; M is the size of the largest of D domains."""
    _, domain, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    domain = domain.reshape(-1)
    largest = counts.max()
    return np.concatenate([np.resize(np.flatnonzero(domain == number), largest) for number in range(len(counts))])
