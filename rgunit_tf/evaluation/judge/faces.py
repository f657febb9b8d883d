"""What networks of faces, trained elsewhere, make of translations: who it is, and what attributes show.

The attribute classifier is trained on the very images that the models are trained on, and shares their accidents; a
model can meet it by what is no smile. These networks have seen neither the images nor the models.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from rgunit_tf.evaluation.judge.views import Network, Views, measured_rows
from rgunit_tf.evaluation.metrics import accuracy_records, identity

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

PREFIX = "face_"
# An attribute is judged where the network tells it on real test images: mean accuracy of those with and without it.
# On drawn faces, or where the data calls something else by the name, it does not.
LEAST = 0.75


class FaceJudge:
    """The network with its views of real test images, which all stages share.

    Args:
      network: of faces.
      known: attributes that its scores stand for, in order.
      dataset: its `.test` is translated.
      seed: of the choice of images and the resamples.
      folder: keeps the views of real images; None keeps nothing.
    """

    def __init__(
        self,
        network: Network,
        known: Sequence[str],
        dataset: Dataset,
        seed: int = 0,
        folder: pathlib.Path | None = None,
    ):
        self.network, self.seed = network, seed
        self.rows = measured_rows(dataset, seed)
        split = dataset.test.subset(self.rows)
        self.labels = np.asarray(split.labels)
        self.test = Views.of_real(network, dataset, split, "test", seed, folder)
        columns = {name: dataset.schema.names.index(name) for name in known if name in dataset.schema.names}
        right = {
            name: balanced_accuracy(self.test.probabilities[:, known.index(name)], self.labels[:, column])
            for name, column in columns.items()
        }
        self.attributes = tuple(name for name, value in right.items() if value >= LEAST)
        self._scores = [known.index(name) for name in self.attributes]
        self._columns = [columns[name] for name in self.attributes]
        for name in right.keys() - set(self.attributes):
            logging.info("faces' networks do not judge %s: right on %.2f of real test images", name, right[name])

    def translated(self, rows: np.ndarray, images: np.ndarray) -> list[Views]:
        """As `ImageNetJudge.translated`."""
        chosen = images[np.isin(rows, self.rows)]
        return [Views.of(self.network, [chosen])] if len(chosen) else []

    def records(self, parts: Iterable[Views], targets: np.ndarray) -> dict[str, dict[str, Any]]:
        """Records of translations, from the views of their batches.

        Args:
          parts: of the translations, in the order of the test split.
          targets: label vectors asked of the test images, [N, K].

        Returns:
          `face_identity_rank1`, `face_accuracy`, `face_changed_accuracy` and `face_kept_accuracy`, each also as
          `<name>/<attribute>`, the first of those images in which that one alone changes; none where the network tells
          no attribute on real images.
        """
        if not self.attributes:
            return {}
        views = Views.joined(parts)
        wanted, before = np.asarray(targets)[self.rows][:, self._columns], self.labels[:, self._columns]
        decided = views.probabilities[:, self._scores]
        found = accuracy_records.changed_and_kept_records(
            decided, wanted, before, self.attributes, self.network.name, self.seed
        )
        return {
            **self._identity(views.features, np.asarray(targets)[self.rows] != self.labels),
            **self._accuracy(decided, wanted),
            **{f"{PREFIX}{name}": record for name, record in found.items()},
        }

    def _identity(self, features: np.ndarray, changes: np.ndarray) -> dict[str, dict[str, Any]]:
        """Identity of all translations, and of those in which one attribute alone changes; changes: bool [N, K]."""
        which: dict[str, np.ndarray | None] = {self.network.identity: None}
        for name, column in zip(self.attributes, self._columns, strict=True):
            alone = changes[:, column] & (changes.sum(axis=1) == 1)
            if alone.any():
                which[f"{self.network.identity}/{name}"] = alone
        return {
            name: identity.rank1_record(features, self.test.features, self.network.name, self.seed, chosen)
            for name, chosen in which.items()
        }

    def real_records(self) -> dict[str, dict[str, Any]]:
        """Records of real test images: `face_accuracy`, which translations cannot be expected to exceed."""
        return self._accuracy(self.test.probabilities[:, self._scores], self.labels[:, self._columns])

    def _accuracy(self, decided: np.ndarray, wanted: np.ndarray) -> dict[str, dict[str, Any]]:
        if not self.attributes:
            return {}
        found = accuracy_records.accuracy_records(decided, wanted, self.attributes, self.network.name, self.seed)
        return {f"{PREFIX}{name}": record for name, record in found.items() if name.partition("/")[0] == "accuracy"}


def balanced_accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the accuracy over images with the attribute and over those without; 0 where one kind is missing.

    Args:
      scores: probabilities of the attribute, [N].
      labels: 0/1 [N].
    """
    right, holds = (scores > 0.5) == (labels > 0.5), labels > 0.5
    if holds.all() or not holds.any():
        return 0.0
    return float((right[holds].mean() + right[~holds].mean()) / 2.0)
