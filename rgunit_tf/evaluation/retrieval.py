"""Measures a retrieval model: P@10 as in paper §4.1, recall of the index, rank of the true counterfactual."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.metrics.precision_at_k import (
    RANDOM_PREFIX,
    expected_precision,
    precision_at_k,
    rank_of,
    recall_at_k,
)
from rgunit_tf.evaluation.outputs.neighbors import embed_queries, nearest_rows
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.retrieval import Gallery

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

BATCH_SIZE = 64


def labels_of(ids: np.ndarray, dataset: Dataset, content: bool = False) -> np.ndarray | None:
    """Labels of gallery images, float32 [N, A], NaN where they are not known; None if none is.

    Args:
      ids: of the gallery.
      dataset: whose splits know the labels.
      content: the attributes that define no domain, instead of those that do.
    """
    table: dict[str, np.ndarray] = {}
    for split in (dataset.retrieval, dataset.train):
        labels = split.content_labels if content else split.labels
        if labels is not None:
            table.update(zip(map(str, split.ids), labels, strict=True))
    if not table:
        return None
    unknown = np.full_like(next(iter(table.values())), np.nan, dtype=np.float32)
    return np.stack([table.get(str(name), unknown) for name in ids])


def _precision_records(
    attributes: np.ndarray | None,
    content: np.ndarray | None,
    names: Sequence[str],
    k: int,
    images: str,
    seed: int,
    started: float,
) -> dict[str, dict[str, Any]]:
    """Records of the agreement of images with queries: [Q, A] in the attributes asked for, [Q, C] in the content."""

    def record(per_query: np.ndarray, meaning: str) -> dict[str, Any]:
        known = per_query[~np.isnan(per_query)]
        return measurement(
            known.mean() if len(known) else float("nan"),
            bootstrap.mean_interval(known, seed) if len(known) else None,
            len(known),
            f"share of {images} whose {meaning}, one query a test image",
            seed,
            started,
        )

    records, averages = {}, []
    if attributes is not None:
        for column, name in enumerate(names):
            records[name] = record(attributes[:, column], f"{name} is as in the target domain")
        averages.append(attributes.mean(axis=1))
        meaning = "attributes are those of the target domain, mean over attributes"
        records["attributes"] = record(averages[-1], meaning)
    if content is not None:
        averages.append(content.mean(axis=1))
        records["content"] = record(averages[-1], f"{content.shape[1]} content attributes are those of the query image")
    if len(averages) == 2:
        meaning = "attributes agree: mean of attributes and content"
        records["average"] = record(np.mean(averages, axis=0), meaning)
    return {f"precision_at_{k}/{name}": value for name, value in records.items()}


def evaluate_retrieval(
    model: Any,
    gallery: Gallery,
    dataset: Dataset,
    counterfactuals: Counterfactuals | None = None,
    seed: int = 0,
    k: int = 10,
) -> dict[str, dict[str, Any]]:
    """Every figure of a retrieval model and its gallery.

    Args:
      model: has `.translation.prior`, `.embed_query(images, styles)` and `.embed_images(images)`.
      gallery: the images that are searched.
      dataset: its `.test` makes the queries, one an image, with target domains drawn from the test split.
      counterfactuals: draws the truth, whose rank among the gallery is then reported.
      seed: of targets, styles and resamples.
      k: neighbours looked at; never more than the gallery holds.

    Returns:
      Records (see `measurement`) by name: `precision_at_<k>/attributes`, `/content` (where the data has attributes
      that define no domain), `/average`, `/<attribute>`, the same of random images after `RANDOM_PREFIX`,
      `recall_at_<k>` and `counterfactual_rank`.
    """
    started = time.perf_counter()
    k = min(k, gallery.size - 1)
    test = dataset.test
    targets = draw_targets(test.labels, test.labels, seed)
    queries = embed_queries(model, test, targets, seed)
    rows = nearest_rows(gallery, queries, test.ids, k)

    pairs = (
        (targets, labels_of(gallery.ids, dataset)),
        (test.content_labels, labels_of(gallery.ids, dataset, content=True)),
    )

    def records_of(agreement: Callable[[np.ndarray, np.ndarray], np.ndarray], images: str) -> dict[str, Any]:
        shares = (None if wanted is None or labels is None else agreement(wanted, labels) for wanted, labels in pairs)
        return _precision_records(*shares, dataset.schema.names, k, images, seed, started)

    found = records_of(lambda wanted, labels: precision_at_k(wanted, labels[rows]), f"the {k} nearest gallery images")
    chance = records_of(expected_precision, f"all gallery images, which is what {k} random ones give on average,")
    records = {**found, **{f"{RANDOM_PREFIX}{name}": value for name, value in chance.items()}}
    records[f"recall_at_{k}"] = _recall_record(gallery, queries, test.ids, rows, seed)
    if counterfactuals is not None:
        truth = counterfactuals.images(test.ids, targets)
        records["counterfactual_rank"] = _rank_record(model, gallery, queries, truth, seed)
    return records


def _recall_record(
    gallery: Gallery, queries: np.ndarray, ids: np.ndarray, rows: np.ndarray, seed: int
) -> dict[str, Any]:
    """Of what `nearest_rows` found, `rows` [Q, k]; an exact search leaves out the query's own image as that does."""
    started = time.perf_counter()
    if gallery.index.is_exact:
        recall, words = np.ones(len(rows)), "the index is exact"
    else:
        exact = Gallery.from_embeddings(gallery.embeddings.numpy(), gallery.ids, index="exact")
        recall = recall_at_k(rows, nearest_rows(exact, queries, ids, rows.shape[1]))
        words = f"share of the {rows.shape[1]} exact neighbours that the index found"
    return measurement(recall.mean(), bootstrap.mean_interval(recall, seed), len(rows), words, seed, started)


def _rank_record(model: Any, gallery: Gallery, queries: np.ndarray, truth: np.ndarray, seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    embed = tf.function(model.embed_images, reduce_retracing=True, autograph=False)
    embedded = [
        embed(pixels.to_float(np.asarray(truth[start : start + BATCH_SIZE]))).numpy()
        for start in range(0, len(truth), BATCH_SIZE)
    ]
    ranks = rank_of(queries, np.concatenate(embedded), gallery.embeddings.numpy())
    generator = np.random.default_rng(seed)
    draws = np.median(ranks[generator.integers(len(ranks), size=(200, len(ranks)))], axis=1)
    words = f"median rank that the true counterfactual would take among {gallery.size} gallery images"
    return measurement(
        float(np.median(ranks)), tuple(np.quantile(draws, (0.025, 0.975))), len(ranks), words, seed, started
    )
