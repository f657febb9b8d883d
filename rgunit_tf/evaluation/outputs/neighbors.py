"""What a retrieval model is asked about a split, and what it finds in its gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf.names import to_tensor

if TYPE_CHECKING:
    from rgunit_tf.data import Split
    from rgunit_tf.retrieval import Gallery

BATCH_SIZE = 64


def embed_queries(model: Any, split: Split, targets: np.ndarray, seed: int) -> np.ndarray:
    """Queries of all images of `split`: their content with a style of the target domain; float32 [N, D]."""
    prior = model.translation.prior
    generator = np.random.default_rng([seed, 1])
    embed = tf.function(model.embed_query, reduce_retracing=True, autograph=False)
    queries, start = [], 0
    for batch in split.batches(BATCH_SIZE, training=False):
        count = len(batch["image"])
        noise = generator.standard_normal((count, prior.style_dim)).astype(np.float32)
        styles = prior.sample(targets[start : start + count], noise)
        queries.append(embed(batch["image"], styles).numpy())
        start += count
    return np.concatenate(queries)


def nearest_rows(gallery: Gallery, queries: np.ndarray, ids: np.ndarray, k: int) -> np.ndarray:
    """Gallery rows of the k nearest images of each query [N, D] but the query's own image: int32 [N, k]."""
    own = gallery.rows_of(to_tensor(ids))
    found = [
        gallery.search_rows(queries[start : start + BATCH_SIZE], k, own[start : start + BATCH_SIZE])[1].numpy()
        for start in range(0, len(queries), BATCH_SIZE)
    ]
    return np.concatenate(found)
