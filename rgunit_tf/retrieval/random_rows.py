"""Random neighbours: distinct rows for each query, a function of its seed alone (the paper's Table 2, second row)."""

from __future__ import annotations

import tensorflow as tf

from rgunit_tf.retrieval.index import check_count


def random_rows(size: int, seeds: tf.Tensor, k: int, exclude_rows: tf.Tensor | None = None) -> tf.Tensor:
    """Draws k distinct rows of 0..size-1 for each of a batch, every choice and order of them alike likely.

    Args:
      size: number of rows there are.
      seeds: integer [B, 2]; a query's rows depend on its own seed only, not on the batch it is in.
      k: rows a query.
      exclude_rows: int32 [B], the row that query b must not get; -1 for none.

    Returns:
      int32 [B, k].

    Raises:
      UserError: `k` exceeds the rows that can be drawn.
    """
    seeds = tf.cast(seeds, tf.int64)
    if exclude_rows is None:
        check_count(k, size, "images of the gallery")
        exclude_rows = tf.fill(tf.shape(seeds)[:1], -1)
    else:
        check_count(k, size - 1, "images of the gallery without the query's own")
        exclude_rows = tf.cast(exclude_rows, tf.int32)
    # The rows gone already, ascending; an absent exclusion counts as a row past the end.
    gone = tf.where(exclude_rows >= 0, exclude_rows, size)[:, tf.newaxis]
    allowed = tf.where(exclude_rows >= 0, size - 1, size)
    drawn = []
    for place in range(k):
        # Which of the rows left, counted from 0; then its number among all, by stepping over those that are gone.
        row = _scaled(_bits(seeds, place), allowed - place)
        for column in range(place + 1):
            row += tf.cast(row >= gone[:, column], tf.int32)
        drawn.append(row)
        gone = tf.sort(tf.concat([gone, row[:, tf.newaxis]], axis=1), axis=1)
    return tf.stack(drawn, axis=1)


def random_places(counts: tf.Tensor, seeds: tf.Tensor, k: int) -> tf.Tensor:
    """Draws k numbers below each of a batch of counts, every one alike likely and independent of the others.

    Args:
      counts: int32 [B], at least 1.
      seeds: integer [B, 2].
      k: numbers a count.

    Returns:
      int32 [B, k].
    """
    seeds = tf.cast(seeds, tf.int64)
    return tf.stack([_scaled(_bits(seeds, place), counts) for place in range(k)], axis=1)


def _bits(seeds: tf.Tensor, place: int) -> tf.Tensor:
    """31 random bits for each seed: seeds int64 [B, 2] -> int64 [B].

    The stateless generators take one seed for a whole tensor. A pseudorandom permutation of all 31-bit numbers takes
    one an element, which makes it a random number for each seed. (`tf.random.experimental.index_shuffle` is this op
    but, in TensorFlow 2.15, pads a batch of seeds to another length; the third column is what it pads with.)
    """
    seeds = tf.pad(seeds, [[0, 0], [0, 1]], constant_values=1)
    index, last = (tf.fill(tf.shape(seeds)[:1], tf.constant(value, tf.int64)) for value in (place, 2**31 - 1))
    return tf.raw_ops.RandomIndexShuffle(index=index, seed=seeds, max_index=last, rounds=8)


def _scaled(bits: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """31-bit numbers int64 [B] as numbers below `count`, int32 [B], in equal shares."""
    return tf.cast(tf.bitwise.right_shift(bits * tf.cast(count, tf.int64), tf.constant(31, tf.int64)), tf.int32)
