"""Whether a picture is like those that a gallery holds, by how far its content is from what theirs span.

The embeddings of R do not tell: they were trained to order real images, and of photographs of cats and dogs, given to
a model of faces at 32 px, 20 % lie farther from the gallery than 99 % of the test faces do. By the contents themselves
it is all of them, as it is of drawn faces, of faces upside down and of small ones on another ground, and 86 % of plain
colours.
"""

from __future__ import annotations

import dataclasses
import os
import zipfile

import numpy as np

from rgunit_tf import atomic

FILE = "likeness.npz"
GRID = 4
"""Contents are averaged over this many cells in each direction."""
AXES = 64
"""Directions in which the gallery's contents vary most."""
SHARE = 0.99
"""Of real pictures are as near as `limit`."""
GALLERY_COUNT, TEST_COUNT = 1024, 512
"""Images at most from which they are computed."""
_FEWEST = 20


@dataclasses.dataclass(frozen=True)
class Likeness:
    """What the contents of a gallery span.

    Attributes:
      mean: of the contents' cells, float32 [D].
      axes: directions in which they vary, float32 [A, D], orthonormal.
      limit: distance within which 99 % of real pictures are that are not in the gallery.
    """

    mean: np.ndarray
    axes: np.ndarray
    limit: float

    @classmethod
    def of(cls, gallery: np.ndarray, others: np.ndarray) -> Likeness | None:
        """Computes it.

        Args:
          gallery: cells of contents of the gallery's images, float [N, D]; see `cells`.
          others: those of real images that are not in it, float [M, D].

        Returns:
          None where there are too few images to say anything.
        """
        if min(len(gallery), len(others)) < _FEWEST:
            return None
        mean = gallery.mean(0, dtype=np.float32)
        axes = np.linalg.svd(gallery - mean, full_matrices=False)[2][
            : min(AXES, *(side // 4 for side in gallery.shape))
        ]
        made = cls(mean, axes.astype(np.float32), np.inf)
        return dataclasses.replace(made, limit=float(np.quantile(made.distances(others), SHARE)))

    def distances(self, found: np.ndarray) -> np.ndarray:
        """Distances of cells of contents, [B, D], from what the gallery's span: float32 [B]."""
        rest = np.asarray(found, np.float32) - self.mean
        return np.linalg.norm(rest - rest @ self.axes.T @ self.axes, axis=1)

    def save(self, path: str | os.PathLike, of: str = "") -> None:
        """Writes a file, whole or not at all.

        Args:
          path: of the file.
          of: what names the networks and the gallery that it is of.
        """
        with atomic.path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, mean=self.mean, axes=self.axes.astype(np.float16), limit=self.limit, of=of)

    @classmethod
    def load(cls, path: str | os.PathLike, of: str | None = None) -> Likeness | None:
        """Reads what `save` wrote; None where there is none, it is damaged, or of something else than `of`."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                if of is not None and str(stored["of"]) != of:
                    return None
                return cls(stored["mean"], stored["axes"].astype(np.float32), float(stored["limit"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def cells(contents: np.ndarray) -> np.ndarray:
    """Contents, float [B, h, w, C], averaged over the cells of a grid: float32 [B, D]."""
    contents = np.asarray(contents, np.float32)
    for axis in (1, 2):
        parts = np.array_split(contents, min(GRID, contents.shape[axis]), axis)
        contents = np.concatenate([part.mean(axis, keepdims=True) for part in parts], axis)
    return contents.reshape(len(contents), -1)
