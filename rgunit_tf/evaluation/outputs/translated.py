"""Translates a test split: seeded target domains and styles, a batch at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.errors import UserError

if TYPE_CHECKING:
    from rgunit_tf.data import Split


@dataclasses.dataclass(frozen=True)
class TranslatedBatch:
    """Consecutive test images with their translations.

    Attributes:
      rows: positions in the split, int [B].
      ids: of the images, str [B].
      inputs: untouched images, uint8 [B, S, S, 3].
      outputs: translations, uint8 [B, S, S, 3], as they would be written to a file.
      masks: attention masks, float32 [B, S, S, 1] in [0, 1].
      targets: label vectors asked for, float32 [B, K].
    """

    rows: np.ndarray
    ids: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    masks: np.ndarray
    targets: np.ndarray


def draw_targets(labels: np.ndarray, occurring: np.ndarray, seed: int) -> np.ndarray:
    """A target domain for each image: the label vector of a random training image, other than its own.

    Drawing whole vectors that occur never asks for an impossible domain, and gives the translations about the
    label distribution of real images, which distances between distributions presume.

    Args:
      labels: of the images, 0/1 [N, K].
      occurring: label vectors of the training images, 0/1 [M, K].
      seed: of the draw.

    Returns:
      float32 [N, K]; row i differs from `labels[i]`.

    Raises:
      UserError: all training images have one label vector, so nothing can be translated.
    """
    labels, occurring = np.asarray(labels, np.float32), np.asarray(occurring, np.float32)
    vectors, counts = np.unique(occurring, axis=0, return_counts=True)
    if len(vectors) < 2:
        raise UserError("the training images all have the same attributes; evaluation needs at least two domains")
    weights = np.where((vectors[None] == labels[:, None]).all(axis=2), 0.0, counts[None].astype(np.float64))
    cumulative = np.cumsum(weights, axis=1)
    draws = np.random.default_rng(seed).random(len(labels)) * cumulative[:, -1]
    return vectors[(cumulative <= draws[:, None]).sum(axis=1)]


def translate_test_set(
    model: Any, split: Split, targets: np.ndarray, seed: int = 0, batch_size: int = 64
) -> Iterator[TranslatedBatch]:
    """Translates every image of `split` to its target with one sampled style; holds one batch at a time.

    Args:
      model: has `.prior.sample(labels, noise)`, `.prior.style_dim` and `.translate_with_style(images, styles, ids)`;
        the ids keep a guided model from retrieving the very image that it translates.
      split: images, any size the model takes.
      targets: label vectors, 0/1 float32 [N, K].
      seed: of the styles. They are drawn for image after image, so that the batch size changes nothing.
      batch_size: images in memory at once.

    Yields:
      Batches in the order of the split.
    """
    size = split.image_size

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, size, size, 3], tf.float32),
            tf.TensorSpec([None, targets.shape[1]], tf.float32),
            tf.TensorSpec([None, model.prior.style_dim], tf.float32),
            tf.TensorSpec([None], tf.string),
        ],
    )
    def translate(images: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return model.translate_with_style(images, model.prior.sample(labels, noise), ids)

    generator = np.random.default_rng([seed, 1])
    start = 0
    for batch in split.batches(batch_size, training=False):
        images = batch["image"]
        rows = np.arange(start, start + len(images))
        noise = generator.standard_normal((len(images), model.prior.style_dim)).astype(np.float32)
        outputs, masks = translate(images, targets[rows], noise, batch["id"])
        yield TranslatedBatch(
            rows,
            np.asarray(split.ids)[rows],
            pixels.to_uint8(images).numpy(),
            pixels.to_uint8(outputs).numpy(),
            masks.numpy(),
            targets[rows],
        )
        start += len(images)
