"""The networks of a run's finished stage; each function is traced once, for batches of any size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.inference.networks import Ids, Latest
from rgunit_tf.names import to_array, to_tensor
from rgunit_tf.retrieval.likeness import Likeness
from rgunit_tf.runs import finished
from rgunit_tf.runs.workdir import Workdir


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
        size = description.image_size
        images = tf.TensorSpec([None, size, size, 3], tf.uint8)
        encoder = translator.content_encoder
        side = size // encoder.stride
        contents = tf.TensorSpec([None, side, side, encoder.channels], encoder.compute_dtype)
        styles = tf.TensorSpec([None, description.style_dim], tf.float32)
        ids, number = tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)

        @tf.function(input_signature=[images], autograph=False)
        def encode(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x = pixels.to_float(images)
            return translator.style_encoder(x)[0], encoder(x)

        @tf.function(input_signature=[images, contents, styles, ids], autograph=False)
        def translate(
            images: tf.Tensor, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            styles = translator.target_styles(content, styles, ids, None)
            fused = translator.guide(content, styles, ids, None)
            translated, masks = translator.decode(fused, styles, pixels.to_float(images))
            return pixels.to_uint8(translated), masks

        @tf.function(input_signature=[contents, styles, number], autograph=False)
        def search(content: tf.Tensor, styles: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._gallery.search(self._retrieval.embed(content, styles), k)

        @tf.function(input_signature=[contents, styles, number, ids], autograph=False)
        def search_others(
            content: tf.Tensor, styles: tf.Tensor, k: tf.Tensor, ids: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            return self._gallery.search(self._retrieval.embed(content, styles), k, ids)

        self._workdir, self._encode, self._encoded = workdir, encode, Latest(encode)
        self._translate, self._search, self._search_others = translate, search, search_others

    def styles(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._encoded(images)[0].numpy()

    def translate(self, images: np.ndarray, styles: np.ndarray, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        names = to_tensor(ids or [""] * len(images))
        translated, masks = self._translate(images, self._encoded(images)[1], styles, names)
        return translated.numpy(), masks.numpy()

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        if k > self._gallery.size - bool(ids):
            raise UserError(f"k={k}: the gallery holds {self._gallery.size} images; ask for fewer")
        others = (to_tensor(ids),) if ids else ()
        content = self._encoded(images)[1]
        found, distances = (self._search_others if ids else self._search)(content, styles, k, *others)
        return to_array(found), distances.numpy()

    def contents(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return tf.cast(self._encoded(images)[1], tf.float32).numpy()

    def likeness(self) -> Likeness | None:
        """See `Networks`."""
        return finished.likeness_of(self._workdir)

    def gallery_images(self, ids: np.ndarray) -> np.ndarray | None:
        """See `Networks`."""
        if self._gallery is None or not self._gallery.has_images:
            return None
        return self._gallery.images(self._gallery.rows_of(to_tensor(ids))).numpy()
