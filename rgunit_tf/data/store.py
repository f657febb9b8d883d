"""Decoded images by row: held in memory where they fit, else decoded when asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent import futures

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf.data import decode_cache, decoding
from rgunit_tf.data.records import Reader
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, several

MAX_UNREADABLE = 0.01
_CHECKED_AT_ONCE = 8192


class ImageStore:
    """The images of a reader at one size.

    Args:
      reader: encoded images.
      size: side of the decoded images, pixels.
      crop_share: side of the centre crop before resizing as a share of the shorter side; 1: the largest square.
      memory: bytes that the decoded images may take; if they would take more they are decoded when asked for.

    Raises:
      UserError: more than 1 % of the images are unreadable.
    """

    def __init__(self, reader: Reader, size: int, crop_share: float = 1.0, memory: int = 2 << 30):
        self.reader = reader
        self.size = size
        self.crop_share = crop_share
        self.readable = np.ones(len(reader), bool)
        self._tensor: tf.Tensor | None = None
        self._lock = threading.Lock()
        self._pool: futures.ThreadPoolExecutor | None = None
        if len(reader) * size * size * 3 <= memory:
            self._fill()
        else:
            self._check()

    @property
    def in_memory(self) -> bool:
        """Whether the decoded images are held in memory."""
        return self._tensor is not None

    def _fill(self) -> None:
        cached = decode_cache.load(self.reader, self.size, self.crop_share)
        images, unreadable = cached or decoding.decode_rows(
            self.reader, range(len(self.reader)), self.size, self.crop_share
        )
        self._drop(unreadable)
        if cached is None:
            decode_cache.save(self.reader, self.size, self.crop_share, images, unreadable)
        # An eager tensor is captured by tf.data functions by reference: no copy an iterator, no limit of 2 GB. It has
        # to lie on the CPU, where tf.data runs.
        with tf.device("CPU:0"):
            self._tensor = tf.constant(images)

    def _check(self) -> None:
        """Finds the unreadable images before training meets them; once for each state of the files."""
        unreadable = decode_cache.load_unreadable(self.reader)
        if unreadable is None:
            logging.info("Checking %d images that do not fit into data.cache_mb, once", len(self.reader))
            unreadable = {}
            for start in range(0, len(self.reader), _CHECKED_AT_ONCE):
                rows = range(start, min(start + _CHECKED_AT_ONCE, len(self.reader)))
                # The smallest size lets the JPEG decoder skip most of its work, yet a cut-off file fails.
                unreadable |= decoding.decode_rows(self.reader, rows, 1)[1]
            decode_cache.save_unreadable(self.reader, unreadable)
        self._drop(unreadable)

    def _drop(self, unreadable: dict[int, str]) -> None:
        if not unreadable:
            return
        rows = sorted(unreadable)
        self.readable[rows] = False
        named = decoding.listed([(self.reader.name(row), unreadable[row]) for row in rows])
        if len(rows) > MAX_UNREADABLE * len(self.reader):
            raise UserError(
                f"{len(rows)} of {len(self.reader)} images cannot be read, more than {MAX_UNREADABLE:.0%}: {named}; "
                "replace or remove them"
            )
        logging.warning("Skipping %s: %s", several(len(rows), "unreadable image"), named)

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images of `rows` [n]: uint8 [n, size, size, 3].

        Raises:
          UserError: an image was damaged or removed since it was checked.
        """
        rows = np.asarray(rows, np.int64)
        if self._tensor is not None:
            return np.asarray(self._tensor)[rows]
        with self._lock:
            self._pool = self._pool or futures.ThreadPoolExecutor(decoding.threads())
        images, unreadable = decoding.decode_rows(self.reader, rows, self.size, self.crop_share, self._pool)
        for row, reason in unreadable.items():
            raise UserError(f"{printable(self.reader.name(row))}: no longer readable ({reason}); put the image back")
        return images

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Images of `rows` int64 [n] inside a tf.data function: uint8 [n, size, size, 3]."""
        if self._tensor is not None:
            return tf.gather(self._tensor, rows)
        images = tf.numpy_function(self.images, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [*rows.shape, self.size, self.size, 3])
