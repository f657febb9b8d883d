"""Styles of a gallery's images: what a translation may be drawn in, instead of a style that nobody has."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.retrieval.array_file import variable_of
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.random_rows import random_places

# Images encoded at a time.
_ENCODED = 64


class NeighborStyles:
    """Answers a style that is asked for by that of a real image of its domain.

    Of several candidates it is the one whose style is nearest to what was asked: one real style, since the mean of
    several is again one that nobody has, and a function of the question, so that every answer can be repeated while
    several samples still differ. The domain of an image is what Es sees in it, as the retrieval set may be unlabelled.

    Args:
      gallery: with its images.
      encoder: Es, frozen: float [B, H, W, 3] in [-1, 1] -> mean and log-variance [B, S].
      schema: of the domains.
      known: styles of all rows, float32 [N, S], so that they need not be computed.
    """

    def __init__(
        self, gallery: Gallery, encoder: tf.keras.Model, schema: AttributeSchema, known: np.ndarray | None = None
    ):
        self.schema = schema
        styles = _computed(gallery, encoder) if known is None or len(known) != gallery.size else known
        labels = self.schema.nearest_labels(np.asarray(styles))
        domains, numbers = np.unique(labels, axis=0, return_inverse=True)
        numbers = numbers.reshape(-1)
        # The gallery is outside of a strategy's scope, and so is this.
        self.held = variable_of(styles, "styles")
        """Styles by row, float32 [N, S]."""
        self._labels = variable_of(labels, "style_labels")
        self._domains = tf.constant(domains, tf.float32)
        self._counts = tf.constant(np.bincount(numbers), tf.int32)
        self._starts = tf.constant(np.cumsum(np.bincount(numbers)) - np.bincount(numbers), tf.int32)
        self._by_domain = tf.constant(np.argsort(numbers, kind="stable"), tf.int32)

    def nearest(self, asked: tf.Tensor, rows: tf.Tensor, exclude: tf.Tensor | None = None) -> tf.Tensor:
        """The style of that candidate of the domain asked for which is nearest to what was asked.

        Args:
          asked: styles float [B, S].
          rows: the candidates' rows, int32 [B, r].
          exclude: a row that is none, int32 [B]; -1: all are.

        Returns:
          float32 [B, S]; what was asked where no candidate is of its domain.
        """
        styles, labels = tf.gather(self.held, rows), tf.gather(self._labels, rows)
        fits = tf.reduce_all(labels == self.labels_of(asked)[:, None], -1)
        if exclude is not None:
            fits &= rows != exclude[:, None]
        distances = tf.reduce_sum(tf.square(styles - asked[:, None]), -1)
        best = tf.argmin(tf.where(fits, distances, np.inf), 1)
        return tf.where(tf.reduce_any(fits, 1)[:, None], tf.gather(styles, best, batch_dims=1), asked)

    def random_rows(self, asked: tf.Tensor, seeds: tf.Tensor, count: int) -> tf.Tensor:
        """Rows of random images of the domain of each style asked for.

        Args:
          asked: styles float [B, S].
          seeds: int [B, 2].
          count: images a style, r; one may be drawn twice.

        Returns:
          int32 [B, r]; any rows where no image is of the domain.
        """
        same = tf.reduce_all(self.labels_of(asked)[:, None] == self._domains, -1)
        domain = tf.argmax(tf.cast(same, tf.int32), 1)
        places = random_places(tf.gather(self._counts, domain), seeds, count)
        return tf.gather(self._by_domain, tf.gather(self._starts, domain)[:, None] + places)

    def labels_of(self, styles: tf.Tensor) -> tf.Tensor:
        """`AttributeSchema.nearest_labels` in the graph: float [B, S] -> float32 [B, K]."""
        scores = tf.reduce_mean(tf.reshape(styles, (-1, self.schema.size, styles.shape[-1] // self.schema.size)), -1)
        columns = tf.unstack(tf.cast(scores > 0.0, tf.float32), axis=1)
        for group in self.schema.groups:
            members = [self.schema.index(name) for name in group]
            strongest = tf.argmax(tf.gather(scores, members, axis=1), 1)
            for place, member in enumerate(members):
                held = tf.cast(strongest == place, tf.float32)
                columns[member] = held if self.schema.categorical else held * columns[member]
        return tf.stack(columns, 1)


def _computed(gallery: Gallery, encoder: tf.keras.Model) -> np.ndarray:
    @tf.function(reduce_retracing=True, autograph=False)
    def encode(rows: tf.Tensor) -> tf.Tensor:
        return encoder(pixels.to_float(gallery.images(rows)))[0]

    starts = range(0, gallery.size, _ENCODED)
    parts = [encode(tf.range(start, min(start + _ENCODED, gallery.size))).numpy() for start in starts]
    return np.concatenate(parts).astype(np.float32)
