"""Stage 3: the translation model, fine-tuned with the content of retrieved images (paper §3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.config import CONTENT_TARGETS, FUSIONS, STYLES
from rgunit_tf.errors import UserError
from rgunit_tf.models.attention_fusion import AttentionFusion
from rgunit_tf.models.fusion import Fusion
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.stages.neighbor_styles import NeighborStyles
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
      fusion: `equation9`, or `attention` for neighbours that are not aligned with the input.
      content_target: what Eq. 2 holds the content of the translated image to: that of the `input`, or the `fused` one,
        which is no variable of that loss.
      style: `prior` translates to the styles asked for; `neighbors` to that of a retrieved image of their domain, see
        `NeighborStyles` (with mode `random`, of a random image of their domain).
      styles: those of all rows of the gallery, [N, S], where they are known; else they are computed.
      inference: to be used and not trained: it has no D, and the networks of `translation` themselves.

    Raises:
      UserError: more neighbours than the gallery has besides an image itself, an unknown mode, fusion, target, style or
        dtype, an `initial_share` of a fusion that has none, or styles of no neighbours.
    """

    keras_format = False
    SETTINGS = (
        *("neighbors", "mode", "fusion", "content_target", "style"),
        *("content_cache_mb", "content_cache_dtype", "initial_share"),
    )
    """The settings of `config.SETTINGS["guided"]` that it is built by."""

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
        fusion: str = "equation9",
        content_target: str = "input",
        style: str = "prior",
        styles: np.ndarray | None = None,
        inference: bool = False,
    ):
        _check_choices(mode=(mode, MODES), fusion=(fusion, FUSIONS), style=(style, STYLES))
        _check_choices(content_target=(content_target, CONTENT_TARGETS))
        if style == "neighbors" and not neighbors:
            raise UserError("style='neighbors' needs some; give neighbors, or style='prior'")
        if initial_share and fusion != "equation9":
            raise UserError(f"initial_share={initial_share}: a fusion by {fusion} has none; leave it at 0")
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
        channels = self.content_encoder.channels
        self.fusion = Fusion(channels, initial_share) if fusion == "equation9" else AttentionFusion(channels)
        self.guidance = {"fusion": fusion, "content_target": content_target, "style": style}
        self.content_cache = {"content_cache_mb": content_cache_mb, "content_cache_dtype": content_cache_dtype}
        if neighbors:
            side = self.image_size // self.content_encoder.stride
            shape = (side, side, self.fusion.channels)
            content = tf.zeros((1, *shape))
            self.fusion(content, tf.stack([content] * neighbors, 1), tf.zeros((1, self.prior.style_dim)))
            self.contents_of = Contents(
                gallery, self.content_encoder, shape, content_cache_mb, content_cache_dtype, contents, inference
            )
        if style == "neighbors":
            self.styles_of = NeighborStyles(gallery, self.style_encoder, self.schema, styles)

    def compile(self, *args: Any, jit_compile: bool | None = None, **kwargs: Any) -> None:
        """As `TranslationModel.compile`.

        Raises:
          UserError: XLA is asked for where it cannot compile the step; see `why_not_compiled`.
        """
        if jit_compile and (why := self.why_not_compiled()):
            raise UserError(f"jit_compile=True: XLA compiles no guided step {why}; leave it out")
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def why_not_compiled(self) -> str | None:
        """What XLA has no kernel for in this model's step, and the remedy; None: it compiles it."""
        if not self.neighbors:
            return None
        if self.mode == "random":
            return "with random neighbours, whose numbers it cannot draw"
        if getattr(getattr(self.gallery, "index", None), "kind", None) != "exact":
            return f"that searches {self.gallery!r}; it needs one gallery with index='exact'"
        if not self.contents_of.in_variables:
            return "that encodes retrieved images; it needs a content_cache_mb that holds all contents"
        return None

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
        return self.fusion(content, self.contents_of(rows), styles)

    def target_styles(
        self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None, noise: StepNoise | None
    ) -> tf.Tensor:
        """The styles that G draws for those asked for [B, S]: these, or those of real images; see `NeighborStyles`."""
        if self.styles_of is None:
            return styles
        if self.mode == "retrieved":
            return self.styles_of.nearest(styles, self.neighbor_rows(content, styles, ids))
        rows = self.styles_of.random_rows(styles, self._seeds(content, noise), self.neighbors)
        return self.styles_of.nearest(styles, rows, self._rows_of(ids))

    def content_target(self, content: tf.Tensor, fused: tf.Tensor) -> tf.Tensor:
        """What Eq. 2 holds the content of the translated images to, as `content_target` of the constructor says."""
        return tf.stop_gradient(fused) if self.guidance["content_target"] == "fused" else content

    def neighbor_rows(
        self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None, noise: StepNoise | None = None
    ) -> tf.Tensor:
        """Gallery rows of the r images that guide each translation, the nearest first; int32 [B, r].

        Args:
          content: float [B, h, w, C].
          styles: float [B, S].
          ids: string [B]; an image of the gallery with that name is not retrieved; None: every image may be. Or int32
            [B], their rows.
          noise: source of the random rows in mode `random`.
        """
        exclude = self._rows_of(ids)
        if self.mode == "random":
            return self.gallery.random_rows(self._seeds(content, noise), self.neighbors, exclude)
        queries = tf.stop_gradient(self.retrieval.embed(content, styles))
        return self.gallery.search_rows(queries, self.neighbors, exclude)[1]

    def _rows_of(self, ids: tf.Tensor | None) -> tf.Tensor | None:
        return ids if ids is None or ids.dtype.is_integer else self.gallery.rows_of(ids)

    def without_names(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `Stage.without_names`, with the rows that the names stand for: those are not to be retrieved.

        Raises:
          UserError: batches of unknown size, which XLA cannot search for.
        """
        if self.neighbors and batch["image"].shape[0] is None:
            raise UserError("jit_compile=True needs batches of one size; give .batch(16, drop_remainder=True)")
        rows = {"row": self.gallery.rows_of(batch["id"])} if self.neighbors and "id" in batch else {}
        return {**super().without_names(batch), **rows}

    def _seeds(self, content: tf.Tensor, noise: StepNoise | None) -> tf.Tensor:
        """A seed an image, of the step's noise or, where there is none, always the same."""
        count = tf.shape(content)[0]
        return (noise or StepNoise(self.seed, tf.zeros((), tf.int64), count)).seeds(count)

    def neighbors_for(self, images: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Gallery rows that guide the translation of images [B, H, W, 3] in [-1, 1] to styles [B, S]; int32 [B, r]."""
        content = self.content_encoder(images)
        return self.neighbor_rows(content, self.target_styles(content, styles, ids, None), ids)

    def get_config(self) -> dict[str, Any]:
        """Settings of this stage; the models and the gallery it is built from are saved on their own."""
        return {"neighbors": self.neighbors, "mode": self.mode, **self.guidance, **self.content_cache}


def _check_choices(**choices: tuple[str, tuple[str, ...]]) -> None:
    """Raises a `UserError` for the first of the named values that is none of those it may be."""
    for name, (value, known) in choices.items():
        if value not in known:
            raise UserError(f"{name}={value!r}; known: {', '.join(known)}")
