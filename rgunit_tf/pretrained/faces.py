"""Judges photographs of faces without having been trained here: who it is, a man or not, smiling or not.

Three networks from npm packages (`face_descriptor`, `face_attributes`). A classifier that is trained on the data itself
shares its accidents, and a model that meets it by them fools it; these have seen neither.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from rgunit_tf.pretrained import face_attributes, face_descriptor

# The attributes it knows, as CelebA calls them, in the order of its scores.
ATTRIBUTES = ("Male", "Smiling")
RESIZE = f"bilinear antialiased resizing of floats to {face_descriptor.SIZE} and {face_attributes.SIZE} px"


class FaceNetwork:
    """Descriptors and attributes of faces that fill the picture, as CelebA's aligned ones do.

    Args:
      weights: see `shapes`.
      name: how reports call it.
      batch_size: images at once.
    """

    key = "faces"
    to_inputs = None
    to_train = None
    identity = "face_identity_rank1"

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, batch_size: int = 32):
        self.name = name
        self._batch_size = batch_size
        descriptor, gender, expression = (_part(weights, part) for part in PARTS)

        def forward(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            descriptors, odds = face_descriptor.forward(descriptor, _resized(images, face_descriptor.SIZE))
            small = _resized(images, face_attributes.SIZE)
            # Two networks that err apart: the mean of their log odds is right more often than either.
            odds = (odds + face_attributes.male(gender, small)) / 2.0
            return descriptors, tf.sigmoid(tf.stack([odds, face_attributes.happy(expression, small)], axis=1))

        self._forward = tf.function(forward, reduce_retracing=True, autograph=False)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 images [N, H, W, 3] -> descriptors float32 [N, 1024], scores of `ATTRIBUTES` in 0..1 float32 [N, 2]."""
        starts = range(0, len(images), self._batch_size)
        parts = [self._forward(tf.constant(images[start : start + self._batch_size])) for start in starts]
        descriptors, scores = zip(*parts, strict=True)
        return np.concatenate(descriptors), np.concatenate(scores)


PARTS = {
    "descriptor": face_descriptor.shapes,
    "gender": face_attributes.male_shapes,
    "expression": face_attributes.happy_shapes,
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each array of the weights: those of the three networks, `<part>/<name>`."""
    return {f"{part}/{name}": shape for part, of_part in PARTS.items() for name, shape in of_part().items()}


def _part(weights: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{part}/"): array for name, array in weights.items() if name.startswith(f"{part}/")}


def _resized(images: tf.Tensor, size: int) -> tf.Tensor:
    resized = tf.image.resize(tf.cast(images, tf.float32), (size, size), antialias=True)
    return tf.ensure_shape(resized, (None, size, size, 3))
