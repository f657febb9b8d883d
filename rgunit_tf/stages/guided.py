"""Stage 3: the translation model, fine-tuned with the content of retrieved images (paper §3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.models.fusion import Fusion
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

MODES = ("retrieved", "random")


class GuidedModel(TranslationModel):
    """Translates with the help of real images of the target domain: RG-UNIT.

    Starts as exactly the translation model, unless `initial_share` says otherwise. Ec, Es and R stay as they are (the
    gallery's embeddings rely on them); the fusion, G and D are trained.

    Args:
      translation: the trained stage 1; its weights are copied.
      retrieval: the trained stage 2.
      gallery: the images to retrieve from.
      neighbors: r of Eq. 9; with 0 the model is the translation model.
      mode: `retrieved`, or `random` images in the neighbours' place (paper Table 2).
      content_cache_mb: the gallery's contents are computed once and held as far as they fit into this, MiB; images
        beyond it are encoded each time they are retrieved.
      content_cache_dtype: `float32` holds contents as they were computed; `float16` twice as many, rounded.
      initial_share: the neighbours' share in the fused content before training; beyond 0 the model does not start as
        the translation model, and learns to use what it is given.
      contents: those of the gallery's first rows, [M, h, w, C], where they are known; else they are computed.
      inference: to be used and not trained: it has no D, and the networks of `translation` themselves.

    Raises:
      UserError: more neighbours than the gallery has besides an image itself, or an unknown mode or dtype.
    """

    keras_format = False

    def __init__(
        self,
        translation: TranslationModel,
        retrieval: RetrievalModel,
        gallery: Gallery | None,
        neighbors: int = 3,
        mode: str = "retrieved",
        content_cache_mb: float = 1024,
        content_cache_dtype: str = "float32",
        initial_share: float = 0.0,
        contents: np.ndarray | None = None,
        inference: bool = False,
    ):
        if mode not in MODES:
            raise UserError(f"mode={mode!r}; known: {', '.join(MODES)}")
        if neighbors and gallery is None:
            raise UserError(f"neighbors={neighbors} needs a gallery")
        if neighbors and neighbors >= gallery.size:
            raise UserError(
                f"neighbors={neighbors} but the gallery holds {gallery.size} images; use fewer neighbors or more images"
            )
        super().__init__(
            translation.schema,
            translation.image_size,
            translation.seed,
            float(translation.mask_strength),
            name="guided",
            inference=inference,
            source=translation if inference else None,
            **translation.architecture,
        )
        self.retrieval = retrieval
        # Behind a function: Keras would count the gallery's variables among the model's, and refuse them, since they
        # are made outside of the strategy's scope.
        self._gallery = lambda: gallery
        self.neighbors, self.mode = neighbors, mode
        self.loss_settings = translation.loss_settings
        if not inference:
            for mine, theirs in zip(self._copied_parts(self), self._copied_parts(translation), strict=True):
                mine.set_weights(theirs.get_weights())
        self.content_encoder.trainable = self.style_encoder.trainable = False
        self.fusion = Fusion(self.content_encoder.channels, initial_share)
        self.content_cache = {"content_cache_mb": content_cache_mb, "content_cache_dtype": content_cache_dtype}
        if neighbors:
            side = self.image_size // self.content_encoder.stride
            shape = (side, side, self.fusion.channels)
            content = tf.zeros((1, *shape))
            self.fusion(content, tf.stack([content] * neighbors, 1))
            self.contents_of = Contents(
                gallery, self.content_encoder, shape, content_cache_mb, content_cache_dtype, contents, inference
            )

    def compile(self, *args: Any, jit_compile: bool | None = None, **kwargs: Any) -> None:
        """As `TranslationModel.compile`.

        Raises:
          UserError: XLA is asked for; it has no kernel for the look-up of names, nor for ScaNN.
        """
        if jit_compile and self.neighbors:
            raise UserError("jit_compile=True: a guided model with neighbors cannot be compiled by XLA; leave it out")
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    @property
    def gallery(self) -> Gallery | None:
        """The images to retrieve from; None where there are no neighbours."""
        return self._gallery()

    @staticmethod
    def _copied_parts(model: TranslationModel) -> list[tf.keras.Model]:
        return [model.content_encoder, model.style_encoder, model.decoder, model.discriminator]

    @property
    def trained_variables(self) -> list[tf.Variable]:
        """What the generator's loss trains here: the fusion and G."""
        return [*self.fusion.trainable_variables, *self.decoder.trainable_variables]

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """The networks by name, as they are saved."""
        return {**super().networks, **({"fusion": self.fusion} if self.neighbors else {})}

    def noise_share(self) -> tf.Tensor | float:
        """As at the end of the translation stage."""
        return self.loss_settings.final_noise

    def change_share(self) -> tf.Tensor | float:
        """As at the end of the translation stage."""
        return self.loss_settings.final_change

    def guide(self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor, noise: StepNoise | None) -> tf.Tensor:
        """Eq. 9: the input's content fused with that of the images retrieved for it and the style."""
        if not self.neighbors:
            return content
        rows = self.neighbor_rows(content, styles, ids, noise)
        return self.fusion(content, self.contents_of(rows))

    def neighbor_rows(
        self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None, noise: StepNoise | None = None
    ) -> tf.Tensor:
        """Gallery rows of the r images that guide each translation, the nearest first; int32 [B, r].

        Args:
          content: float [B, h, w, C].
          styles: float [B, S].
          ids: string [B]; an image of the gallery with that name is not retrieved; None: every image may be.
          noise: source of the random rows in mode `random`.
        """
        exclude = None if ids is None else self.gallery.rows_of(ids)
        if self.mode == "random":
            count = tf.shape(content)[0]
            noise = noise or StepNoise(self.seed, tf.zeros((), tf.int64), count)
            return self.gallery.random_rows(noise.seeds(count), self.neighbors, exclude)
        queries = tf.stop_gradient(self.retrieval.embed(content, styles))
        return self.gallery.search_rows(queries, self.neighbors, exclude)[1]

    def neighbors_for(self, images: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Gallery rows that guide the translation of images [B, H, W, 3] in [-1, 1] to styles [B, S]; int32 [B, r]."""
        return self.neighbor_rows(self.content_encoder(images), styles, ids)

    def get_config(self) -> dict[str, Any]:
        """Settings of this stage; the models and the gallery it is built from are saved on their own."""
        return {"neighbors": self.neighbors, "mode": self.mode, **self.content_cache}
