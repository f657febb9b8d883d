"""Measures a translation model on the test split: accuracy, distance to the counterfactual, distance to real images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.collected import Collected, collect
from rgunit_tf.evaluation.metrics import (
    accuracy_records,
    bootstrap,
    classifier_score,
    counterfactual_records,
    floor,
    frechet,
)
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.real_images import REAL_TRAINING, RealFeatures

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.judge.networks import Judge


def evaluate_translation(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    real: RealFeatures | None = None,
    judges: Sequence[Judge] = (),
) -> dict[str, dict[str, Any]]:
    """Every figure of a translation or guided model; one translation of each test image.

    Args:
      model: see `translated.translate_test_set`.
      dataset: its `.test` is translated, to label vectors that occur in `.train`.
      classifier: trained on the real training images of `dataset`.
      counterfactuals: draws the truth; without it those figures are left out.
      seed: of targets, styles and resamples.
      real: features of real images, from an earlier call with the same data and classifier.
      judges: networks trained elsewhere, whose figures are added (FID, KID, Inception Score, identity).

    Returns:
      Records (see `measurement`) by name: accuracy, f1, changed_accuracy, kept_accuracy (each also as
      `<name>/<attribute>`), exact_match, classifier_score, counterfactual_*, frechet_classifier_distance with its
      floor_ (real test against real training images) and frechet_classifier_over_floor, kernel_classifier_distance,
      mask, change, change_inside_mask, color_shift, and those of `ImageNetJudge.records` and `FaceJudge.records`.
    """
    real = real or RealFeatures.of(dataset, classifier, seed)
    kept = collect(model, dataset, classifier, counterfactuals, seed, judges)
    records = {
        **_attribute_records(kept, dataset, classifier, seed),
        **_distance_records(kept.columns["features"], real, classifier.name, seed),
        **_other_records(kept, seed),
    }
    if counterfactuals is not None:
        records.update(counterfactual_records.records(kept.columns, seed))
    for network, views in zip(judges, kept.views, strict=True):
        records.update(network.records(views, kept.targets))
    return records


def _attribute_records(
    kept: Collected, dataset: Dataset, classifier: AttributeClassifier, seed: int
) -> dict[str, dict[str, Any]]:
    """What the classifier says of the attributes."""
    scores, labels = kept.columns["scores"], np.asarray(dataset.test.labels)
    decided, schema, words = classifier.decide(scores), classifier.schema, classifier.name
    return {
        **accuracy_records.accuracy_records(decided, kept.targets, schema.names, words, seed),
        **accuracy_records.changed_and_kept_records(decided, kept.targets, labels, schema.names, words, seed),
        "classifier_score": classifier_score.record(scores, dataset.train.labels, schema, words, seed),
    }


def _distance_records(features: np.ndarray, real: RealFeatures, words: str, seed: int) -> dict[str, dict[str, Any]]:
    """Distances to real images on the classifier's features, and their floor."""
    records = {
        **frechet.distances(features, real.train, words, seed, "", REAL_TRAINING),
        **frechet.distances(real.test, real.train, words, seed, "floor_", REAL_TRAINING),
    }
    distance = frechet.CLASSIFIER_NAMES[0]
    return {**records, floor.name_of(distance): floor.over_floor(records[distance], records[f"floor_{distance}"], seed)}


def _other_records(kept: Collected, seed: int) -> dict[str, dict[str, Any]]:
    """What the translations are like beside the inputs, and how fast they came."""
    records = {}
    for name, meaning in (
        ("mask", "mean attention mask, 0..1"),
        ("change", "mean L1 distance to the input, grey levels 0..255"),
        ("color_shift", "mean |R - G| + |G - B| of the translation less that of the input, grey levels"),
    ):
        started, values = time.perf_counter(), kept.columns[name]
        interval = bootstrap.mean_interval(values, seed)
        records[name] = measurement(values.mean(), interval, len(values), meaning, seed, started).of_images(values)
    records["change_inside_mask"] = _inside(kept.columns["change_inside"], kept.columns["change"], seed)
    count, words = len(kept.targets), "translation and judgement together"
    records["images_per_second"] = measurement(
        count / kept.seconds, None, count, words, seed, time.perf_counter() - kept.seconds
    )
    return records


def _inside(inside: np.ndarray, change: np.ndarray, seed: int) -> dict[str, Any]:
    """Mean mask over the change; undefined where no image changes."""
    started = time.perf_counter()
    return measurement(
        inside.sum() / change.sum() if change.any() else float("nan"),
        bootstrap.ratio_interval(inside, change, seed),
        len(change),
        "L1 distance to the input weighted by the attention mask, over that everywhere, 0..1",
        seed,
        started,
    )
