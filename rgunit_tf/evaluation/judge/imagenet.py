"""What networks trained on ImageNet make of translations and of real images: FID, KID, Inception Score (paper §4.1)."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.judge.reference_images import reference_images
from rgunit_tf.evaluation.judge.views import Network, Views, measured_rows
from rgunit_tf.evaluation.metrics import floor, frechet, identity, inception_score

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

# What is said wherever a figure is printed whose network training looked at too.
SEEN = "TRAINING SAW THIS NETWORK: no judgement"


class ImageNetJudge:
    """A network with its views of real images, which all stages share.

    Args:
      network: trained on ImageNet.
      dataset: its `.test` is translated; `.train` are the real images beside.
      seed: of the choice of images and the resamples.
      folder: keeps the views of real images, which take minutes without a GPU; None keeps nothing.
      seen: whether the models were trained against this network, so that its distances say nothing of their quality.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        seed: int = 0,
        folder: pathlib.Path | None = None,
        seen: bool = False,
    ):
        self.network, self.seed, self.seen = network, seed, seen
        self.rows = measured_rows(dataset, seed)
        self.test = Views.of_real(network, dataset, dataset.test.subset(self.rows), "test", seed, folder)
        self.train = Views.of_real(network, dataset, reference_images(dataset, seed), "train", seed, folder)

    def translated(self, rows: np.ndarray, images: np.ndarray) -> list[Views]:
        """Views of those translations that are measured; empty if none is.

        Args:
          rows: of the inputs in the test split, int [B].
          images: their translations, uint8 [B, S, S, 3].
        """
        chosen = images[np.isin(rows, self.rows)]
        return [Views.of(self.network, [chosen])] if len(chosen) else []

    def records(self, parts: Iterable[Views], targets: np.ndarray | None = None) -> dict[str, dict[str, Any]]:
        """Records of translations, from the views of their batches; the targets do not matter.

        Returns:
          Both distances to the input images (`fid` and `kid`, as in the paper), which copying the input would satisfy;
          both to real training images (`fid_to_train`, `frechet_mobilenet_distance`), which it would not improve;
          the Frechet one over that of real test images (`frechet_mobilenet_over_floor`); `inception_score` and
          `identity_rank1`. Without those that the network has no name for. Those of a network
          that training saw are marked (`seen_in_training`), and without an identity.
        """
        del targets
        views = Views.joined(parts)
        inputs, train = "inputs of the translations", "real training images"
        to_train = self._distances(views.features, self.train.features, self.network.to_train, train)
        return self._marked(
            {
                **self._distances(views.features, self.test.features, self.network.to_inputs, inputs),
                **to_train,
                **self._over_floor(to_train),
                **self._score(views.probabilities),
                **self._identity(views.features),
            }
        )

    def real_records(self) -> dict[str, dict[str, Any]]:
        """Records of real test images: both distances to real training images, which a model can reach; the score."""
        return self._marked({**self._floors, **self._score(self.test.probabilities)})

    @functools.cached_property
    def _floors(self) -> dict[str, dict[str, Any]]:
        """Both distances of real test images to real training images."""
        train = "real training images"
        return self._distances(self.test.features, self.train.features, self.network.to_train, train)

    def _over_floor(self, records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Of the Frechet distance to real training images alone: a kernel distance's floor is about 0."""
        distance = next(iter(records), None)
        if distance is None:
            return {}
        return {floor.name_of(distance): floor.over_floor(records[distance], self._floors[distance], self.seed)}

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

    def _identity(self, features: np.ndarray) -> dict[str, dict[str, Any]]:
        if self.network.identity is None or self.seen:
            return {}
        record = identity.rank1_record(features, self.test.features, self.network.name, self.seed)
        return {self.network.identity: record}

    def _marked(self, records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if not self.seen:
            return records
        return {
            name: {**record, "computed_with": f"{SEEN}; {record['computed_with']}", "seen_in_training": True}
            for name, record in records.items()
        }
