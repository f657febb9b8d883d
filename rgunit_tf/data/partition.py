"""Seeded choices of rows: which are for testing and validation, which keep their labels."""

from __future__ import annotations

import numpy as np

from rgunit_tf.data.records import TEST, TRAIN, VALIDATION

MAX_TEST_SHARE = 0.2


def take_out(partition: np.ndarray, part: int, count: int, seed: int, among: np.ndarray | None = None) -> None:
    """Moves `count` training rows, chosen by `seed`, to another part, in place.

    Args:
      partition: int8 [N].
      part: the part they move to.
      count: how many; at least one training row stays.
      seed: of the choice; each part has a choice of its own.
      among: bool [N], the rows that may move; None: any.
    """
    eligible = partition == TRAIN
    if among is not None:
        eligible &= among
    rows = np.flatnonzero(eligible)
    count = min(count, len(rows) - 1)
    if count > 0:
        chosen = np.random.default_rng([seed, part]).permutation(rows)[:count]
        partition[chosen] = part


def seeded(
    partition: np.ndarray, test_images: int, validation_fraction: float, seed: int, among: np.ndarray | None = None
) -> None:
    """Fills in, in place, the parts that `partition` lacks: test, then validation.

    Args:
      partition: int8 [N].
      test_images: random test images (paper §4.1: 2,000), at most a fifth of the training rows.
      validation_fraction: share of the remaining training rows.
      seed: of both choices.
      among: bool [N], the rows that may move; None: any.
    """
    eligible = np.ones(len(partition), bool) if among is None else among
    if not ((partition == TEST) & eligible).any():
        training = int(((partition == TRAIN) & eligible).sum())
        take_out(partition, TEST, max(1, min(test_images, int(training * MAX_TEST_SHARE))), seed, eligible)
    if validation_fraction > 0 and not ((partition == VALIDATION) & eligible).any():
        training = int(((partition == TRAIN) & eligible).sum())
        take_out(partition, VALIDATION, max(1, round(training * validation_fraction)), seed, eligible)


def labelled_rows(rows: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The share of `rows` that keeps its labels, in order; a smaller share is part of every larger one."""
    count = max(1, round(len(rows) * fraction))
    order = np.random.default_rng([seed, len(rows)]).permutation(len(rows))
    return rows[np.sort(order[:count])]
