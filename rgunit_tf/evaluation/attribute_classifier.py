"""The attribute classifier that judges translated images (paper §4.1, ACC), for small images.

It never sees a generated image, nor the discriminator: it is trained on real training images only, so a translation
that pleases D's own head by a patch of colour does not please it. The paper uses a ResNet-50 for photographs; this
network has the same task (sigmoid and cross-entropy, or softmax where the attributes are categories) at a size that
suits images of up to 64 pixels and trains in a minute on two cores.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError

FORMAT = 1
WEIGHTS = "classifier.weights.h5"
DESCRIPTION = "classifier.json"


def build_network(attributes: int, image_size: int, width: int = 32, seed: int = 0) -> tf.keras.Model:
    """Convolutions that halve the image down to about 4 pixels, then a global average and one linear layer.

    Args:
      attributes: K, the number of outputs.
      image_size: side of the square input, pixels; each doubling adds a stage.
      width: channels of the first stage; later stages have 2 * width.
      seed: of the initial weights.

    Returns:
      Model from float32 images [B, S, S, 3] in [-1, 1] to (logits [B, K], features [B, 2 * width]).
    """
    initial = iter(range(seed * 1000, seed * 1000 + 1000))

    def convolution(x: tf.Tensor, filters: int, stride: int) -> tf.Tensor:
        kernel = tf.keras.initializers.HeNormal(seed=next(initial))
        x = tf.keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, kernel_initializer=kernel)(x)
        x = tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
        return tf.keras.layers.ReLU()(x)

    images = tf.keras.Input((image_size, image_size, 3), name="images")
    # Above 64 pixels the first layer strides: at full resolution it alone would cost more than all the rest.
    x = convolution(images, width, 2 if image_size > 64 else 1)
    for stage in range(max(1, math.ceil(math.log2(x.shape[1] / 4)))):
        x = convolution(x, 2 * width, 2)
        if stage > 0:
            x = convolution(x, 2 * width, 1)
    features = tf.keras.layers.GlobalAveragePooling2D(name="features")(x)
    kernel = tf.keras.initializers.GlorotUniform(seed=next(initial))
    logits = tf.keras.layers.Dense(attributes, kernel_initializer=kernel, name="logits")(features)
    return tf.keras.Model(images, (logits, features), name="attribute_classifier")


class AttributeClassifier:
    """A trained network with its schema: scores, decisions and penultimate activations of images.

    Args:
      schema: attributes the outputs stand for.
      image_size: side of the images it takes, pixels.
      network: from `build_network`; a fresh one if None.
      info: what is known of its training (accuracy on real images, fingerprint of the data, ...), JSON-ready.
    """

    def __init__(
        self,
        schema: AttributeSchema,
        image_size: int,
        width: int = 32,
        seed: int = 0,
        info: dict[str, Any] | None = None,
    ):
        self.schema = schema
        self.image_size = image_size
        self.width = width
        self.network = build_network(schema.size, image_size, width, seed)
        self.info: dict[str, Any] = dict(info or {})
        self._forward = tf.function(
            lambda images: self.network(images, training=False),
            input_signature=[tf.TensorSpec([None, image_size, image_size, 3], tf.float32)],
        )

    @property
    def feature_size(self) -> int:
        """Number of penultimate activations, F."""
        return self.network.outputs[1].shape[-1]

    @property
    def name(self) -> str:
        """How reports call what computed a number."""
        return f"attribute classifier ({self.image_size} px, {self.feature_size} features)"

    def __call__(self, images: np.ndarray | tf.Tensor, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """Scores and features of images.

        Args:
          images: [N, S, S, 3], uint8 or float in [-1, 1].
          batch_size: images in memory of the network at once.

        Returns:
          scores float32 [N, K] in [0, 1] (they sum to 1 for a categorical schema), features float32 [N, F].
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != (self.image_size, self.image_size, 3):
            raise ValueError(f"images of shape {images.shape}, expected [N, {self.image_size}, {self.image_size}, 3]")
        scores, features = [], []
        for start in range(0, len(images), batch_size):
            logits, activations = self._forward(as_float(images[start : start + batch_size]))
            scores.append(self.scores(logits).numpy())
            features.append(activations.numpy())
        if not scores:
            return np.zeros((0, self.schema.size), np.float32), np.zeros((0, self.feature_size), np.float32)
        return np.concatenate(scores), np.concatenate(features)

    def scores(self, logits: tf.Tensor) -> tf.Tensor:
        """Sigmoid of `logits` [B, K], or softmax where exactly one attribute holds."""
        return tf.nn.softmax(logits) if self.schema.categorical else tf.sigmoid(logits)

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """Attributes that hold, 0/1 float32 [N, K]: scores above 0.5, or the highest of a categorical schema."""
        if self.schema.categorical:
            return np.eye(self.schema.size, dtype=np.float32)[np.argmax(scores, axis=1)]
        return (scores > 0.5).astype(np.float32)

    def features(self, images: np.ndarray | Iterable[dict[str, tf.Tensor]]) -> np.ndarray:
        """Penultimate activations, float32 [N, F], of images [N, S, S, 3] or of batches that hold "image"."""
        if hasattr(images, "ndim"):
            return self(images)[1]
        return np.concatenate([self(batch["image"])[1] for batch in images])

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights and description into an existing, empty `folder` (see `atomic.directory`)."""
        folder = pathlib.Path(folder)
        self.network.save_weights(folder / WEIGHTS)
        description = {
            "format": FORMAT,
            "schema": self.schema.to_dict(),
            "image_size": self.image_size,
            "width": self.width,
            "info": self.info,
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike) -> AttributeClassifier:
        """Reads what `save` wrote.

        Raises:
          UserError: there is no classifier in `folder`, or it cannot be read.
        """
        folder = pathlib.Path(folder)
        try:
            description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            if description["format"] != FORMAT:
                raise ValueError(f"format {description['format']}, expected {FORMAT}")
            classifier = cls(
                AttributeSchema.from_dict(description["schema"]),
                description["image_size"],
                description["width"],
                info=description["info"],
            )
            classifier.network.load_weights(folder / WEIGHTS)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder}: no usable classifier ({error}); delete the folder to train it anew") from error
        return classifier


def as_float(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Images as float32 in [-1, 1]; uint8 is mapped from 0..255, floats are taken to be there already."""
    if images.dtype in (np.uint8, tf.uint8):
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    return tf.cast(images, tf.float32)


def as_uint8(images: np.ndarray | tf.Tensor) -> np.ndarray:
    """Images in [-1, 1] as uint8 0..255, rounded to the nearest: what a PNG would hold."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)
