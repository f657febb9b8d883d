"""Pictures beside the numbers: translations to several domains, translations beside the truth, retrieved images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.evaluation.attribute_classifier import as_float, as_uint8
from rgunit_tf.evaluation.grid import save_grid

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split
    from rgunit_tf.evaluation.counterfactual import Counterfactuals
    from rgunit_tf.retrieval import Gallery


def _spread(count: int, split: Split, seed: int) -> np.ndarray:
    """Rows of `count` random images, the same for every stage."""
    chosen = np.random.default_rng([seed, 2]).permutation(len(split))[:count]
    return np.sort(chosen)


def frequent_domains(labels: np.ndarray, count: int) -> np.ndarray:
    """The label vectors that occur most often, float32 [<= count, K]; ties in lexicographic order."""
    vectors, frequency = np.unique(np.asarray(labels, np.float32), axis=0, return_counts=True)
    return vectors[np.argsort(-frequency, kind="stable")[:count]]


def _translate(
    model: Any, images: np.ndarray, ids: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images [B, S, S, 3] -> uint8 translations [B, S, S, 3] and masks [B, S, S, 1]."""
    noise = np.random.default_rng([seed, 3]).standard_normal((len(images), model.prior.style_dim))
    styles = model.prior.sample(targets, noise.astype(np.float32))
    outputs, masks = model.translate_with_style(as_float(images), styles, tf.constant(ids.astype(str).tolist()))
    return as_uint8(outputs), as_uint8(2.0 * masks - 1.0)


def translations(
    model: Any, dataset: Dataset, path: str | os.PathLike, seed: int = 0, images: int = 6, domains: int = 6
) -> None:
    """Test images translated to the most frequent domains, and the mask of the last translation (paper Fig. 4, 6)."""
    rows = _spread(images, dataset.test, seed)
    inputs, ids = dataset.test.images(rows), dataset.test.ids[rows]
    columns = [inputs]
    targets = frequent_domains(dataset.train.labels, domains)
    for target in targets:
        outputs, masks = _translate(model, inputs, ids, np.repeat(target[None], len(rows), axis=0), seed)
        columns.append(outputs)
    columns.append(masks)
    titles = ["Input", *(dataset.schema.describe(target) for target in targets), "Mask of the last"]
    save_grid(path, list(zip(*columns, strict=True)), titles)


def beside_truth(
    model: Any, dataset: Dataset, truth: Counterfactuals, path: str | os.PathLike, seed: int = 0, images: int = 8
) -> None:
    """Input, translation, mask and true counterfactual of some test images; one random target each."""
    from rgunit_tf.evaluation.translated import draw_targets

    rows = _spread(images, dataset.test, seed)
    inputs, ids = dataset.test.images(rows), dataset.test.ids[rows]
    targets = draw_targets(dataset.test.labels[rows], dataset.train.labels, seed)
    outputs, masks = _translate(model, inputs, ids, targets, seed)
    drawn = truth.images(ids, targets)
    save_grid(
        path,
        list(zip(inputs, outputs, masks, drawn, strict=True)),
        ["Input", "Translation", "Mask", "Truth"],
        [dataset.schema.describe(target) for target in targets],
    )


def retrievals(
    model: Any,
    gallery: Gallery,
    dataset: Dataset,
    path: str | os.PathLike,
    seed: int = 0,
    images: int = 6,
    top: int = 5,
) -> None:
    """Queries and their nearest gallery images (paper Fig. 3)."""
    from rgunit_tf.evaluation.retrieval import embed_queries
    from rgunit_tf.evaluation.translated import draw_targets

    top = min(top, gallery.size)
    split = dataset.test.subset(_spread(images, dataset.test, seed))
    targets = draw_targets(split.labels, dataset.test.labels, seed)
    found, _ = gallery.search(embed_queries(model, split, targets, seed), top, exclude_ids=split.ids)
    position = {str(name): row for row, name in enumerate(gallery.ids)}
    rows = np.array([[position[str(name)] for name in line] for line in np.asarray(found).astype(str)])
    neighbors = np.asarray(gallery.images(rows))
    save_grid(
        path,
        [[split.image(row), *neighbors[row]] for row in range(len(split))],
        ["Query", *(f"Retrieved {rank}" for rank in range(1, top + 1))],
        [f"to {dataset.schema.describe(target)}" for target in targets],
    )
