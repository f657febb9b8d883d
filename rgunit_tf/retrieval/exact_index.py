"""Exact nearest neighbours by matrix products over blocks of rows; runs on any device and any TensorFlow server."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import index

# Scores held at a time (2^22 floats are 16 MiB) and rows compared at a time; float16 ones are copied to float32 (at 300
# dimensions, 20 MiB).
_SCORES = 2**22
_ROWS = 2**14
# TensorFlow slices without a copy where the slice begins at a multiple of 64 bytes, as every 64th row does.
_ALIGNED = 64
# Blocks that are compared one after the other in the graph itself, as XLA needs it, where a loop would compare more.
_UNROLLED = 64
# Candidates beyond k. Rounding can swap rows whose distances are nearly equal; the distances of the candidates are
# computed again without that error, so a row that belongs among the k nearest only has to be among the candidates.
_SPARE = 8


class ExactIndex(index.Index):
    """Compares each query with every row, keeping the best so far; memory does not grow with the number of rows.

    Args:
      embeddings: float [N, D].
      block: rows compared at a time; None lets it follow from the number of queries.
      dtype: "float32", or "float16" to store them in half the memory. They are computed with in float32 all the same,
        so that a distance is off by at most 2^-11 of the largest embedding's norm.

    Raises:
      UserError: a value is beyond float16's 65,504, or as `checked_embeddings`.
    """

    kind = "exact"
    is_exact = True

    def __init__(
        self, embeddings: Any, block: int | None = None, dtype: str = "float32", name: str | None = "exact_index"
    ):
        vectors = index.checked_embeddings(embeddings)
        if dtype == "float16":
            vectors = halved(vectors)
        super().__init__(*vectors.shape, name=name)
        if block is not None and block < 1:
            raise ValueError(f"block={block} must be at least 1")
        self._block = block
        # Distances do not change when everything moves by the same vector, but their rounding error does: it is
        # smallest around the center.
        center = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        norms = np.concatenate(
            [np.square(vectors[i : i + _ROWS].astype(np.float32) - center).sum(1) for i in range(0, self.size, _ROWS)]
        )
        self._embeddings = tf.Variable(vectors, trainable=False, name="embeddings")
        self._center = tf.Variable(center, trainable=False, name="center")
        self._norms = tf.Variable(norms, trainable=False, name="squared_norms")

    @property
    def embeddings(self) -> tf.Variable:
        """The indexed vectors, float32 or float16 [N, D]."""
        return self._embeddings

    def options(self) -> dict[str, Any]:
        """The arguments, JSON-ready, with which an index like this one is built."""
        block = {} if self._block is None else {"block": self._block}
        return {**block, "dtype": "float16"} if self._embeddings.dtype == tf.float16 else block

    def _candidate_rows(self, queries: tf.Tensor, k: int | tf.Tensor) -> tf.Tensor:
        # Where shapes are known they stay known, as XLA needs them.
        count = queries.shape[0]
        batch = tf.shape(queries)[0] if count is None else count
        block = self._block or _rows_at_a_time(batch)
        known = count is not None and isinstance(k, int) and self.size <= _UNROLLED * block
        smaller = min if known else tf.minimum
        wanted = smaller(k + _SPARE, self.size)
        queries = queries - self._center
        # Read once and whole, which copies nothing (see `Index._rank`), nor do slices of a vector. Those of a matrix
        # do if its rows are no multiple of 64 bytes long.
        embeddings = tf.reshape(tf.convert_to_tensor(self._embeddings), [-1])
        norms = tf.convert_to_tensor(self._norms)

        def compare(
            start: int | tf.Tensor, best: tf.Tensor, rows: tf.Tensor
        ) -> tuple[int | tf.Tensor, tf.Tensor, tf.Tensor]:
            count = smaller(block, self.size - start)
            # With q and x relative to the center m: -|q - x|^2 + |q|^2 = 2qx - |x|^2 = 2q(x + m) - |x|^2 - 2qm. What
            # depends on q alone does not change the order of its rows, so the rows can be used as they are stored.
            values = [tf.cast(number, tf.int64) * self.dimension for number in (start, count)]
            part = tf.reshape(tf.slice(embeddings, values[:1], values[1:]), [count, self.dimension])
            part = tf.cast(part, tf.float32)
            scores = 2.0 * tf.matmul(queries, part, transpose_b=True) - tf.slice(norms, [start], [count])
            scores, columns = tf.math.top_k(scores, smaller(wanted, count))
            best = tf.concat([best, scores], axis=1)
            rows = tf.concat([rows, columns + start], axis=1)
            best, order = tf.math.top_k(best, smaller(wanted, best.shape[1] if known else tf.shape(best)[1]))
            return start + count, best, tf.gather(rows, order, batch_dims=1)

        best, rows = tf.zeros([batch, 0]), tf.zeros([batch, 0], tf.int32)
        if known:
            for start in range(0, self.size, block):
                _, best, rows = compare(start, best, rows)
            return rows
        _, _, rows = tf.while_loop(
            lambda start, *_: start < self.size,
            compare,
            (tf.constant(0), best, rows),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None, None])),
            parallel_iterations=1,
        )
        return rows


def _rows_at_a_time(batch: int | tf.Tensor) -> int | tf.Tensor:
    """How many rows to compare with that many queries at a time."""
    if isinstance(batch, int):
        return min(max(_SCORES // max(batch, 1) // _ALIGNED, 1), _ROWS // _ALIGNED) * _ALIGNED
    return tf.clip_by_value(_SCORES // tf.maximum(batch, 1) // _ALIGNED, 1, _ROWS // _ALIGNED) * _ALIGNED


def halved(vectors: np.ndarray) -> np.ndarray:
    """Vectors as float16.

    Raises:
      UserError: a value is beyond float16's 65,504.
    """
    with np.errstate(over="ignore"):
        halved = vectors.astype(np.float16)
    if not np.isfinite(halved).all():
        raise UserError("gallery: an embedding exceeds 65,504, the largest of float16; store them as float32")
    return halved
