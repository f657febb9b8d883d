"""The pictures that the page works on: examples, and the last few that were uploaded."""

from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import io
import threading

import numpy as np
from PIL import Image

from rgunit_tf.inference.frames import Frame


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture as the model takes it.

    Attributes:
      name: of its file, or its id in the gallery.
      encoded: its file.
      square: uint8 [H, W, 3].
      frame: where in the picture the square lies.
      own: its own style, float32 [1, S].
      seen: names of the attributes that the model sees in it.
      id: of the run's image that it is, which must not guide its own translation; empty for a file's.
      unlikeness: see `Model.unlikeness_of`; None where it is not known.
    """

    name: str
    encoded: bytes
    square: np.ndarray
    frame: Frame
    own: np.ndarray
    seen: tuple[str, ...]
    id: str = ""
    unlikeness: float | None = None


def identity(picture: Picture) -> str:
    """The key of a picture: the same part of the same file has the same key."""
    return hashlib.sha256(picture.encoded + repr(picture.frame).encode()).hexdigest()[:16]


class Shelf:
    """Pictures by id. Examples stay; of the others the ones used least lately make way, so that memory is bounded.

    Args:
      room: how many that are no examples.
    """

    def __init__(self, room: int = 16):
        self.room = room
        self.examples: dict[str, Picture] = {}
        """The pictures that stay, by id, in their order."""
        self._recent: collections.OrderedDict[str, Picture] = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Picture | None:
        """The picture of an id; None where there is none any more."""
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
            return self.examples.get(key) or self._recent.get(key)

    def put(self, picture: Picture, stays: bool = False) -> str:
        """Takes a picture in; returns its id.

        Args:
          picture: the picture.
          stays: whether it is an example.
        """
        key = identity(picture)
        with self._lock:
            if stays:
                self.examples[key] = picture
            elif key not in self.examples:
                self._recent[key] = picture
                self._recent.move_to_end(key)
            while len(self._recent) > self.room:
                self._recent.popitem(last=False)
        return key


def png(image: np.ndarray) -> bytes:
    """A PNG of an image, uint8 [H, W, 3] or [H, W]."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def jpeg(picture: Image.Image) -> bytes:
    """A JPEG of an RGB picture in full colour resolution; its profile stays."""
    buffer = io.BytesIO()
    profile = picture.info.get("icc_profile")
    picture.save(buffer, format="JPEG", quality=95, subsampling=0, icc_profile=profile)
    return buffer.getvalue()


def data_url(image: np.ndarray) -> str:
    """An image, uint8 [H, W, 3] or [H, W], as text that a page can show."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode("ascii")
