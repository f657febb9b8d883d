"""What networks trained on ImageNet make of translations and of real images: FID, KID, Inception Score (paper §4.1)."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from absl import logging

from rgunit_tf import atomic, pixels
from rgunit_tf.evaluation.judge.reference_images import reference_images
from rgunit_tf.evaluation.metrics import frechet, inception_score

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split

# Test images whose translations are measured, at most (paper §4.1).
IMAGES = 10_000
BATCH_SIZE = 64
NO_CLASSES = np.zeros((0, 0), np.float32)


class Network(Protocol):
    """`inception.Inception` or `efficientnet.EfficientNet`.

    Attributes:
      name: how reports call it.
      to_inputs: names of its Frechet and kernel distances to the input images; None: they are not told.
      to_train: the same to real training images.
    """

    name: str
    to_inputs: tuple[str, str] | None
    to_train: tuple[str, str]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 images [N, H, W, 3] -> features [N, F] and class probabilities [N, C], or None without classes."""


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


class ImageNetJudge:
    """A network with its views of real images, which all stages share.

    Args:
      network: trained on ImageNet.
      dataset: its `.test` is translated; `.train` are the real images beside.
      seed: of the choice of images and the resamples.
      folder: keeps the views of real images, which take minutes without a GPU; None keeps nothing.
    """

    def __init__(self, network: Network, dataset: Dataset, seed: int = 0, folder: pathlib.Path | None = None):
        self.network, self.seed = network, seed
        count = len(dataset.test)
        self.rows = np.sort(np.random.default_rng(seed).permutation(count)[:IMAGES])
        self.test = self._real(dataset, dataset.test.subset(self.rows), "test", folder)
        self.train = self._real(dataset, reference_images(dataset, seed), "train", folder)

    def _real(self, dataset: Dataset, split: Split, name: str, folder: pathlib.Path | None) -> Views:
        key = hashlib.sha256(f"{dataset.fingerprint}/{self.network.name}/{self.seed}".encode()).hexdigest()[:16]
        path = None if folder is None else folder / f"{name}-{key}.npz"
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return Views(kept["features"], kept["probabilities"])
        logging.info("%s: %d real %s images", self.network.name.partition(",")[0], len(split), name)
        views = Views.of(
            self.network,
            (pixels.to_uint8(batch["image"]).numpy() for batch in split.batches(BATCH_SIZE, training=False)),
        )
        if path is not None:
            with atomic.path(path) as temporary:
                np.savez(temporary, features=views.features, probabilities=views.probabilities)
        return views

    def translated(self, rows: np.ndarray, images: np.ndarray) -> list[Views]:
        """Views of those translations that are measured; empty if none is.

        Args:
          rows: of the inputs in the test split, int [B].
          images: their translations, uint8 [B, S, S, 3].
        """
        chosen = images[np.isin(rows, self.rows)]
        return [Views.of(self.network, [chosen])] if len(chosen) else []

    def records(self, parts: Iterable[Views]) -> dict[str, dict[str, Any]]:
        """Records of translations, from the views of their batches.

        Returns:
          Both distances to the input images (`fid` and `kid`, as in the paper), which copying the input would satisfy;
          both to real training images (`fid_to_train`, `frechet_efficientnet_distance`), which it would not improve;
          `inception_score`. Without those that the network has no name for.
        """
        parts = list(parts)
        features = np.concatenate([part.features for part in parts])
        inputs = "inputs of the translations"
        return {
            **self._distances(features, self.test.features, self.network.to_inputs, inputs),
            **self._distances(features, self.train.features, self.network.to_train, "real training images"),
            **self._score(np.concatenate([part.probabilities for part in parts])),
        }

    def real_records(self) -> dict[str, dict[str, Any]]:
        """Records of real test images: both distances to real training images, which a model can reach; the score."""
        return {
            **self._distances(self.test.features, self.train.features, self.network.to_train, "real training images"),
            **self._score(self.test.probabilities),
        }

    def _distances(
        self, features: np.ndarray, reference: np.ndarray, names: tuple[str, str] | None, against: str
    ) -> dict[str, dict[str, Any]]:
        if names is None:
            return {}
        return frechet.distances(features, reference, self.network.name, self.seed, "", against, names)

    def _score(self, probabilities: np.ndarray) -> dict[str, dict[str, Any]]:
        if not probabilities.size:
            return {}
        return {"inception_score": inception_score.record(probabilities, f"by {self.network.name}", self.seed)}
