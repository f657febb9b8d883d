"""What a network that was trained elsewhere makes of images; of real ones it is kept, since it takes minutes."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from absl import logging

from rgunit_tf import atomic, pixels

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split

# Test images whose translations are measured, at most (paper §4.1).
IMAGES = 10_000
BATCH_SIZE = 64
NO_CLASSES = np.zeros((0, 0), np.float32)


class Network(Protocol):
    """A network of `pretrained/`.

    Attributes:
      key: its architecture, as a setting that trains against it would name it.
      name: how reports call it.
      to_inputs: names of its Frechet and kernel distances to the input images; None: they are not told.
      to_train: the same to real training images.
      identity: name of the share of translations whose own input is the nearest; None: it is not told.
    """

    key: str
    name: str
    to_inputs: tuple[str, str] | None
    to_train: tuple[str, str] | None
    identity: str | None

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 images [N, H, W, 3] -> features [N, F] and scores or class probabilities [N, C], or None without."""


@dataclasses.dataclass(frozen=True)
class Views:
    """What a network makes of some images: features [N, F] and class probabilities [N, C], [0, 0] without classes.

    At most 12 kB an image, and of 10,000 images at most: memory does not grow with the data.
    """

    features: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, network: Network, batches: Iterable[np.ndarray]) -> Views:
        """Runs the network over batches of uint8 images [B, H, W, 3], one at a time."""
        features, probabilities = zip(*(network(images) for images in batches), strict=True)
        return cls(np.concatenate(features), NO_CLASSES if probabilities[0] is None else np.concatenate(probabilities))

    @classmethod
    def joined(cls, parts: Iterable[Views]) -> Views:
        """Views of several batches in one."""
        features, probabilities = zip(*((part.features, part.probabilities) for part in parts), strict=True)
        return cls(np.concatenate(features), np.concatenate(probabilities))

    @classmethod
    def of_real(
        cls, network: Network, dataset: Dataset, split: Split, name: str, seed: int, folder: pathlib.Path | None
    ) -> Views:
        """Views of real images, computed once.

        Args:
          network: looks at them.
          dataset: that `split` is of.
          split: the images.
          name: of the split.
          seed: of their choice.
          folder: keeps the views; None keeps nothing.
        """
        key = hashlib.sha256(f"{dataset.fingerprint}/{network.name}/{seed}".encode()).hexdigest()[:16]
        path = None if folder is None else folder / f"{name}-{key}.npz"
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return cls(kept["features"], kept["probabilities"])
        logging.info("%s: %d real %s images", network.name.partition(",")[0], len(split), name)
        batches = split.batches(BATCH_SIZE, training=False)
        views = cls.of(network, (pixels.to_uint8(batch["image"]).numpy() for batch in batches))
        if path is not None:
            with atomic.path(path) as temporary:
                np.savez(temporary, features=views.features, probabilities=views.probabilities)
        return views


def measured_rows(dataset: Dataset, seed: int) -> np.ndarray:
    """Rows of the test split whose translations are measured, in order: int64, `IMAGES` at most."""
    return np.sort(np.random.default_rng(seed).permutation(len(dataset.test))[:IMAGES])
