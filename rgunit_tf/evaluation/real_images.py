"""The "real images" row of paper Table 2: what the judges say of real test images, and their views of real images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.diversity import real_pair_distance
from rgunit_tf.evaluation.judge.reference_images import reference_images
from rgunit_tf.evaluation.metrics import accuracy_records, classifier_score, frechet
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.judge.networks import Judge

BATCH_SIZE = 256
# What distances are measured to, in records.
REAL_TRAINING = "real training images"


@dataclasses.dataclass(frozen=True)
class RealFeatures:
    """The classifier's view of real images, computed once and shared by the evaluations of all stages.

    Attributes:
      train: features of real training images, [M, F].
      test: features of real test images, [N, F].
      test_scores: the classifier's scores of real test images, [N, K].
    """

    train: np.ndarray
    test: np.ndarray
    test_scores: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, classifier: AttributeClassifier, seed: int = 0) -> RealFeatures:
        """Runs the classifier over the test split and the `reference_images`."""
        views = [classifier(batch["image"]) for batch in dataset.test.batches(BATCH_SIZE, training=False)]
        return cls(
            classifier.features(reference_images(dataset, seed).batches(BATCH_SIZE, training=False)),
            np.concatenate([features for _, features in views]),
            np.concatenate([scores for scores, _ in views]),
        )


def evaluate_real(
    dataset: Dataset,
    classifier: AttributeClassifier,
    real: RealFeatures,
    seed: int = 0,
    judges: Sequence[Judge] = (),
    perceptual: Sequence[PerceptualNetwork] = (),
) -> dict[str, Any]:
    """Figures of real test images by the judges of the translations.

    A diversity of translations is not defined for them; the distance of two real images of one domain stands beside
    it as a scale.

    Args:
      dataset: with labelled test images.
      classifier: judges.
      real: its view of `dataset`.
      seed: of the resamples.
      judges: networks trained elsewhere, whose figures are added.
      perceptual: networks that measure diversity beside the classifier.

    Returns:
      {"metrics": records by name, "seconds": float}: accuracy, f1, exact_match, classifier_score,
      frechet_classifier_distance and kernel_classifier_distance to real training images (the floor of what a model
      can reach), classifier_feature_pair_distance and the like of other networks, and those of
      `real_records` of the judges.
    """
    started = time.perf_counter()
    decided = classifier.decide(real.test_scores)
    schema = classifier.schema
    metrics = accuracy_records.accuracy_records(decided, dataset.test.labels, schema.names, classifier.name, seed)
    metrics["classifier_score"] = classifier_score.record(
        real.test_scores, dataset.train.labels, schema, classifier.name, seed
    )
    metrics.update(frechet.distances(real.test, real.train, classifier.name, seed, "", REAL_TRAINING))
    for network in (classifier.perceptual_network, *perceptual):
        name = f"{network.metric.removesuffix('_diversity')}_pair_distance"
        metrics[name] = real_pair_distance(dataset, network, seed)
    for network in judges:
        metrics.update(network.real_records())
    return {"metrics": metrics, "seconds": round(time.perf_counter() - started, 1)}
