"""The tf.data pipelines of a split: which rows make a batch, how they are augmented, which targets they get.

Everything random is drawn from stateless generators, a whole batch at a time: a batch is a function of its seed alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.data.store import ImageStore
from rgunit_tf.names import to_tensor

# Keeps the streams of random numbers of one batch apart.
_FLIP, _CROP, _TARGET = range(3)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What training does to an image: mirror it at random, and crop at random from `large`, the bigger decoding."""

    flip: bool = True
    large: ImageStore | None = None


class TargetSampler:
    """Draws target domains from the label vectors that occur, as often as they occur, never the image's own.

    With the rows sorted by label vector, those that differ from row i are all but one contiguous run; a uniform
    position among the others, shifted past that run, is an exact draw without rejection.

    Args:
      labels: float32 [N, K].
    """

    def __init__(self, labels: np.ndarray):
        _, domain = np.unique(labels, axis=0, return_inverse=True)
        domain = domain.reshape(-1)
        order = np.argsort(domain, kind="stable")
        counts = np.bincount(domain)
        starts = np.cumsum(counts) - counts
        with tf.device("CPU:0"):
            self._sorted_labels = tf.constant(labels[order], tf.float32)
            self._start = tf.constant(starts[domain], tf.int64)
            self._count = tf.constant(counts[domain], tf.int64)

    def __call__(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Label vectors [B, K] that differ from those of the rows `index` [B]; their own where no other occurs."""
        total = tf.size(self._start, tf.int64)
        start, count = tf.gather(self._start, index), tf.gather(self._count, index)
        count = tf.where(count < total, count, 0)
        share = tf.random.stateless_uniform(tf.shape(index), seed, dtype=tf.float64)
        position = tf.cast(share * tf.cast(total - count, tf.float64), tf.int64)
        position = tf.where(position >= start, position + count, position)
        return tf.gather(self._sorted_labels, tf.minimum(position, total - 1))


def augment(images: tf.Tensor, seed: tf.Tensor, flip: bool, size: int) -> tf.Tensor:
    """Crops `size` pixels at random from each of the images, then mirrors half of them.

    Args:
      images: uint8 [B, D, D, 3], D >= size.
      seed: int64 [2].
      flip: whether to mirror.
      size: side of the result.

    Returns:
      uint8 [B, size, size, 3].
    """
    batch = tf.shape(images)[0]
    spare = int(images.shape[1]) - size
    if spare > 0:
        corner = tf.random.stateless_uniform(
            [batch, 2], _stream(seed, _CROP), minval=0, maxval=spare + 1, dtype=tf.int32
        )
        window = tf.range(size)
        images = tf.gather(images, corner[:, :1] + window, axis=1, batch_dims=1)
        images = tf.gather(images, corner[:, 1:] + window, axis=2, batch_dims=1)
    if flip:
        mirrored = tf.random.stateless_uniform([batch], _stream(seed, _FLIP)) < 0.5
        images = tf.where(mirrored[:, None, None, None], tf.reverse(images, [2]), images)
    return images


def _shuffled(sample: tf.Tensor, count: int, seed: int) -> tf.Tensor:
    """Rows of the samples numbered `sample` [B] (consecutive) where each epoch of `count` samples is a permutation.

    The permutations are evaluated at the positions asked for and never built. The op uses only the low bits of the
    three words of its key (8 bits each below 65,536 rows), so the words are drawn at random, not counted up.
    """
    epoch = sample // count
    epochs = (int(sample.shape[0]) - 1) // count + 2
    keys = tf.stack(
        [
            tf.random.stateless_uniform(
                [3], tf.stack([tf.constant(seed, tf.int64), epoch[0] + number]), None, None, tf.int32
            )
            for number in range(epochs)
        ]
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=sample % count,
        seed=tf.gather(keys, epoch - epoch[0]),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=8,
    )


def _stream(seed: tf.Tensor, number: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, number)


class Pipeline:
    """Batches of one split.

    Args:
      store: decoded images.
      rows: rows of the store that make the split, int64 [N].
      ids: their names, [N].
      labels: float32 [N, K], or None for unlabelled images.
      augmentation: what training does to them.
    """

    def __init__(
        self,
        store: ImageStore,
        rows: np.ndarray,
        ids: np.ndarray,
        labels: np.ndarray | None,
        augmentation: Augmentation,
    ):
        self._store = store
        self._augmentation = augmentation
        self._count = len(rows)
        self._targets = None if labels is None else TargetSampler(labels)
        with tf.device("CPU:0"):
            self._rows = tf.constant(rows, tf.int64)
            self._ids = to_tensor(ids)
            self._labels = None if labels is None else tf.constant(labels, tf.float32)

    @tf.autograph.experimental.do_not_convert
    def _plain(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = {"id": tf.gather(self._ids, index)}
        if self._labels is not None:
            batch["label"] = tf.gather(self._labels, index)
        batch["image"] = pixels.to_float(self._store.gather(tf.gather(self._rows, index)))
        return batch

    def _augmented(self, index: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = {"id": tf.gather(self._ids, index)}
        if self._labels is not None:
            batch["label"] = tf.gather(self._labels, index)
            batch["target"] = self._targets(index, _stream(seed, _TARGET))
        store = self._augmentation.large or self._store
        images = store.gather(tf.gather(self._rows, index))
        batch["image"] = pixels.to_float(augment(images, seed, self._augmentation.flip, self._store.size))
        return batch

    def stream(self, batch_size: int, seed: int, start_step: int) -> tf.data.Dataset:
        """Endless augmented batches; batch n is a function of `seed` and n."""

        @tf.autograph.experimental.do_not_convert
        def batch_of(step: tf.Tensor) -> dict[str, tf.Tensor]:
            sample = step * batch_size + tf.range(batch_size, dtype=tf.int64)
            index = _shuffled(sample, self._count, seed)
            index = tf.ensure_shape(index, [batch_size])
            return self._augmented(index, tf.stack([tf.constant(seed, tf.int64), step]))

        steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
        return _finish(steps.map(batch_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))

    def epoch(self, batch_size: int, seed: int, drop_remainder: bool) -> tf.data.Dataset:
        """One pass over the rows in random order, augmented; another order each time it is iterated."""
        index = tf.data.Dataset.range(self._count)
        index = index.shuffle(self._count, seed=seed, reshuffle_each_iteration=True)
        index = index.batch(batch_size, drop_remainder=drop_remainder)
        numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)

        @tf.autograph.experimental.do_not_convert
        def batch_of(index: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
            return self._augmented(index, tf.stack([tf.constant(seed, tf.int64), number]))

        batches = tf.data.Dataset.zip((index, numbers))
        return _finish(batches.map(batch_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))

    def in_order(self, batch_size: int, drop_remainder: bool) -> tf.data.Dataset:
        """One pass over the rows in order, as they are."""
        index = tf.data.Dataset.range(self._count).batch(batch_size, drop_remainder=drop_remainder)
        return _finish(index.map(self._plain, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))


def _finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    # Tuning gains nothing here (bin/bench input), and the end of a training could wait long for its thread.
    options.autotune.enabled = False
    # The batches are global: each of several workers makes them all and keeps its share.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
