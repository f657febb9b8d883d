"""Decoded images by row: held in memory where they fit, else decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent import futures

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf.data import decode_cache, decoding
from rgunit_tf.data.records import Reader
from rgunit_tf.errors import UserError

MAX_UNREADABLE = 0.01


class ImageStore:
    """The images of a reader at one size.

    Args:
      reader: encoded images.
      size: side of the decoded images, pixels.
      crop: centre crop before resizing, pixels; 0: the largest square.
      memory: bytes that the decoded images may take; if they would take more they are decoded when asked for.

    Raises:
      UserError: more than 1 % of the images are unreadable.
    """

    def __init__(self, reader: Reader, size: int, crop: int = 0, memory: int = 2 << 30):
        self.reader = reader
        self.size = size
        self.crop = crop
        self.readable = np.ones(len(reader), bool)
        self._tensor: tf.Tensor | None = None
        self._pool: futures.ThreadPoolExecutor | None = None
        if len(reader) * size * size * 3 <= memory:
            self._fill()

    @property
    def in_memory(self) -> bool:
        """Whether the decoded images are held in memory."""
        return self._tensor is not None

    def _fill(self) -> None:
        cached = decode_cache.load(self.reader, self.size, self.crop)
        if cached is None:
            images, unreadable = decoding.decode_rows(self.reader, range(len(self.reader)), self.size, self.crop)
            self._note_unreadable(unreadable)
            decode_cache.save(self.reader, self.size, self.crop, images, unreadable)
        else:
            images, unreadable = cached
            self._note_unreadable(unreadable)
        # An eager tensor is captured by tf.data functions by reference: no copy an iterator, no limit of 2 GB. It has
        # to lie on the CPU, where tf.data runs.
        with tf.device("CPU:0"):
            self._tensor = tf.constant(images)

    def _note_unreadable(self, unreadable: dict[int, str]) -> None:
        if not unreadable:
            return
        new = [row for row in sorted(unreadable) if self.readable[row]]
        self.readable[list(unreadable)] = False
        if not new:
            return
        named = ", ".join(f"{self.reader.name(row)} ({unreadable[row]})" for row in new[:5])
        bad = int((~self.readable).sum())
        if bad > MAX_UNREADABLE * len(self.reader):
            first = new[0]
            raise UserError(
                f"{self.reader.name(first)}: not a readable image ({unreadable[first]}), and so are {bad} of "
                f"{len(self.reader)} in all; replace or remove them"
            )
        more = f" and {len(new) - 5} more" if len(new) > 5 else ""
        logging.warning("Skipping %d unreadable images: %s%s", len(new), named, more)

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images of `rows` [n]: uint8 [n, size, size, 3].

        An image that proves unreadable only now is replaced by the next readable row, so that a batch keeps its size.
        """
        rows = np.asarray(rows, np.int64)
        if self._tensor is not None:
            return np.asarray(self._tensor)[rows]
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(decoding.threads())
        images, unreadable = decoding.decode_rows(self.reader, rows, self.size, self.crop, self._pool)
        if unreadable:
            self._note_unreadable(unreadable)
            for position in np.flatnonzero(np.isin(rows, list(unreadable))):
                images[position] = self._next_readable(int(rows[position]))
        return images

    def _next_readable(self, row: int) -> np.ndarray:
        for step in range(1, len(self.reader)):
            other = (row + step) % len(self.reader)
            images, unreadable = decoding.decode_rows(self.reader, [other], self.size, self.crop)
            if not unreadable:
                return images[0]
        raise UserError(f"{self.reader.name(row)}: no readable image is left; put the images back")

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Images of `rows` int64 [n] inside a tf.data function: uint8 [n, size, size, 3]."""
        if self._tensor is not None:
            return tf.gather(self._tensor, rows)
        images = tf.numpy_function(self.images, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [*rows.shape, self.size, self.size, 3])
