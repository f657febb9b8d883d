"""Names of images, between files, TensorFlow and people.

The name of a file is bytes, which need not be UTF-8. In text such a byte is a lone surrogate, as Python's file
functions have it (PEP 383); TensorFlow's strings are the bytes themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def to_bytes(name: str | bytes) -> bytes:
    """The name as the file system has it."""
    return name if isinstance(name, bytes) else str(name).encode("utf-8", "surrogateescape")


def to_text(name: bytes | str) -> str:
    """What `to_bytes` was made of; text stays as it is."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def to_tensor(names: Iterable[str | bytes]) -> tf.Tensor:
    """N names, or an array of them, as a string tensor of that shape."""
    import tensorflow as tf

    names = np.asarray(names if isinstance(names, np.ndarray) else list(names), object)
    encoded = np.empty(names.shape, object)
    encoded.flat = [to_bytes(name) for name in names.flat]
    return tf.constant(encoded, tf.string)


def to_array(names: Any) -> np.ndarray:
    """A string tensor, or an array of its values, as an array of text of that shape."""
    values = np.asarray(names)
    return np.array([to_text(name) for name in values.reshape(-1)], np.str_).reshape(values.shape)


def several(count: int, what: str) -> str:
    """So many of something, named in the singular: `1 file`, `2 files`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def printable(name: str) -> str:
    """A name for a message of one line: what cannot be printed is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
