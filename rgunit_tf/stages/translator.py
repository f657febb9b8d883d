"""How a trained model is used: encode, decode through the attention mask, translate (paper §3.1 and 3.3)."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf import pixels
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.models.decoder import Decoder
from rgunit_tf.models.encoders import ContentEncoder, StyleEncoder
from rgunit_tf.models.style_prior import StylePrior
from rgunit_tf.names import to_tensor
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.stage import Stage


class Translator(Stage):
    """Ec, Es, the style prior and G, and what is done with them once they are trained.

    Args:
      name: of the stage.
      schema: the domain attributes.
      image_size: side of the square images, pixels; a multiple of 4.
      seed: of the noise in training; weights follow Keras' global seed.
      fixed_mask_strength: how far the attention mask is on, 0 to 1, for a model that is past its warm-up; None: as the
        warm-up says.
      source: a model whose Ec, Es and G it takes, in the place of new ones.
      **architecture: settings of `config.SETTINGS["model"]`.

    Raises:
      UserError: a setting that does not exist or is out of its range.
    """

    translates = True

    def __init__(
        self,
        name: str,
        schema: AttributeSchema,
        image_size: int,
        seed: int,
        fixed_mask_strength: float | None,
        source: Translator | None = None,
        **architecture: Any,
    ):
        super().__init__(name, seed)
        if image_size % ContentEncoder.stride:
            raise UserError(f"image_size={image_size} must be a multiple of {ContentEncoder.stride}")
        self.schema, self.image_size = schema, image_size
        self.fixed_mask_strength = fixed_mask_strength
        model = settings_module.group_settings("model", architecture)
        self.architecture = dict(vars(model))
        self.loss_settings = settings_module.group_settings("loss")
        self.prior = StylePrior(schema.size, model.style_dim)
        if source is not None:
            self.content_encoder, self.style_encoder = source.content_encoder, source.style_encoder
            self.decoder = source.decoder
        else:
            self.content_encoder = ContentEncoder(model.width, model.residual_blocks, model.content_normalization)
            self.style_encoder = StyleEncoder(self.prior.style_dim, model.width)
            self.decoder = Decoder(model.width, model.residual_blocks, model.mlp_width)
            images = tf.zeros((1, image_size, image_size, 3))
            self.decoder(self.content_encoder(images), self.style_encoder(images)[0])
            if model.drawing == "change":
                self.decoder.soften()
        self.built = True

    @property
    def translation(self) -> Translator:
        """Itself."""
        return self

    def guide(self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor, noise: StepNoise | None) -> tf.Tensor:
        """The content that G decodes: here Ec(x) itself; the guided stage fuses neighbours into it (Eq. 9)."""
        del styles, ids, noise
        return content

    def target_styles(
        self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None, noise: StepNoise | None
    ) -> tf.Tensor:
        """The styles that G draws for those asked for [B, S]: here themselves; arguments as for `guide`."""
        del content, ids, noise
        return styles

    def content_target(self, content: tf.Tensor, fused: tf.Tensor) -> tf.Tensor:
        """What Eq. 2 holds the content of the translated images to: Ec(x) [B, h, w, C], not what G decodes."""
        del fused
        return content

    def decode(self, content: tf.Tensor, styles: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes and lays the result over `images` by the attention mask.

        Args:
          content: float [B, h, w, C].
          styles: float [B, S].
          images: float [B, H, W, 3] in [-1, 1], whose pixels stay where the mask is 0.

        Returns:
          Images float32 [B, H, W, 3] in [-1, 1] and masks float32 [B, H, W, 1] in [0, 1].
        """
        drawn, masks = self.draw(content, styles, images)
        return self.lay(drawn, masks, images), masks

    def draw(self, content: tf.Tensor, styles: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `decode`, but the whole of what G draws, before it is laid over `images` by the mask."""
        decoded, masks = self.decoder(content, styles)
        if self.architecture["colors"] == "grey":
            decoded = tf.repeat(tf.reduce_mean(decoded, -1, keepdims=True), decoded.shape[-1], axis=-1)
        if self.architecture["drawing"] == "change":
            # From black to white is 2, and G's own range from -1 to 1.
            decoded = tf.clip_by_value(images + 2.0 * decoded, -1.0, 1.0)
        return decoded, 1.0 - self.mask_strength * (1.0 - masks)

    @staticmethod
    def lay(drawn: tf.Tensor, masks: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """What `draw` gave, laid over `images`."""
        return drawn * masks + images * (1.0 - masks)

    @property
    def mask_strength(self) -> tf.Tensor:
        """0 during the mask's warm-up (the mask is 1 everywhere), then up to 1 over a fifth of that time.

        With the mask on from the start the model learns to copy its input: the mask falls to 0 before G can draw.
        """
        if self.fixed_mask_strength is not None:
            return tf.constant(self.fixed_mask_strength)
        warmup = float(self.loss_settings.mask_warmup)
        return tf.clip_by_value((tf.cast(self.step, tf.float32) - warmup) / max(1.0, 0.2 * warmup), 0.0, 1.0)

    def translate_with_style(
        self, images: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Translates with given styles.

        Args:
          images: float [B, H, W, 3] in [-1, 1].
          styles: float [B, S].
          ids: string [B] of images that a guided model's gallery holds and must not retrieve; ignored here.

        Returns:
          Images float32 [B, H, W, 3] in [-1, 1] and masks float32 [B, H, W, 1] in [0, 1].
        """
        if ids is None:
            ids = tf.fill(tf.shape(images)[:1], "")
        content = self.content_encoder(images)
        styles = self.target_styles(content, styles, ids, None)
        return self.decode(self.guide(content, styles, ids, None), styles, images)

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Translates a batch: {`image` [B, H, W, 3] in [-1, 1], ...} -> the same shape and range.

        To `style` [B, S] where it is given, else to the mean style of `target` [B, K], else of `label` [B, K], which
        gives the model's reconstruction. `id`, string [B], as for `translate_with_style`.
        """
        styles = inputs.get("style")
        if styles is None:
            styles = self.prior.mean(inputs["target"] if "target" in inputs else inputs["label"])
        return self.translate_with_style(inputs["image"], styles, inputs.get("id"))[0]

    def predict_labels(self, images: tf.Tensor) -> tf.Tensor:
        """Attributes of images [B, H, W, 3] in [-1, 1]: see `AttributeSchema.nearest_labels`; float32 [B, K]."""
        mean, _ = self.style_encoder(images)
        return tf.constant(self.schema.nearest_labels(np.asarray(mean)))

    def translate(
        self,
        images: np.ndarray,
        attributes: Sequence[str] | np.ndarray,
        samples: int = 0,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Translates pictures.

        Args:
          images: uint8 [B, H, W, 3].
          attributes: names to set (`"Blond_Hair"`) or unset (`"-Young"`), the others staying what the model sees in
            the input; or target label vectors, float [B, K] or [1, K].
          samples: styles to draw of the target domain; 0: the mean of its component of the prior, as served, V = 1.
          seed: of the drawn styles.
          ids: names of images that are in a guided model's gallery and must not be retrieved.

        Returns:
          uint8 [V, B, H, W, 3], V = max(samples, 1).

        Raises:
          UserError: images of another size or type, or an unknown attribute.
        """
        images = np.asarray(images)
        side = self.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise UserError(f"images: {images.dtype} {images.shape}; expected uint8 [B, {side}, {side}, 3]")
        x = pixels.to_float(images)
        if isinstance(attributes, np.ndarray):
            labels = self.schema.check_labels(attributes, "attributes")
            if len(labels) not in (1, len(images)):
                raise UserError(
                    f"attributes: {len(labels)} rows for {len(images)} images; give one row, or one an image"
                )
        else:
            labels = np.stack([self.schema.apply(label, attributes) for label in self.predict_labels(x).numpy()])
        names = None if ids is None else to_tensor(ids)
        size = (len(images), self.prior.style_dim)
        noise = [tf.random.stateless_normal(size, [seed, sample]) for sample in range(samples)]
        labels = np.broadcast_to(labels, (len(images), self.schema.size))
        styles = [self.prior.sample(labels, each) for each in noise] or [self.prior.mean(labels)]
        return np.stack([pixels.to_uint8(self.translate_with_style(x, each, names)[0]).numpy() for each in styles])

    def export(self, directory: str | os.PathLike, index: str | None = None) -> pathlib.Path:
        """Writes a SavedModel, with the averaged weights of a compiled model, to a new `<directory>/<version>/`.

        Args:
          directory: folder of the versions.
          index: `exact` or `scann`, of a guided model's gallery; None: its own.
        """
        from rgunit_tf.serving.export import export

        with self.averaged_weights() if self.optimizers else contextlib.nullcontext():
            return export(self, directory, index=index)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, plain."""
        return {
            "schema": self.schema.to_dict(),
            "image_size": self.image_size,
            "seed": self.seed,
            "fixed_mask_strength": float(self.mask_strength) if int(self.step.numpy()) else self.fixed_mask_strength,
            **self.architecture,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Translator:
        """Inverse of `get_config`."""
        del custom_objects
        return cls(AttributeSchema.from_dict(config["schema"]), **{k: v for k, v in config.items() if k != "schema"})
