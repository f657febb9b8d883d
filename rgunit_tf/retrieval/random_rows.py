"""Random neighbours: distinct rows for each query, a function of the seed alone (the paper's Table 2, second row)."""

from __future__ import annotations

import tensorflow as tf

from rgunit_tf.retrieval.index import check_count


def random_rows(
    size: int,
    seed: tf.Tensor,
    batch: int | tf.Tensor,
    k: int | tf.Tensor,
    exclude_rows: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draws k distinct rows of 0..size-1 for each of a batch.

    Args:
      size: number of rows there are.
      seed: integer [2]; equal seeds draw equal rows.
      batch: number of queries, B.
      k: rows a query.
      exclude_rows: int32 [B], the row that query b must not get; -1 for none.

    Returns:
      int32 [B, k].

    Raises:
      UserError: `k` is known and exceeds the rows that can be drawn.
      tf.errors.InvalidArgumentError: it does so when the graph runs.
    """
    static_k = tf.get_static_value(k)
    if exclude_rows is None:
        k = check_count(k, size, "images of the gallery")
        exclude_rows = tf.fill([batch], -1)
    else:
        k = check_count(k, size - 1, "images of the gallery without the query's own")
    excluded = tf.repeat(exclude_rows, k)
    # The first k places of a permutation of the allowed rows, one permutation a query, are distinct and cost nothing
    # that grows with the gallery.
    seeds = tf.random.stateless_uniform([batch, 2], seed, minval=None, maxval=None, dtype=tf.int32)
    last = tf.where(excluded >= 0, size - 2, size - 1)
    drawn = tf.random.experimental.index_shuffle(tf.tile(tf.range(k), [batch]), tf.repeat(seeds, k, axis=0), last)
    drawn += tf.cast((excluded >= 0) & (drawn >= excluded), tf.int32)
    rows = tf.reshape(drawn, [batch, k])
    rows.set_shape([tf.get_static_value(batch), static_k])
    return rows
