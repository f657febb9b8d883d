"""From batches of images to their embeddings, ids and pixels, as a gallery keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf.names import to_array


def embedded(
    retrieval: Any, batches: Iterable[Mapping[str, Any]], keep_images: bool
) -> Iterator[tuple[np.ndarray, list[str], np.ndarray | None]]:
    """Embeds a stream of images.

    Args:
      retrieval: see `Gallery.build`.
      batches: likewise.
      keep_images: whether to yield the images too.

    Yields:
      For each batch: embeddings float32 [B, D]; B ids; images uint8 [B, H, W, 3] or None.
    """
    embed = tf.function(retrieval.embed_images, reduce_retracing=True, autograph=False)
    count = 0
    for batch in batches:
        pixels = tf.convert_to_tensor(batch["image"])
        scaled = tf.cast(pixels, tf.float32) / 127.5 - 1.0 if pixels.dtype == tf.uint8 else pixels
        ids = to_array(batch["id"]).tolist()
        images = (pixels if pixels.dtype == tf.uint8 else _to_uint8(scaled)).numpy() if keep_images else None
        count += len(ids)
        yield embed(scaled).numpy(), ids, images
    logging.info("gallery: %d images embedded", count)


def _to_uint8(images: tf.Tensor) -> tf.Tensor:
    return tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)
