"""Pictures beside the numbers: translations to several domains, translations beside the truth, retrieved images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.evaluation.attribute_classifier import as_float, as_uint8
from rgunit_tf.evaluation.grid import save_grid
from rgunit_tf.evaluation.retrieval import embed_queries, nearest_rows
from rgunit_tf.evaluation.translated import draw_targets
from rgunit_tf.stages.samples import sample_rows

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split
    from rgunit_tf.evaluation.counterfactual import Counterfactuals
    from rgunit_tf.retrieval import Gallery


def _spread(count: int, split: Split, seed: int) -> np.ndarray:
    """Rows of `count` random images, the same for every stage."""
    chosen = np.random.default_rng([seed, 2]).permutation(len(split))[:count]
    return np.sort(chosen)


def _translate(
    model: Any, images: np.ndarray, ids: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images [B, S, S, 3] -> uint8 translations [B, S, S, 3] and masks [B, S, S, 1]."""
    noise = np.random.default_rng([seed, 3]).standard_normal((len(images), model.prior.style_dim))
    styles = model.prior.sample(targets, noise.astype(np.float32))
    outputs, masks = model.translate_with_style(as_float(images), styles, tf.constant(ids.astype(str).tolist()))
    return as_uint8(outputs), as_uint8(2.0 * masks - 1.0)


def translations(model: Any, dataset: Dataset, path: str | os.PathLike, seed: int = 0, images: int = 8) -> None:
    """Test images translated to several domains, with mask, reconstruction and neighbours (paper Fig. 4, 6)."""
    split = dataset.test.subset(_spread(images, dataset.test, seed))
    titles, rows = sample_rows(model, split.images(), split.labels, split.ids, seed)
    save_grid(path, rows, titles)


def beside_truth(
    model: Any, dataset: Dataset, truth: Counterfactuals, path: str | os.PathLike, seed: int = 0, images: int = 8
) -> None:
    """Input, translation, mask and true counterfactual of some test images; one random target each."""
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
    top = min(top, gallery.size - 1)
    split = dataset.test.subset(_spread(images, dataset.test, seed))
    targets = draw_targets(split.labels, dataset.test.labels, seed)
    rows = nearest_rows(gallery, embed_queries(model, split, targets, seed), split.ids, top)
    neighbors = np.asarray(gallery.images(rows))
    save_grid(
        path,
        [[split.image(row), *neighbors[row]] for row in range(len(split))],
        ["Query", *(f"Retrieved {rank}" for rank in range(1, top + 1))],
        [f"to {dataset.schema.describe(target)}" for target in targets],
    )
