"""Contents of a gallery's images, which Eq. 9 fuses into that of the input: held in memory as far as a budget goes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.array_file import variable_of
from rgunit_tf.retrieval.gallery import Gallery

DTYPES = ("float32", "float16")
# Images encoded at a time.
_ENCODED = 64


class Contents:
    """Looks contents up by gallery row: those of the first rows are held, the others are encoded when asked for.

    Args:
      gallery: with its images.
      encoder: Ec, frozen: float [B, H, W, 3] in [-1, 1] -> [B, h, w, C].
      shape: (h, w, C) of what it gives.
      budget_mb: what the held contents may take, MiB.
      dtype: `float32` holds them as they were computed; `float16` twice as many, rounded.
      known: contents of the first rows, [M, h, w, C], so that they need not be computed.
      mapped: to start at once: `known` stays the array that it is, a file's say, from which Python reads what is asked
        for, and what is not known is encoded when asked for. Not for what becomes a SavedModel.

    Raises:
      UserError: an unknown dtype.
    """

    def __init__(
        self,
        gallery: Gallery,
        encoder: tf.keras.Model,
        shape: tuple[int, int, int],
        budget_mb: float = 1024,
        dtype: str = "float32",
        known: np.ndarray | None = None,
        mapped: bool = False,
    ):
        if dtype not in DTYPES:
            raise UserError(f"content_cache_dtype={dtype!r}; known: {', '.join(DTYPES)}")
        self.gallery, self.encoder, self.shape = gallery, encoder, shape
        self.budget_mb, self.dtype = budget_mb, dtype
        held = tf.as_dtype("float16" if dtype == "float16" else encoder.compute_dtype)
        self.count = min(gallery.size, int(budget_mb * 2**20) // (int(np.prod(shape)) * held.size))
        """How many rows are held."""
        if mapped:
            fits = known is not None and known.dtype == held.as_numpy_dtype
            self.count = min(self.count, len(known)) if fits else 0
            self._held = known if self.count else None
        else:
            self._held = self._computed(held, known) if self.count else None

    def _computed(self, dtype: tf.DType, known: np.ndarray | None) -> tf.Variable:
        """A variable, since a constant would become part of an exported graph, which may not exceed 2 GiB."""
        if known is not None and len(known) == self.count and known.dtype == dtype.as_numpy_dtype:
            return variable_of(known, "contents")
        encode = tf.function(self._encode, reduce_retracing=True, autograph=False)
        parts = [] if known is None else [tf.cast(known[: self.count], dtype)]
        for start in range(sum(len(part) for part in parts), self.count, _ENCODED):
            parts.append(tf.cast(encode(tf.range(start, min(start + _ENCODED, self.count))), dtype))
        return tf.Variable(tf.concat(parts, 0), trainable=False, name="contents")

    def as_dtype(self, dtype: str) -> Contents:
        """The same, held in another dtype within the same budget."""
        known = None if self._held is None else np.asarray(self._held)
        return Contents(self.gallery, self.encoder, self.shape, self.budget_mb, dtype, known)

    @property
    def held(self) -> tf.Variable | np.ndarray | None:
        """Contents of the first rows, [count, h, w, C], or more; None where none are held."""
        return self._held

    @property
    def in_variables(self) -> bool:
        """Whether every content is held in memory, where compiled graphs find it."""
        return self.count == self.gallery.size and isinstance(self._held, tf.Variable)

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """Contents of gallery rows: int32 [B, r] -> float [B, r, h, w, C], in the precision of the encoder."""
        flat = tf.reshape(rows, (-1,))
        if self._held is None:
            contents = self._encode(flat)
        elif self.count == self.gallery.size:
            contents = self._look_up(flat)
        else:
            missing = tf.where(flat >= self.count)
            known = self._look_up(tf.minimum(flat, self.count - 1))
            # oneDNN fails on a batch of no images.
            contents = tf.cond(
                tf.size(missing) > 0,
                lambda: tf.tensor_scatter_nd_update(known, missing, self._encode(tf.gather_nd(flat, missing))),
                lambda: known,
            )
        return tf.reshape(contents, (-1, rows.shape[1], *self.shape))

    def _look_up(self, rows: tf.Tensor) -> tf.Tensor:
        if isinstance(self._held, tf.Variable):
            found = tf.gather(self._held, rows)
        else:
            found = tf.numpy_function(lambda rows: self._held[rows], [rows], self._held.dtype, stateful=False)
            found = tf.ensure_shape(found, (None, *self.shape))
        return tf.cast(found, self.encoder.compute_dtype)

    def _encode(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(self.encoder(pixels.to_float(self.gallery.images(rows))))
