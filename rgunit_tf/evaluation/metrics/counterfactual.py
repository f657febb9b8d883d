"""Distance of a translation to the true counterfactual: the same drawn person with the attributes asked for.

Only a source that draws its images (avatars) knows it. The distance is set against that of the untouched input: below 1
the translation is nearer to the truth than a copy, which neither a garbled picture nor a copied one achieves.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.names import to_bytes

# (ids [B], labels [B, K]) -> uint8 images [B, S, S, 3], cropped and resized as the data set's own.
Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Counterfactuals:
    """True counterfactuals of images, drawn once and kept as one .npy file in a folder.

    Args:
      draw: makes the images of some ids and label vectors.
      folder: where they are kept; None keeps nothing.
      block: images drawn at once.
    """

    def __init__(self, draw: Draw, folder: str | os.PathLike | None = None, block: int = 256):
        self._draw = draw
        self._folder = None if folder is None else pathlib.Path(folder)
        self._block = block

    def images(self, ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Counterfactuals of `ids` [N] with `labels` [N, K]: uint8 [N, S, S, 3].

        With a folder the result is a memory map, so that its size does not count.
        """
        if self._folder is None:
            return self._draw(ids, labels)
        path = self._folder / f"{self._key(ids, labels)}.npy"
        if not path.exists():
            logging.info("drawing %d true counterfactuals into %s", len(ids), path)
            self._write(path, ids, labels)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def _write(self, path: pathlib.Path, ids: np.ndarray, labels: np.ndarray) -> None:
        with atomic.path(path) as temporary:
            table = None
            for start in range(0, len(ids), self._block):
                span = slice(start, start + self._block)
                drawn = self._draw(ids[span], labels[span])
                if table is None:
                    shape = (len(ids), *drawn.shape[1:])
                    table = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
                table[span] = drawn
            table.flush()

    @staticmethod
    def _key(ids: np.ndarray, labels: np.ndarray) -> str:
        digest = hashlib.sha256(to_bytes("\n".join(map(str, ids))))
        digest.update(np.asarray(labels, np.float32).tobytes())
        return digest.hexdigest()[:16]


def mean_absolute_difference(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """L1 distance an image, as the mean over pixels and channels in grey levels 0..255: float64 [B].

    Args:
      images: uint8 [B, H, W, 3].
      truth: uint8 [B, H, W, 3].
    """
    return np.abs(np.asarray(images, np.int16) - np.asarray(truth, np.int16)).mean(axis=(1, 2, 3), dtype=np.float64)


def structural_similarity(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """SSIM an image (Wang et al. 2004, by tf.image: Gaussian window of 11, smaller on tiny images): float32 [B].

    Args:
      images: uint8 [B, H, W, 3].
      truth: uint8 [B, H, W, 3].
    """
    window = min(11, images.shape[1], images.shape[2])
    return tf.image.ssim(tf.constant(images), tf.constant(np.asarray(truth)), 255, filter_size=window).numpy()
