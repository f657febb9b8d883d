"""The real images whose features stand for the real distribution, the same for every network that judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split

MOST = 10_000


def reference_images(dataset: Dataset, seed: int) -> Split:
    """The training images, or `MOST` random ones of them."""
    train = dataset.train
    if len(train) <= MOST:
        return train
    return train.subset(np.sort(np.random.default_rng(seed).choice(len(train), MOST, replace=False)))
