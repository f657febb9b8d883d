"""What every index over the gallery's embeddings does: find the k nearest rows by Euclidean distance, in-graph."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError

# Rows checked at a time.
_CHECKED = 2**14
# Values of candidates held at a time (2^20 floats are 4 MiB, which a cache holds).
_VALUES = 2**20
# Candidates of a query that are compared one after the other in the graph itself, and not by a loop.
_COLUMNS = 64


def check_count(k: int | tf.Tensor, available: int, what: str) -> int | tf.Tensor:
    """`k` once it is known to lie in 1..`available`: a number where it is known now, else an int32 scalar.

    Args:
      k: how many rows are wanted; a number or an integer scalar tensor.
      available: how many there are.
      what: names the rows in the message, such as "rows of the index".

    Raises:
      UserError: `k` is known now (a number, or any eager tensor) and out of range.
      tf.errors.InvalidArgumentError: when the graph runs with a `k` that is out of range.
    """
    known = tf.get_static_value(k)
    message = f"the number of neighbors must be from 1 to {available}, the {what}; ask for fewer or add images"
    if known is not None:
        if not 1 <= int(known) <= available:
            raise UserError(f"neighbors={int(known)}: {message}")
        return int(known)
    k = tf.cast(k, tf.int32)
    checks = [
        tf.debugging.assert_greater_equal(k, 1, message),
        tf.debugging.assert_less_equal(k, available, message),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(k)


def checked_queries(queries: tf.Tensor, dimension: int) -> tf.Tensor:
    """`queries` as float32 [B, dimension], through which no gradient flows.

    Raises:
      UserError: they have another dimension.
    """
    queries = tf.stop_gradient(tf.convert_to_tensor(queries, tf.float32))
    if queries.shape.rank != 2 or queries.shape[1] not in (None, dimension):
        raise UserError(
            f"index: queries of shape {queries.shape} do not fit embeddings of {dimension} dimensions; "
            "build the gallery with the retrieval model that makes the queries"
        )
    return queries


def checked_embeddings(embeddings: Any) -> np.ndarray:
    """`embeddings` as a float32 array [N, D].

    Raises:
      UserError: there is no row, or a value is not finite.
      ValueError: the array is not a matrix.
    """
    embeddings = np.ascontiguousarray(embeddings, np.float32)
    if embeddings.ndim != 2:
        raise ValueError(f"embeddings must be a matrix [N, D], not of shape {embeddings.shape}")
    if not embeddings.shape[0]:
        raise UserError("gallery: it holds no image; give a retrieval set with at least one")
    for start in range(0, len(embeddings), _CHECKED):
        finite = np.isfinite(embeddings[start : start + _CHECKED]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise UserError(f"gallery: the embedding of row {row} is not finite; train the retrieval model again")
    return embeddings


class Index(tf.Module, abc.ABC):
    """Finds the rows of a matrix of embeddings that are nearest to a query.

    A subclass proposes candidate rows; this class computes their distances directly from the differences, so that
    every kind of index reports the same distance for the same row, and orders them.

    Create it outside of a distribution strategy's scope: the variables are constants and need no copy per replica.
    """

    kind: str
    is_exact: bool

    def __init__(self, size: int, dimension: int, name: str | None = None):
        super().__init__(name=name)
        self.size = size
        self.dimension = dimension

    @property
    @abc.abstractmethod
    def embeddings(self) -> tf.Variable:
        """The indexed vectors, float32 or float16 [N, D]."""

    @abc.abstractmethod
    def _candidate_rows(self, queries: tf.Tensor, k: int | tf.Tensor) -> tf.Tensor:
        """Rows among which the nearest are: int32 [B, c], c >= k, each row at most once a query; B may be 0."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What must be stored beside the embeddings to get this index back without building it again."""
        return {}

    def options(self) -> dict[str, Any]:
        """The arguments, JSON-ready, with which an index like this one is built."""
        return {}

    def search(self, queries: tf.Tensor, k: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The k nearest rows of each query, nearest first; of equal distances the lower row comes first.

        Args:
          queries: float32 [B, D]; B may be 0.
          k: how many rows, from 1 to `size`; may be a tensor that the graph decides.

        Returns:
          (distances, rows): float32 [B, k], Euclidean; int32 [B, k]. No gradient flows through them.

        Raises:
          UserError: the queries have another dimension, or `k` is known and out of range.
          tf.errors.InvalidArgumentError: `k` turns out of range when the graph runs.
        """
        queries = checked_queries(queries, self.dimension)
        static_k = tf.get_static_value(k)
        k = check_count(k, self.size, "rows of the index")
        distances, rows = self._rank(queries, self._candidate_rows(queries, k), k)
        for result in (distances, rows):
            result.set_shape([queries.shape[0], static_k])
        return tf.stop_gradient(distances), rows

    def _rank(self, queries: tf.Tensor, rows: tf.Tensor, k: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The form |q|^2 - 2qx + |x|^2 that searches use loses all digits where q is near x; the difference does not.
        rows = tf.sort(rows, axis=1)
        # To gather from the variable itself would make every later read of it copy all of it.
        embeddings = self.embeddings.read_value()

        def squares_of(queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
            vectors = tf.cast(tf.gather(embeddings, rows), tf.float32)
            return tf.reduce_sum(tf.math.squared_difference(queries, vectors), -1)

        def one_by_one() -> tf.Tensor:
            # Not by `map_fn`, whose lists of tensors TFLite does not know.
            _, squares = tf.while_loop(
                lambda column, _: column < tf.shape(rows)[1],
                lambda column, squares: (
                    column + 1,
                    tf.concat([squares, squares_of(queries, rows[:, column])[:, None]], 1),
                ),
                (tf.constant(0), tf.zeros([tf.shape(rows)[0], 0])),
                shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None])),
                parallel_iterations=1,
            )
            return squares

        def all_at_once() -> tf.Tensor:
            return squares_of(queries[:, None], rows)

        if rows.shape.is_fully_defined() and rows.shape[1] <= _COLUMNS:
            # Without a loop or a choice, as XLA needs it.
            few = rows.shape.num_elements() * self.dimension <= _VALUES
            columns = [] if few else tf.unstack(rows, axis=1)
            squares = all_at_once() if few else tf.stack([squares_of(queries, column) for column in columns], 1)
        else:
            squares = tf.cond(tf.size(rows) * self.dimension <= _VALUES, all_at_once, one_by_one)
        # top_k puts the lower position first among equals, which is the lower row, as the rows are sorted.
        # By the distances that are told, which may be equal where the squares are not: so parts of a gallery, whose
        # results are merged by them, give the order of the whole.
        negated, order = tf.math.top_k(-tf.sqrt(squares), k)
        return -negated, tf.gather(rows, order, batch_dims=1)


def search_without(
    index: Index, queries: tf.Tensor, k: int | tf.Tensor, exclude_rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `Index.search`, but query b does not find row `exclude_rows[b]`, int32 [B]; -1 excludes none; k < its size."""
    static_k = tf.get_static_value(k)
    distances, rows = index.search(queries, k + 1)
    # One more than wanted was found: take out the excluded one, or the last where it is not among them.
    excluded = tf.cast(exclude_rows, tf.int32)[:, tf.newaxis]
    before = tf.cumsum(tf.cast(rows == excluded, tf.int32), axis=1)[:, :-1]
    columns = tf.range(k)[tf.newaxis] + before
    distances, rows = (tf.gather(found, columns, batch_dims=1) for found in (distances, rows))
    for result in (distances, rows):
        result.set_shape([result.shape[0], static_k])
    return distances, rows
