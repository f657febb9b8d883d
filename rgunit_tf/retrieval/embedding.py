"""From batches of images to their embeddings, ids and pixels, as a gallery keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import pixels
from rgunit_tf.names import several, to_array

# Images embedded at a time.
_BATCH = 64


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
        if isinstance(batch, tuple):  # (image, label) of grey levels, which have no names
            grey = pixels.to_uint8(tf.cast(batch[0], tf.float32) / 127.5 - 1.0)
            batch = {"image": grey, "id": np.array([f"{count + row}" for row in range(len(grey))])}
        given = tf.convert_to_tensor(batch["image"])
        scaled = pixels.to_float(given)
        ids = to_array(batch["id"]).tolist()
        images = (given if given.dtype == tf.uint8 else pixels.to_uint8(scaled)).numpy() if keep_images else None
        count += len(ids)
        yield embed(scaled).numpy(), ids, images
    logging.info("gallery: %s embedded", several(count, "image"))


def embeddings_of(retrieval: Any, ids: Sequence[str], images: np.ndarray) -> np.ndarray:
    """Embeddings of images in memory.

    Args:
      retrieval: as for `embedded`.
      ids: N names.
      images: uint8 [N, H, W, 3].

    Returns:
      float32 [N, D].
    """
    starts = range(0, len(ids), _BATCH)
    batches = [{"image": images[i : i + _BATCH], "id": np.asarray(ids[i : i + _BATCH], object)} for i in starts]
    return np.concatenate([part[0] for part in embedded(retrieval, batches, keep_images=False)])
