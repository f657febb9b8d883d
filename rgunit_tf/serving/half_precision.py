"""Galleries in float16, which take half the memory of a server: embeddings and the contents that guide a translation.

Only the storage is half as precise: values are widened to float32 as they are read, and computed with as such. A
distance then is off by at most 2^-11 of the largest embedding's norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import index
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.scann_index import BRUTE_FORCE_ROWS, ScannIndex
from rgunit_tf.stages.guided import GuidedModel

DTYPES = ("float32", "float16")
# As in the exact index: scores held at a time, rows widened at a time, candidates beyond k.
_SCORES, _ROWS, _SPARE = 2**22, 2**14, 8
# Images encoded at a time when the contents are computed.
_ENCODED = 64


class _HalfRows(index.Index):
    """An index whose embeddings are in `_half`, float16 [N, D]."""

    @property
    def embeddings(self) -> tf.Variable:
        """The indexed vectors, float16 [N, D]."""
        return self._half

    def _rank(self, queries: tf.Tensor, rows: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # To gather from the variable itself would make every later read of it copy all of it.
        embeddings = self.embeddings.read_value()

        def squares_of(column: tf.Tensor) -> tf.Tensor:
            vectors = tf.cast(tf.gather(embeddings, column), tf.float32)
            return tf.reduce_sum(tf.math.squared_difference(queries, vectors), -1)

        rows = tf.sort(rows, axis=1)
        squares = tf.map_fn(squares_of, tf.transpose(rows), fn_output_signature=tf.TensorSpec([None], tf.float32))
        negated, order = tf.math.top_k(-tf.transpose(squares), k)
        return tf.sqrt(-negated), tf.gather(rows, order, batch_dims=1)


class HalfExactIndex(_HalfRows):
    """The exact index over embeddings stored as float16.

    Args:
      embeddings: float [N, D].

    Raises:
      UserError: a value is beyond float16's 65,504.
    """

    kind = "exact"
    is_exact = True

    def __init__(self, embeddings: np.ndarray, name: str | None = "half_exact_index"):
        vectors = _halved(embeddings)
        super().__init__(*vectors.shape, name=name)
        # Differences to the center, as in the exact index, keep the rounding of the scores small.
        center = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        starts = range(0, self.size, _ROWS)
        norms = [np.square(vectors[start : start + _ROWS].astype(np.float32) - center).sum(axis=1) for start in starts]
        self._half = tf.Variable(vectors, trainable=False, name="embeddings")
        self._center = tf.Variable(center, trainable=False, name="center")
        self._norms = tf.Variable(np.concatenate(norms), trainable=False, name="squared_norms")

    def _candidate_rows(self, queries: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        wanted = tf.minimum(k + _SPARE, self.size)
        queries = queries - self._center
        batch = tf.shape(queries)[0]
        block = tf.clip_by_value(_SCORES // tf.maximum(batch, 1), 1, _ROWS)

        def compare(start: tf.Tensor, best: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            stop = tf.minimum(start + block, self.size)
            part = tf.cast(tf.slice(self._half, [start, 0], [stop - start, self.dimension]), tf.float32)
            scores = 2.0 * tf.matmul(queries, part, transpose_b=True) - self._norms[start:stop]
            best = tf.concat([best, scores], axis=1)
            rows = tf.concat([rows, tf.tile(tf.range(start, stop)[tf.newaxis], [batch, 1])], axis=1)
            best, order = tf.math.top_k(best, tf.minimum(wanted, tf.shape(best)[1]))
            return stop, best, tf.gather(rows, order, batch_dims=1)

        return tf.while_loop(
            lambda start, *_: start < self.size,
            compare,
            (tf.constant(0), tf.zeros([batch, 0]), tf.zeros([batch, 0], tf.int32)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None, None])),
            parallel_iterations=1,
        )[2]


class HalfScannIndex(_HalfRows, ScannIndex):
    """ScaNN's tree over 4-bit codes, without its float32 embeddings: candidates are ordered by those in float16.

    Args:
      embeddings: float [N, D], more than `scann_index.BRUTE_FORCE_ROWS`.

    Raises:
      UserError: ScaNN is not installed, or a value is beyond float16's 65,504.
    """

    def __init__(self, embeddings: np.ndarray, name: str | None = "half_scann_index"):
        vectors = _halved(embeddings)
        super().__init__(vectors.astype(np.float32), name=name)
        self._half = tf.Variable(vectors, trainable=False, name="embeddings")

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


def _halved(embeddings: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        vectors = index.checked_embeddings(embeddings).astype(np.float16)
    if not np.isfinite(vectors).all():
        raise UserError("gallery_dtype=float16: an embedding exceeds 65,504; export with float32")
    return vectors


def half_gallery(gallery: Gallery) -> Gallery:
    """The same gallery over embeddings in float16; ids and images are shared.

    To `scann_index.BRUTE_FORCE_ROWS` images, which ScaNN too compares one by one, the index is the exact one.

    Raises:
      UserError: as the indexes.
    """
    tree = gallery.index.kind == "scann" and gallery.size > BRUTE_FORCE_ROWS
    half = (HalfScannIndex if tree else HalfExactIndex)(gallery.embeddings.numpy())
    return Gallery(half, gallery.ids, gallery._images, gallery.metadata)


def half_contents(model: GuidedModel, budget_mb: int) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """What looks the contents of gallery rows up: int32 [B, r] -> float32 [B, r, h, w, C], from float16.

    Args:
      model: its gallery's images are encoded.
      budget_mb: most that the contents may take, MiB.

    Returns:
      None where they would take more.
    """
    side = model.image_size // model.content_encoder.stride
    if model.gallery.size * side * side * model.content_encoder.channels * 2 > budget_mb * 2**20:
        return None

    @tf.function(reduce_retracing=True)
    def encode(rows: tf.Tensor) -> tf.Tensor:
        images = tf.cast(model.gallery.images(rows), tf.float32) / 127.5 - 1.0
        return tf.cast(model.content_encoder(images), tf.float16)

    starts = range(0, model.gallery.size, _ENCODED)
    parts = [encode(tf.range(start, min(start + _ENCODED, model.gallery.size))) for start in starts]
    contents = tf.Variable(tf.concat(parts, 0), trainable=False, name="contents")
    return lambda rows: tf.cast(tf.gather(contents, rows), tf.float32)
