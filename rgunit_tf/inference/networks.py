"""The networks of a trained model behind a few functions, whether they are a stage of a run or a SavedModel.

Either kind takes uint8 images, in batches of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from rgunit_tf.retrieval.likeness import Likeness

Ids = Sequence[str] | None


class Networks(Protocol):
    """What `Model` asks of either kind; images uint8 [B, H, W, 3], styles float32 [B, S].

    `ids`, B names, are of images that the gallery may hold and that must not be found; an export ignores them.
    """

    def styles(self, images: np.ndarray) -> np.ndarray:
        """Es(x), its mean: float32 [B, S]."""

    def translate(self, images: np.ndarray, styles: np.ndarray, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [B, H, W, 3] and masks float32 [B, H, W, 1]."""

    def contents(self, images: np.ndarray) -> np.ndarray:
        """Ec(x): float32 [B, h, w, C]."""

    def likeness(self) -> Likeness | None:
        """What contents like the gallery's are, where that is known."""

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of the gallery: ids str [B, k], distances float32 [B, k]."""

    def gallery_images(self, ids: np.ndarray) -> np.ndarray | None:
        """Images of the gallery by id, uint8 [*, H, W, 3] for ids [*]; None where there are none."""


Seen = TypeVar("Seen")


class Latest(Generic[Seen]):
    """Remembers what was made of the latest images: style, content and translations are asked for one after the other.

    Args:
      make: of images uint8 [B, H, W, 3].
    """

    def __init__(self, make: Callable[[np.ndarray], Seen]):
        self._make = make
        self._known: tuple[np.ndarray, Seen] | None = None

    def __call__(self, images: np.ndarray) -> Seen:
        """What `make` gives; of the images of the last call it is not made again."""
        known = self._known
        if known is None or not np.array_equal(known[0], images):
            # A copy, since the caller may write the next images where these are.
            known = self._known = (np.array(images), self._make(images))
        return known[1]
