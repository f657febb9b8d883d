"""Split: the images of one part of a data set; Dataset: its parts together."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rgunit_tf.data.pipeline import Augmentation, Pipeline
from rgunit_tf.data.store import ImageStore
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import several, to_bytes


class Split:
    """N images with their names and, unless they are unlabelled, their labels.

    Batches are dicts: `image` float32 [B, S, S, 3] in [-1, 1]; `id` string [B]; `label` float32 [B, K] of 0 and 1,
    absent where the split has no labels; in training also `target` float32 [B, K], a label vector that occurs in this
    split, drawn as often as it occurs among the images whose label differs from that of the image.

    Args:
      store: decoded images.
      rows: rows of the store, int64 [N].
      ids: unique names, [N].
      schema: names of the K attributes.
      labels: float32 [N, K] of 0 and 1, or None.
      content_labels: float32 [N, C] of 0 and 1, or None.
      content_names: the C names.
      augmentation: what training does to the images.
      identities: the number of the person or thing on each image, int64 [N], or None.
    """

    def __init__(
        self,
        store: ImageStore,
        rows: np.ndarray,
        ids: np.ndarray,
        schema: AttributeSchema,
        labels: np.ndarray | None = None,
        content_labels: np.ndarray | None = None,
        content_names: Sequence[str] = (),
        augmentation: Augmentation | None = None,
        identities: np.ndarray | None = None,
    ):
        self.store = store
        self.rows = np.asarray(rows, np.int64)
        self.ids = np.asarray(ids, np.str_)
        self.schema = schema
        self.labels = None if labels is None else np.asarray(labels, np.float32)
        self.content_labels = None if content_labels is None else np.asarray(content_labels, np.float32)
        self.content_names = tuple(content_names)
        self._augmentation = augmentation or Augmentation()
        self.identities = None if identities is None else np.asarray(identities, np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        labels = f"labelled by {', '.join(self.schema.names)}" if self.labels is not None else "not labelled"
        return f"<Split of {several(len(self), 'image')}, {self.image_size} px, {labels}>"

    @property
    def image_size(self) -> int:
        """S, the side of the images in pixels."""
        return self.store.size

    def subset(self, indices: Sequence[int] | np.ndarray) -> Split:
        """The images at `indices` (positions, or a boolean mask [N]), in that order."""
        indices = np.asarray(indices)
        indices = np.flatnonzero(indices) if indices.dtype == bool else indices.astype(np.int64)
        return Split(
            self.store,
            self.rows[indices],
            self.ids[indices],
            self.schema,
            None if self.labels is None else self.labels[indices],
            None if self.content_labels is None else self.content_labels[indices],
            self.content_names,
            self._augmentation,
            None if self.identities is None else self.identities[indices],
        )

    def image(self, index: int) -> np.ndarray:
        """One image, not augmented: uint8 [S, S, 3]."""
        return self.images([index])[0]

    def images(self, indices: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Images, not augmented: uint8 [n, S, S, 3]; all of them by default."""
        return self.store.images(self.rows if indices is None else self.rows[np.asarray(indices, np.int64)])

    def encoded(self, index: int) -> bytes:
        """One image as it lies in its file."""
        return self.store.reader.read(int(self.rows[index]))

    @functools.cached_property
    def _pipeline(self) -> Pipeline:
        if not len(self):
            raise UserError("data: this split holds no images; lower data.test_images or give more data")
        return Pipeline(self.store, self.rows, self.ids, self.labels, self._augmentation)

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> tf.data.Dataset:
        """Endless augmented batches that can be taken up again anywhere.

        Batch n depends on `batch_size`, `seed` and n alone, so a run that stopped after n batches goes on exactly with
        `start_step=n`. Every image occurs once in each run of N consecutive samples that starts at a multiple of N.

        Args:
          batch_size: images a batch, over all devices together.
          seed: another seed gives another order, other crops and other targets.
          start_step: number of the first batch.
        """
        _check_batch_size(batch_size)
        return self._pipeline.stream(batch_size, seed, start_step)

    def batches(
        self, batch_size: int, training: bool = True, seed: int = 0, drop_remainder: bool | None = None
    ) -> tf.data.Dataset:
        """One epoch of batches, for `fit`, `evaluate` and `predict`.

        Args:
          batch_size: images a batch, over all devices together.
          training: shuffle and augment, anew each time the data set is iterated; else keep the order and the images.
          seed: of the order and the augmentation.
          drop_remainder: leave out a last batch that is not full; by default in training only, unless there is
            no full one.
        """
        _check_batch_size(batch_size)
        if drop_remainder is None:
            drop_remainder = training and len(self) >= batch_size
        if training:
            return self._pipeline.epoch(batch_size, seed, drop_remainder)
        return self._pipeline.in_order(batch_size, drop_remainder)

    def domains(self) -> dict[str, np.ndarray]:
        """Domain, as the names that hold joined by commas, -> indices of its images, in order.

        Raises:
          UserError: the split has no labels.
        """
        if self.labels is None:
            raise UserError("data: these images have no labels; domains are known for labelled images only")
        vectors, domain = np.unique(self.labels, axis=0, return_inverse=True)
        domain = domain.reshape(-1)
        return {self.schema.describe(vector): np.flatnonzero(domain == number) for number, vector in enumerate(vectors)}


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise UserError(f"batch_size={batch_size} must be at least 1")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set in its parts.

    Attributes:
      train: labelled training images.
      validation: labelled images of the training part, kept back.
      test: labelled test images.
      retrieval: images the gallery is made of; `train` unless a larger, unlabelled source is asked for.
      schema: the attributes that define the domains.
      crop: part of the fingerprint: the centre crop in pixels of a picture of CelebA's size; 0: the largest square.
      crop_share: side of the centre crop before resizing as a share of a picture's shorter side.
      summary: what was read, as a table: see `rgunit_tf.data.summary`.
    """

    train: Split
    validation: Split
    test: Split
    retrieval: Split
    schema: AttributeSchema
    crop: int = 0
    crop_share: float = 1.0
    summary: str = ""

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of the names, encoded sizes and labels of all images and of how they are decoded."""
        digest = hashlib.sha256(f"{self.schema.to_dict()}/{self.train.image_size}/{self.crop}".encode())
        for split in (self.train, self.validation, self.test, self.retrieval):
            digest.update(to_bytes("\0".join(split.ids.tolist())) + b"\0\0")
            digest.update(np.ascontiguousarray(split.store.reader.sizes()[split.rows]).tobytes())
            if split.labels is not None:
                digest.update(split.labels.tobytes())
        return digest.hexdigest()[:32]

    def __repr__(self) -> str:
        return (
            f"Dataset(train={len(self.train)}, validation={len(self.validation)}, test={len(self.test)}, "
            f"retrieval={len(self.retrieval)}, domains={len(self.train.domains())}, image_size={self.train.image_size})"
        )
