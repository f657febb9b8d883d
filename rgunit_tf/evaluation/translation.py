"""Judges a translation model on the test split: accuracy, distance to the counterfactual, distance to real images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.metrics import accuracy_records, bootstrap, classifier_score, frechet
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals, mean_absolute_difference, structural_similarity
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.outputs.translated import draw_targets, translate_test_set
from rgunit_tf.evaluation.real_images import RealFeatures

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.judge.imagenet import ImageNetJudge, Views

BATCH_SIZE = 64


@dataclasses.dataclass
class _PerImage:
    """What is kept of each translated image: a few numbers, never the pixels."""

    scores: list[np.ndarray] = dataclasses.field(default_factory=list)
    features: list[np.ndarray] = dataclasses.field(default_factory=list)
    mask: list[np.ndarray] = dataclasses.field(default_factory=list)
    moved: list[np.ndarray] = dataclasses.field(default_factory=list)
    views: list[list[Views]] = dataclasses.field(default_factory=list)
    truth: dict[str, list[np.ndarray]] = dataclasses.field(
        default_factory=lambda: {"l1": [], "l1_input": [], "ssim": [], "ssim_input": []}
    )


def _collect(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    targets: np.ndarray,
    truth: Any,
    seed: int,
    judges: Sequence[ImageNetJudge],
) -> _PerImage:
    kept = _PerImage(views=[[] for _ in judges])
    for batch in translate_test_set(model, dataset.test, targets, seed, BATCH_SIZE):
        scores, features = classifier(batch.outputs)
        kept.scores.append(scores)
        kept.features.append(features)
        kept.mask.append(batch.masks.mean(axis=(1, 2, 3)))
        kept.moved.append(mean_absolute_difference(batch.outputs, batch.inputs))
        for network, views in zip(judges, kept.views, strict=True):
            views.extend(network.translated(batch.rows, batch.outputs))
        if truth is not None:
            drawn = truth[batch.rows]
            for name, images in (("", batch.outputs), ("_input", batch.inputs)):
                kept.truth[f"l1{name}"].append(mean_absolute_difference(images, drawn))
                kept.truth[f"ssim{name}"].append(structural_similarity(images, drawn))
    return kept


def _counterfactual_records(truth: dict[str, list[np.ndarray]], seed: int) -> dict[str, dict[str, Any]]:
    started = time.perf_counter()
    values = {name: np.concatenate(parts) for name, parts in truth.items()}
    count = len(values["l1"])
    words = "true counterfactual drawn by the avatars source"
    ratio = measurement(
        values["l1"].mean() / values["l1_input"].mean(),
        bootstrap.ratio_interval(values["l1"], values["l1_input"], seed),
        count,
        f"mean L1 to the {words}, over that of the untouched input",
        seed,
        started,
    )
    records = {"counterfactual_l1_ratio": ratio}
    meanings = {
        "l1": "mean L1 distance in grey levels 0..255 of the translation",
        "l1_input": "mean L1 distance in grey levels 0..255 of the untouched input",
        "ssim": "SSIM by tf.image of the translation",
        "ssim_input": "SSIM by tf.image of the untouched input",
    }
    for name, meaning in meanings.items():
        records[f"counterfactual_{name}"] = measurement(
            values[name].mean(),
            bootstrap.mean_interval(values[name], seed),
            count,
            f"{meaning} to the {words}",
            seed,
            started,
        )
    return records


def _over_floor(distance: dict[str, Any], floor: dict[str, Any], seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    interval = distance["interval"]
    return measurement(
        distance["value"] / floor["value"],
        None if interval is None else (interval[0] / floor["value"], interval[1] / floor["value"]),
        distance["images"],
        "Frechet distance of translations over that of as many real test images, both to real training images; "
        "the interval takes the floor as it is",
        seed,
        started,
    )


def evaluate_translation(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    real: RealFeatures | None = None,
    judges: Sequence[ImageNetJudge] = (),
) -> dict[str, dict[str, Any]]:
    """Every figure of a translation or guided model; one translation of each test image.

    Args:
      model: see `translated.translate_test_set`.
      dataset: its `.test` is translated, to label vectors that occur in `.train`.
      classifier: trained on the real training images of `dataset`.
      counterfactuals: draws the truth; without it those figures are left out.
      seed: of targets, styles and resamples.
      real: features of real images, from an earlier call with the same data and classifier.
      judges: networks trained on ImageNet, whose figures are added (FID, KID, Inception Score).

    Returns:
      Records (see `measurement`) by name: accuracy, f1, changed_accuracy (each also as `<name>/<attribute>`),
      exact_match, classifier_score, counterfactual_*, frechet_classifier_distance with its floor_ (real test against
      real training images) and frechet_over_floor, kernel_classifier_distance, mask, change, and
      those of `ImageNetJudge.records`.
    """
    real = real or RealFeatures.of(dataset, classifier, seed)
    labels = np.asarray(dataset.test.labels)
    targets = draw_targets(labels, dataset.train.labels, seed)
    truth = None if counterfactuals is None else counterfactuals.images(dataset.test.ids, targets)
    started = time.perf_counter()
    kept = _collect(model, dataset, classifier, targets, truth, seed, judges)
    seconds = time.perf_counter() - started

    scores = np.concatenate(kept.scores)
    decided, names = classifier.decide(scores), classifier.schema.names
    records = accuracy_records.accuracy_records(decided, targets, names, classifier.name, seed)
    records.update(accuracy_records.changed_accuracy_records(decided, targets, labels, names, classifier.name, seed))
    records["classifier_score"] = classifier_score.record(
        scores, dataset.train.labels, classifier.schema, classifier.name, seed
    )
    if truth is not None:
        records.update(_counterfactual_records(kept.truth, seed))
    against = "real training images"
    features = np.concatenate(kept.features)
    records.update(frechet.distances(features, real.train, classifier.name, seed, "", against))
    records.update(frechet.distances(real.test, real.train, classifier.name, seed, "floor_", against))
    records["frechet_over_floor"] = _over_floor(
        records["frechet_classifier_distance"], records["floor_frechet_classifier_distance"], seed
    )
    for network, views in zip(judges, kept.views, strict=True):
        records.update(network.records(views))
    for name, parts, meaning in (
        ("mask", kept.mask, "mean attention mask, 0..1"),
        ("change", kept.moved, "mean L1 distance to the input, grey levels 0..255"),
    ):
        values = np.concatenate(parts)
        interval = bootstrap.mean_interval(values, seed)
        records[name] = measurement(values.mean(), interval, len(values), meaning, seed, started)
    records["images_per_second"] = measurement(
        len(targets) / seconds, None, len(targets), "translation and judgement together", seed, started
    )
    return records
