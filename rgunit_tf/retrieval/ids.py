"""Names of a gallery's images, and from names to rows and back in the graph."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.names import to_tensor


class Ids(tf.Module):
    """N different names, in row order.

    Args:
      names: need not be valid UTF-8, as file names need not (`surrogateescape`).

    Raises:
      UserError: a name occurs twice.
    """

    def __init__(self, names: Iterable[str]):
        super().__init__(name="ids")
        self.names = np.asarray(names, dtype=np.str_)
        check_unique(self.names)
        # Strings have no place but the CPU.
        with tf.device("/CPU:0"):
            keys = to_tensor(self.names)
            self._ids = tf.Variable(keys, trainable=False, name="ids")
            self._table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, tf.range(len(self.names))), default_value=-1
            )

    def rows_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows by name: int32 of the shape of `ids`, string; -1 where there is no such name."""
        return self._table.lookup(tf.convert_to_tensor(ids, tf.string))

    def at(self, rows: tf.Tensor) -> tf.Tensor:
        """Names by row: string of the shape of `rows`."""
        return tf.gather(self._ids, rows)


def check_unique(ids: np.ndarray) -> None:
    """Checks that the ids, [N], differ.

    Raises:
      UserError: one occurs twice.
    """
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = values[counts > 1]
        raise UserError(f"gallery: {len(twice)} ids occur more than once, such as {str(twice[0])!r}; ids must differ")
