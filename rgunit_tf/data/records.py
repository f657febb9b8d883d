"""What a source knows about its images before any of them is decoded."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.names import to_bytes

TRAIN, VALIDATION, TEST, UNLABELED = range(4)
# More than an uncompressed image of `decoding.MAX_PIXELS` takes.
MAX_FILE_BYTES = 1 << 30


WIDTH = 178
"""Of CelebA's aligned images: `data.crop` is in pixels of these, of pictures of another size the same share."""


def share_of(crop: int) -> float:
    """`data.crop` as a share of a picture's shorter side, in (0, 1]; 1: the largest square."""
    return crop / WIDTH if 0 < crop < WIDTH else 1.0


class Reader(Protocol):
    """Random access to encoded images (JPEG, PNG, ...) by row; safe to call from several threads."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> bytes:
        """Encoded bytes of one image.

        Raises:
          OSError: the file cannot be read.
        """

    def name(self, row: int) -> str:
        """Where the image lies, for messages."""

    def sizes(self) -> np.ndarray:
        """Encoded sizes in bytes: int64 [N]."""

    def key(self) -> str:
        """A hash that changes whenever an image may have changed."""


class FileReader:
    """Images that are files of their own.

    Args:
      root: folder that the names are relative to.
      names: relative paths.
    """

    def __init__(self, root: str | os.PathLike, names: Sequence[str]):
        self._root = os.fspath(root)
        self._names = list(names)
        self._stats: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._names)

    def read(self, row: int) -> bytes:
        """Encoded bytes of one image.

        Raises:
          OSError: no such file, a folder, a pipe or a device, or more than `MAX_FILE_BYTES`.
        """
        # Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
        with open(os.open(self.name(row), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError("not a file but a pipe, a device or the like")
            if found.st_size > MAX_FILE_BYTES:
                raise OSError(f"{found.st_size} bytes are more than {MAX_FILE_BYTES}")
            return file.read()

    def name(self, row: int) -> str:
        """Path of the file."""
        return os.path.join(self._root, self._names[row])

    def _stat(self) -> np.ndarray:
        if self._stats is None:
            stats = np.zeros((len(self), 2), np.int64)
            for row in range(len(self)):
                try:
                    found = os.stat(self.name(row))
                except OSError:
                    continue
                stats[row] = found.st_size, found.st_mtime_ns
            self._stats = stats
        return self._stats

    def sizes(self) -> np.ndarray:
        """File sizes: int64 [N]; 0 where the file is gone."""
        return self._stat()[:, 0]

    def key(self) -> str:
        """Hash of the paths, sizes and times of change."""
        digest = hashlib.sha256(to_bytes(os.path.realpath(self._root)))
        digest.update(to_bytes("\0".join(self._names)))
        digest.update(self._stat().tobytes())
        return digest.hexdigest()


@dataclasses.dataclass
class Records:
    """The rows of a data set.

    Attributes:
      reader: encoded images, N of them.
      ids: unique names, numpy str [N].
      labels: domain attributes, float32 [N, K] of 0 and 1; rows of `UNLABELED` images are not looked at.
      partition: int8 [N] of TRAIN, VALIDATION, TEST and UNLABELED (images of the training part without a label).
      schema: names and groups of the K attributes.
      content_labels: the other attributes, float32 [N, C], or None.
      content_names: their C names.
      crop: the centre crop in pixels of a picture of CelebA's size (of avatars: of the drawn width); 0: the largest
        square. What is cut out of a picture of any size is `crop_share`.
      crop_share: side of the centre crop before resizing as a share of a picture's shorter side.
      left_out: what lies there and is not among the rows, a line each with the reason.
      identities: the number of the person or thing on each image, int64 [N]; None where it is not known.
    """

    reader: Reader
    ids: np.ndarray
    labels: np.ndarray
    partition: np.ndarray
    schema: AttributeSchema
    content_labels: np.ndarray | None = None
    content_names: tuple[str, ...] = ()
    crop: int = 0
    crop_share: float = 1.0
    left_out: tuple[str, ...] = ()
    identities: np.ndarray | None = None
