"""Whether a guided model uses the images it retrieves: translations with the neighbours of another image, or none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.evaluation.collected import Collected, collect
from rgunit_tf.evaluation.metrics import accuracy_records, bootstrap, counterfactual_records, frechet
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.outputs.misguided import CHANGES, Misguided
from rgunit_tf.evaluation.real_images import REAL_TRAINING, RealFeatures

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
    from rgunit_tf.stages.guided import GuidedModel


def evaluate_guidance(
    model: GuidedModel,
    dataset: Dataset,
    classifier: AttributeClassifier,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    real: RealFeatures | None = None,
) -> dict[str, dict[str, Any]]:
    """What wrong neighbours cost; the same targets and styles as in `evaluate_translation`, whose arguments it takes.

    Returns:
      Records `swapped_neighbors/<figure>` and `no_neighbors/<figure>` of the figures frechet_classifier_distance,
      accuracy and, where the truth is drawn, counterfactual_l1_ratio, and `neighbor_share`; none for a model without
      neighbours.
    """
    if not getattr(model, "neighbors", 0):
        return {}
    real = real or RealFeatures.of(dataset, classifier, seed)
    records = {}
    for change, (function, words) in CHANGES.items():
        kept = collect(Misguided(model, function), dataset, classifier, counterfactuals, seed, similarity=False)
        for name, record in _figures(kept, classifier, real, seed).items():
            records[f"{change}/{name}"] = {**record, "computed_with": f"{record['computed_with']}; {words}"}
    records["neighbor_share"] = _neighbor_share(model, dataset, seed)
    return records


def _figures(
    kept: Collected, classifier: AttributeClassifier, real: RealFeatures, seed: int
) -> dict[str, dict[str, Any]]:
    columns, words = kept.columns, classifier.name
    decided = classifier.decide(columns["scores"])
    records = {
        "frechet_classifier_distance": frechet.frechet_record(
            columns["features"], real.train, words, seed, REAL_TRAINING
        ),
        "accuracy": accuracy_records.mean_accuracy_record(decided, kept.targets, words, seed),
    }
    if "l1" in columns:
        records["counterfactual_l1_ratio"] = counterfactual_records.ratio_record(
            columns["l1"], columns["l1_input"], seed
        )
    return records


def _neighbor_share(model: GuidedModel, dataset: Dataset, seed: int, images: int = 256) -> dict[str, Any]:
    """How much of the content that G decodes comes from the neighbours, as a share of the mean magnitude."""
    started = time.perf_counter()

    @tf.function(reduce_retracing=True, autograph=False)
    def share(pictures: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        content = model.content_encoder(pictures)
        styles = model.prior.sample(labels, noise)
        contents = model.contents_of(model.neighbor_rows(content, styles, ids))
        without = model.fusion(content, tf.zeros_like(contents), styles)
        added = tf.reduce_mean(tf.abs(model.fusion(content, contents, styles) - without), (1, 2, 3))
        return added / (added + tf.reduce_mean(tf.abs(without), (1, 2, 3)))

    generator, shares = np.random.default_rng([seed, 2]), []
    split = dataset.test.subset(np.arange(min(images, len(dataset.test))))
    for batch in split.batches(64, training=False):
        noise = generator.standard_normal((len(batch["image"]), model.prior.style_dim)).astype(np.float32)
        shares.append(share(batch["image"], batch["label"], noise, batch["id"]).numpy())
    values = np.concatenate(shares)
    return measurement(
        values.mean(),
        bootstrap.mean_interval(values, seed),
        len(values),
        "mean magnitude that the retrieved images add to the fused content, over that and the input's own together; "
        "styles of the inputs' own attributes",
        seed,
        started,
    )
