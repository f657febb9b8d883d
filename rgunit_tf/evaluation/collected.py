"""What is kept of the translations of a test set: a few numbers an image, never the pixels."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.evaluation.metrics import pixel_change
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals, mean_absolute_difference, structural_similarity
from rgunit_tf.evaluation.outputs.translated import TranslatedBatch, draw_targets, translate_test_set

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.evaluation.judge.networks import Judge
    from rgunit_tf.evaluation.judge.views import Views

BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Collected:
    """One translation of each of N test images.

    Attributes:
      targets: label vectors asked for, float32 [N, K].
      columns: numbers of each image: `scores` [N, K] and `features` [N, F] of the classifier, `mask`, `change`,
        `change_inside` (weighted by the mask) and `color_shift` [N], and, where the truth was drawn, `l1`, `l1_input`,
        `ssim` and `ssim_input` [N] to it.
      views: what each of the judges saw, in parts.
      seconds: that it took to translate and to judge.
    """

    targets: np.ndarray
    columns: dict[str, np.ndarray]
    views: list[list[Views]]
    seconds: float


def collect(
    model: Any,
    dataset: Dataset,
    classifier: AttributeClassifier,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    judges: Sequence[Judge] = (),
    similarity: bool = True,
) -> Collected:
    """Translates each test image once, to a label vector that occurs in training, and keeps what is measured of it.

    Args:
      model: see `translated.translate_test_set`.
      dataset: its `.test` is translated.
      classifier: scores the translations.
      counterfactuals: draws the truth; None where it cannot be drawn.
      seed: of targets and styles.
      judges: networks that see the translations too.
      similarity: whether SSIM to the truth is computed beside L1.
    """
    targets = draw_targets(dataset.test.labels, dataset.train.labels, seed)
    truth = None if counterfactuals is None else counterfactuals.images(dataset.test.ids, targets)
    started = time.perf_counter()
    parts: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    all_views: list[list[Views]] = [[] for _ in judges]
    for batch in translate_test_set(model, dataset.test, targets, seed, BATCH_SIZE):
        scores, features = classifier(batch.outputs)
        inside, change = pixel_change.change_inside_mask(batch.outputs, batch.inputs, batch.masks)
        numbers = {
            "scores": scores,
            "features": features,
            "mask": batch.masks.mean(axis=(1, 2, 3)),
            "change": change,
            "change_inside": inside,
            "color_shift": pixel_change.color_shift(batch.outputs, batch.inputs),
        }
        if truth is not None:
            numbers.update(_to_truth(batch, truth[batch.rows], similarity))
        for name, values in numbers.items():
            parts[name].append(values)
        for network, views in zip(judges, all_views, strict=True):
            views.extend(network.translated(batch.rows, batch.outputs))
    seconds = time.perf_counter() - started
    return Collected(targets, {name: np.concatenate(values) for name, values in parts.items()}, all_views, seconds)


def _to_truth(batch: TranslatedBatch, truth: np.ndarray, similarity: bool) -> dict[str, np.ndarray]:
    numbers = {}
    for suffix, images in (("", batch.outputs), ("_input", batch.inputs)):
        numbers[f"l1{suffix}"] = mean_absolute_difference(images, truth)
        if similarity:
            numbers[f"ssim{suffix}"] = structural_similarity(images, truth)
    return numbers
