"""Large arrays a block of rows at a time: to a .npy file as they come, and into a variable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

_BLOCK_BYTES = 16 << 20


class ArrayWriter:
    """Appends rows to a .npy file; see `array_writer`."""

    def __init__(self, path: str | os.PathLike, dtype: str):
        self._dtype = np.dtype(dtype)
        self._shape: tuple[int, ...] | None = None
        self._file = open(path, "wb")  # noqa: SIM115 - closed by `close`
        self.count = 0

    def append(self, rows: np.ndarray) -> None:
        """Writes rows, [n, ...]; all calls with rows of one shape."""
        rows = np.ascontiguousarray(rows, self._dtype)
        if self._shape is None:
            self._shape = rows.shape[1:]
            self._header()
        if rows.shape[1:] != self._shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} after rows of shape {self._shape}")
        self._file.write(memoryview(rows.reshape(-1)).cast("B") if rows.size else b"")
        self.count += len(rows)

    def _header(self) -> None:
        # numpy leaves room in the header for a longer first dimension, so that it can be written again.
        shape = (self.count, *(self._shape or ()))
        facts = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, facts)

    def close(self) -> None:
        """States the number of rows and closes the file."""
        if self._shape is not None:
            self._file.seek(0)
            self._header()
        self._file.close()


@contextmanager
def array_writer(path: str | os.PathLike, dtype: str) -> Iterator[ArrayWriter]:
    """An open `ArrayWriter` of a new file at `path`."""
    writer = ArrayWriter(path, dtype)
    try:
        yield writer
    finally:
        writer.close()


def variable_of(rows: np.ndarray, name: str) -> tf.Variable:
    """A variable with the values of `rows` [N, ...], which is not trained; no second copy is made on the way."""
    variable = tf.Variable(tf.zeros(rows.shape, tf.as_dtype(rows.dtype)), trainable=False, name=name)
    # In the scope of a strategy with several devices there is one on each.
    copies = variable.values if isinstance(variable, tf.distribute.DistributedValues) else (variable,)
    block = max(1, _BLOCK_BYTES // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        for copy in copies:
            tf.raw_ops.ResourceStridedSliceAssign(
                ref=copy.handle, begin=[start], end=[start + len(part)], strides=[1], value=part
            )
    return variable
