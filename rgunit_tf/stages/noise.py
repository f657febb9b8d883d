"""Random numbers that depend only on the seed, the step and the example, never on how the batch is split."""

from __future__ import annotations

import tensorflow as tf


class StepNoise:
    """Noise of one training step.

    Each draw covers the global batch and hands every replica its own rows: one device and several draw the same
    noise for the same examples, and a resumed run draws what the uninterrupted one would have drawn.

    Args:
      seed: seed of the run.
      step: int64 scalar, the training step.
      batch_size: int scalar, examples on this replica.
    """

    def __init__(self, seed: int, step: tf.Tensor, batch_size: tf.Tensor):
        context = tf.distribute.get_replica_context()
        self._replicas = context.num_replicas_in_sync if context else 1
        self._replica = context.replica_id_in_sync_group if context else 0
        self._batch_size = batch_size
        self._seed = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
        self._draws = 0

    def _next_seed(self) -> tf.Tensor:
        self._draws += 1
        return self._seed + tf.constant([self._draws * 1_000_003, 0], tf.int64)

    def _own_rows(self, draw: tf.Tensor) -> tf.Tensor:
        if self._replicas == 1:
            return draw
        start = self._replica * self._batch_size
        return draw[start : start + self._batch_size]

    def normal(self, *shape: int) -> tf.Tensor:
        """Standard normal float32 [B, *shape]."""
        full = (self._batch_size * self._replicas, *shape)
        return self._own_rows(tf.random.stateless_normal(full, self._next_seed()))

    def uniform(self, *shape: int) -> tf.Tensor:
        """Uniform float32 [B, *shape] in [0, 1)."""
        full = (self._batch_size * self._replicas, *shape)
        return self._own_rows(tf.random.stateless_uniform(full, self._next_seed()))

    def seeds(self, rows: tf.Tensor) -> tf.Tensor:
        """A seed for each of `rows` examples, int32 [rows, 2].

        `rows` is a whole multiple of B (the batch several times over), or less (a part of it, on each replica alike).
        """
        each = tf.minimum(rows, self._batch_size)
        copies = rows // each
        shape = tf.stack([each * self._replicas, copies, 2])
        draw = tf.random.stateless_uniform(shape, self._next_seed(), minval=None, maxval=None, dtype=tf.int32)
        if self._replicas > 1:
            draw = draw[self._replica * each :][:each]
        return tf.reshape(tf.transpose(draw, (1, 0, 2)), (rows, 2))
