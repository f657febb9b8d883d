"""The networks of a trained model behind four functions, whether they are a stage of a run or a SavedModel.

Both kinds take uint8 images and are traced once, for batches of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.names import to_array, to_tensor
from rgunit_tf.retrieval.likeness import FILE, Likeness
from rgunit_tf.runs import finished
from rgunit_tf.runs.checkpoints import UNREADABLE, first_line
from rgunit_tf.runs.workdir import Workdir

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


class RunNetworks:
    """The networks of a run's finished stage.

    Args:
      description: of the stage; `RetrievalModel` holds the translation model too.

    Raises:
      UserError: the stage's files are damaged.
    """

    def __init__(self, description: Description):
        workdir = Workdir(description.path)
        model = finished.load(workdir, description.stage, inference=True)
        self._retrieval, self._gallery, translator = model.retrieval, model.gallery, model.translation
        if description.galleries:
            self._gallery = finished.load_shards(workdir, description.galleries, mapped=True)
        elif description.gallery and self._gallery is None:
            self._gallery = finished.load_gallery(workdir, mapped=True)
        size, style_dim = description.image_size, description.style_dim
        images = tf.TensorSpec([None, size, size, 3], tf.uint8)
        styles = tf.TensorSpec([None, style_dim], tf.float32)
        ids = tf.TensorSpec([None], tf.string)

        @tf.function(input_signature=[images], autograph=False)
        def encode(images: tf.Tensor) -> tf.Tensor:
            return translator.style_encoder(pixels.to_float(images))[0]

        @tf.function(input_signature=[images, styles, ids], autograph=False)
        def translate(images: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            translated, masks = translator.translate_with_style(pixels.to_float(images), styles, ids)
            return pixels.to_uint8(translated), masks

        @tf.function(input_signature=[images, styles, tf.TensorSpec([], tf.int32)], autograph=False)
        def search(images: tf.Tensor, styles: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._gallery.search(self._retrieval.embed_query(pixels.to_float(images), styles), k)

        @tf.function(input_signature=[images, styles, tf.TensorSpec([], tf.int32), ids], autograph=False)
        def search_others(
            images: tf.Tensor, styles: tf.Tensor, k: tf.Tensor, ids: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            return self._gallery.search(self._retrieval.embed_query(pixels.to_float(images), styles), k, ids)

        @tf.function(input_signature=[images], autograph=False)
        def contents(images: tf.Tensor) -> tf.Tensor:
            return tf.cast(translator.content_encoder(pixels.to_float(images)), tf.float32)

        self._workdir, self._contents = workdir, contents
        self._encode, self._translate, self._search, self._search_others = encode, translate, search, search_others

    def styles(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._encode(images).numpy()

    def translate(self, images: np.ndarray, styles: np.ndarray, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        translated, masks = self._translate(images, styles, to_tensor(ids or [""] * len(images)))
        return translated.numpy(), masks.numpy()

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        if k > self._gallery.size - bool(ids):
            raise UserError(f"k={k}: the gallery holds {self._gallery.size} images; ask for fewer")
        others = (to_tensor(ids),) if ids else ()
        found, distances = (self._search_others if ids else self._search)(images, styles, k, *others)
        return to_array(found), distances.numpy()

    def contents(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._contents(images).numpy()

    def likeness(self) -> Likeness | None:
        """See `Networks`."""
        return finished.likeness_of(self._workdir)

    def gallery_images(self, ids: np.ndarray) -> np.ndarray | None:
        """See `Networks`."""
        if self._gallery is None or not self._gallery.has_images:
            return None
        return self._gallery.images(self._gallery.rows_of(to_tensor(ids))).numpy()


class ExportNetworks:
    """The signatures of a SavedModel.

    Args:
      description: of the export.

    Raises:
      UserError: the files are damaged, or the export needs ScaNN's ops and ScaNN is not installed.
    """

    def __init__(self, description: Description):
        self._description = description
        try:
            _import_scann_if_there()
            self._loaded = tf.saved_model.load(str(description.path))
        except (*UNREADABLE, OSError) as error:
            raise UserError(
                f"--model={description.path} cannot be read ({first_line(error)}); export the model again"
            ) from error
        self._signatures = self._loaded.signatures

    def styles(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._signatures["encode"](images=tf.constant(images))["style_mean"].numpy()

    def translate(self, images: np.ndarray, styles: np.ndarray, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        del ids
        # An export of version 0.1 has the old name alone.
        new = "translate_to_style" in self._signatures
        signature = self._signatures["translate_to_style" if new else "translate_with_style"]
        outputs = signature(images=tf.constant(images), styles=tf.constant(styles))
        return outputs["translated_images" if new else "images"].numpy(), outputs["masks"].numpy()

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`; the signature takes attributes, so a style must be the mean of some."""
        del ids
        blocks = styles.reshape(len(styles), self._description.schema.size, -1)
        if (blocks != blocks[..., :1]).any() or (np.abs(blocks) > 1.0).any():
            raise UserError(
                f"--model={self._description.path}: an export retrieves by attributes alone; give --to, "
                "or the run's folder as --model"
            )
        attributes = (blocks[..., 0] + 1.0) / 2.0
        try:
            outputs = self._signatures["retrieve"](
                images=tf.constant(images), attributes=tf.constant(attributes), k=tf.constant(k, tf.int32)
            )
        except tf.errors.InvalidArgumentError as error:
            if "size of the gallery" not in error.message:
                raise
            raise UserError(f"k={k} is more than the export's gallery holds; ask for fewer") from None
        return to_array(outputs["ids"]), outputs["distances"].numpy()

    def contents(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._signatures["encode"](images=tf.constant(images))["content"].numpy()

    def likeness(self) -> Likeness | None:
        """See `Networks`."""
        return Likeness.load(self._description.path / "assets.extra" / FILE)

    def gallery_images(self, ids: np.ndarray) -> np.ndarray | None:
        """None: an export gives ids alone."""
        return None


def _import_scann_if_there() -> None:
    """ScaNN registers the ops that an export with its index needs; the others do without."""
    try:
        import scann  # noqa: F401
    except ImportError:
        return
