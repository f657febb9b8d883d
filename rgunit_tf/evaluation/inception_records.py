"""FID, KID and Inception Score (paper §4.1) of translations and of real images, on Inception-v3 features."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.evaluation import frechet, inception_score
from rgunit_tf.evaluation.attribute_classifier import as_uint8
from rgunit_tf.evaluation.real_images import reference_images
from rgunit_tf.evaluation.translated import TranslatedBatch

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split
    from rgunit_tf.evaluation.inception import Inception

# Test images whose translations are measured, at most (paper §4.1).
IMAGES = 10_000
BATCH_SIZE = 64
NO_CLASSES = np.zeros((0, 0), np.float32)


@dataclasses.dataclass(frozen=True)
class Views:
    """What Inception makes of some images: features [N, 2048] and class probabilities [N, C], [0, 0] without classes.

    About 12 kB an image, and of 10,000 images at most: memory does not grow with the data.
    """

    features: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, network: Inception, batches: Iterable[np.ndarray]) -> Views:
        """Runs the network over batches of uint8 images [B, H, W, 3], one at a time."""
        features, probabilities = zip(*(network(images) for images in batches), strict=True)
        return cls(np.concatenate(features), NO_CLASSES if probabilities[0] is None else np.concatenate(probabilities))


class InceptionJudge:
    """Inception with its views of real images, which all stages share.

    Args:
      network: Inception-v3.
      dataset: its `.test` is translated; `.train` are the real images beside.
      seed: of the choice of images and the resamples.
      folder: keeps the views of real images, which take minutes without a GPU; None keeps nothing.
    """

    def __init__(self, network: Inception, dataset: Dataset, seed: int = 0, folder: pathlib.Path | None = None):
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
        logging.info("Inception features of %d real %s images", len(split), name)
        views = Views.of(
            self.network, (as_uint8(batch["image"]) for batch in split.batches(BATCH_SIZE, training=False))
        )
        if path is not None:
            with atomic.path(path) as temporary:
                np.savez(temporary, features=views.features, probabilities=views.probabilities)
        return views

    def translated(self, batch: TranslatedBatch) -> Views | None:
        """Views of those translations of `batch` that are measured; None if none is."""
        chosen = batch.outputs[np.isin(batch.rows, self.rows)]
        return Views.of(self.network, [chosen]) if len(chosen) else None

    def records(self, parts: Iterable[Views]) -> dict[str, dict[str, Any]]:
        """Records of translations, from the views of their batches.

        Returns:
          `fid` and `kid` to the input images, as in the paper, which copying the input would satisfy; `fid_to_train`
          and `kid_to_train` to real training images, which it would not improve; `inception_score`.
        """
        parts = list(parts)
        features = np.concatenate([part.features for part in parts])
        inputs = "inputs of the translations"
        return {
            **self._distances(features, self.test.features, "", inputs),
            **self._distances(features, self.train.features, "_to_train", "real training images"),
            **self._score(np.concatenate([part.probabilities for part in parts])),
        }

    def real_records(self) -> dict[str, dict[str, Any]]:
        """Records of real test images: `fid_to_train`, `kid_to_train` (what a model can reach), `inception_score`."""
        return {
            **self._distances(self.test.features, self.train.features, "_to_train", "real training images"),
            **self._score(self.test.probabilities),
        }

    def _distances(
        self, features: np.ndarray, reference: np.ndarray, suffix: str, against: str
    ) -> dict[str, dict[str, Any]]:
        names = tuple(name + suffix for name in frechet.INCEPTION_NAMES)
        return frechet.distances(features, reference, self.network.name, self.seed, "", against, names)

    def _score(self, probabilities: np.ndarray) -> dict[str, dict[str, Any]]:
        if not probabilities.size:
            return {}
        return {"inception_score": inception_score.record(probabilities, f"by {self.network.name}", self.seed)}
