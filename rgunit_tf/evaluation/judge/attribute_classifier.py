"""The attribute classifier that judges translated images (paper §4.1, ACC).

It never sees a generated image, nor the discriminator: it is trained on real training images only, so a translation
that pleases D's own head by a patch of colour does not please it. The paper uses a ResNet-50 for photographs; the
small network has the same task (sigmoid and cross-entropy, or softmax where the attributes are categories) at a size
that suits images of up to 64 pixels and trains in a minute on two cores.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import classifier_networks
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset

FORMAT = 1
WEIGHTS = "classifier.weights.h5"
DESCRIPTION = "classifier.json"


class AttributeClassifier:
    """A trained network with its schema: scores, decisions and penultimate activations of images.

    Args:
      schema: attributes the outputs stand for.
      image_size: side of the images it takes, pixels.
      width: channels of the small network.
      seed: of the initial weights.
      info: what is known of its training (accuracy on real images, fingerprint of the data, ...), JSON-ready.
      architecture: `small` or `resnet50`.
    """

    def __init__(
        self,
        schema: AttributeSchema,
        image_size: int,
        width: int = 32,
        seed: int = 0,
        info: dict[str, Any] | None = None,
        architecture: str = "small",
    ):
        self.schema = schema
        self.image_size = image_size
        self.width = width
        self.architecture = architecture
        self.network = classifier_networks.build(architecture, schema.size, image_size, width, seed)
        self.info: dict[str, Any] = dict(info or {})
        self._forward = tf.function(
            lambda images: self.network(images, training=False),
            autograph=False,
            input_signature=[tf.TensorSpec([None, image_size, image_size, 3], tf.float32)],
        )

    @property
    def feature_size(self) -> int:
        """Number of penultimate activations, F."""
        return self.network.outputs[1].shape[-1]

    @property
    def name(self) -> str:
        """How reports call what computed a number."""
        kind = ""
        if self.architecture == "resnet50":
            origin = "ImageNet" if self.info.get("recipe", {}).get("imagenet") else "random"
            kind = f"ResNet-50 from {origin} weights, "
        return f"attribute classifier ({kind}{self.image_size} px, {self.feature_size} features)"

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
            logits, activations = self._forward(pixels.to_float(images[start : start + batch_size]))
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

    def check_fits(self, dataset: Dataset) -> None:
        """Raises a UserError where the images or attributes of `dataset` are not those of the classifier."""
        size = dataset.test.image_size
        if size != self.image_size or dataset.schema.to_dict() != self.schema.to_dict():
            raise UserError(
                f"the {self.name} judges {', '.join(self.schema.names)}; the data has {size} px images of "
                f"{', '.join(dataset.schema.names)}; use a classifier trained on such data"
            )

    def layer_features(self, images: tf.Tensor) -> list[tf.Tensor]:
        """The last activation at each resolution, finest first: float32 [B, h, w, C] each, of float images."""
        return self._layers(images, training=False)

    @property
    def perceptual_network(self) -> PerceptualNetwork:
        """LPIPS' construction on these activations, all weights 1; compares with no LPIPS."""
        words = f"unit-length activations of the {self.name}, the last at each resolution"
        return PerceptualNetwork("classifier_feature_diversity", words, self.layer_features)

    @functools.cached_property
    def _layers(self) -> tf.keras.Model:
        activations = {
            layer.output.shape[1]: layer.output
            for layer in self.network.layers
            if isinstance(layer, tf.keras.layers.ReLU | tf.keras.layers.Activation) and layer.output.shape.rank == 4
        }
        return tf.keras.Model(self.network.input, list(activations.values()))

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights and description into an existing, empty `folder` (see `atomic.directory`)."""
        folder = pathlib.Path(folder)
        self.network.save_weights(folder / WEIGHTS)
        description = {
            "format": FORMAT,
            "schema": self.schema.to_dict(),
            "image_size": self.image_size,
            "width": self.width,
            "architecture": self.architecture,
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
                architecture=description.get("architecture", "small"),
            )
            classifier.network.load_weights(folder / WEIGHTS)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder}: no usable classifier ({error}); delete the folder to train it anew") from error
        return classifier
