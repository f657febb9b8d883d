"""Galleries in float16, which take half the memory of a server.

Only the storage is half as precise: values are widened to float32 as they are read, and computed with as such. A
distance then is off by at most 2^-11 of the largest embedding's norm.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from rgunit_tf.retrieval import index
from rgunit_tf.retrieval.exact_index import ExactIndex, halved
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.scann_index import BRUTE_FORCE_ROWS, ScannIndex

DTYPES = ("float32", "float16")


class HalfScannIndex(ScannIndex):
    """ScaNN's tree over 4-bit codes, without its float32 embeddings: candidates are ordered by those in float16.

    Args:
      embeddings: float [N, D], more than `scann_index.BRUTE_FORCE_ROWS`.

    Raises:
      UserError: ScaNN is not installed, or a value is beyond float16's 65,504.
    """

    def __init__(self, embeddings: np.ndarray, name: str | None = "half_scann_index"):
        vectors = halved(index.checked_embeddings(embeddings))
        super().__init__(vectors.astype(np.float32), name=name)
        self._half = tf.Variable(vectors, trainable=False, name="embeddings")

    @property
    def embeddings(self) -> tf.Variable:
        """The indexed vectors, float16 [N, D]."""
        return self._half

    def _build(self, vectors: np.ndarray) -> tf.Module:
        builder = self._ops.builder(vectors, self.parameters.reorder, "squared_l2")
        builder = builder.tree(self.parameters.leaves, self.parameters.leaves_to_search)
        state = builder.score_ah(2, anisotropic_quantization_threshold=math.nan).build().serialize_to_module()
        for name in ("int8_multipliers", "dp_norms", "dataset"):
            # Absent parts hold what happened to be in memory.
            getattr(state, name).assign(tf.zeros([]))
        state.int8_dataset.assign(tf.zeros([], tf.int8))
        return state

    def _candidate_rows(self, queries: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        return super()._candidate_rows(queries, tf.minimum(tf.maximum(2 * k, self.parameters.reorder), self.size))


def half_gallery(gallery: Gallery) -> Gallery:
    """The same gallery over embeddings in float16; ids and images are shared.

    To `scann_index.BRUTE_FORCE_ROWS` images, which ScaNN too compares one by one, the index is the exact one.

    Raises:
      UserError: as the indexes.
    """
    tree = gallery.index.kind == "scann" and gallery.size > BRUTE_FORCE_ROWS
    embeddings = gallery.embeddings.numpy()
    half = HalfScannIndex(embeddings) if tree else ExactIndex(embeddings, dtype="float16")
    return gallery.with_index(half)
