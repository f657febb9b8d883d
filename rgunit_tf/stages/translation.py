"""Stage 1: the GMM-UNIT translation model (paper §3.1)."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf import losses
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.models.decoder import Decoder
from rgunit_tf.models.discriminator import Discriminator, Verdict
from rgunit_tf.models.encoders import ContentEncoder, StyleEncoder
from rgunit_tf.models.style_prior import StylePrior
from rgunit_tf.stages import optimization
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.tracking import TermMeans

TERMS = (
    "generator_loss",
    "discriminator_loss",
    "adversarial_g",
    "adversarial_d",
    "domain_g",
    "domain_d",
    "content",
    "style",
    "reconstruction",
    "cycle",
    "kl",
    "mean_mask",
)
STEP_TERMS = ("generator_gradient_norm", "discriminator_gradient_norm", "learning_rate")


class Passes(NamedTuple):
    """What the forward passes of one step leave for the losses; B images each."""

    content: tf.Tensor
    own_style: tf.Tensor
    target_style: tf.Tensor
    kl: tf.Tensor
    reconstructed: tf.Tensor
    translated: tf.Tensor
    mask: tf.Tensor
    reconstructed_style: tf.Tensor
    translated_style: tf.Tensor
    translated_content: tf.Tensor
    returned: tf.Tensor
    on_real: Sequence[Verdict]
    on_translated: Sequence[Verdict]


class TranslationModel(tf.keras.Model):
    """Translates images between domains: Ec, Es, style prior, G and D, trained together.

    Args:
      schema: the domain attributes.
      image_size: side of the square images, pixels; a multiple of 4.
      seed: of the noise in training; weights follow Keras' global seed.
      fixed_mask_strength: how far the attention mask is on, 0 to 1, for a model that is past its warm-up; None: as the
        warm-up says.
      **architecture: settings of `config.SETTINGS["model"]`.

    Raises:
      UserError: a setting that does not exist or is out of its range.
    """

    def __init__(
        self,
        schema: AttributeSchema,
        image_size: int = 128,
        seed: int = 0,
        fixed_mask_strength: float | None = None,
        **architecture: Any,
    ):
        super().__init__(name="translation")
        if image_size % ContentEncoder.stride:
            raise UserError(f"image_size={image_size} must be a multiple of {ContentEncoder.stride}")
        self.schema, self.image_size, self.seed = schema, image_size, seed
        self.fixed_mask_strength = fixed_mask_strength
        self.architecture = vars(settings_module.group_settings("model", architecture))
        model = settings_module.group_settings("model", architecture)
        self.prior = StylePrior(schema.size, model.style_dim)
        self.content_encoder = ContentEncoder(model.width, model.residual_blocks)
        self.style_encoder = StyleEncoder(self.prior.style_dim, model.width)
        self.decoder = Decoder(model.width, model.residual_blocks, model.mlp_width)
        self.discriminator = Discriminator(
            schema.size, model.discriminator_width, model.discriminator_layers, model.discriminator_scales
        )
        self.loss_settings = settings_module.group_settings("loss")
        self.step = tf.Variable(
            0, trainable=False, dtype=tf.int64, name="step", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        self._make_weights()

    def _make_weights(self) -> None:
        images = tf.zeros((1, self.image_size, self.image_size, 3))
        self.decoder(self.content_encoder(images), self.style_encoder(images)[0])
        self.discriminator(images)
        self.built = True

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """The networks by name, as they are saved."""
        return {
            "content_encoder": self.content_encoder,
            "style_encoder": self.style_encoder,
            "decoder": self.decoder,
            "discriminator": self.discriminator,
        }

    @property
    def training_state(self) -> dict[str, Any]:
        """All that a resumed run needs, by name: networks, optimisers with their averages, and the step."""
        return {
            **self.networks,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "step": self.step,
        }

    # Training

    @property
    def generator_variables(self) -> list[tf.Variable]:
        """What the generator's loss trains: Ec, Es and G."""
        return [
            *self.content_encoder.trainable_variables,
            *self.style_encoder.trainable_variables,
            *self.decoder.trainable_variables,
        ]

    def compile(
        self,
        optimizer: Mapping[str, Any] | None = None,
        loss: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets optimisers and loss weights.

        Args:
          optimizer: settings of `config.SETTINGS["translation"]` that differ from the defaults (steps, batch size,
            learning rate and so on).
          loss: settings of `config.SETTINGS["loss"]` that differ from the defaults.
          **kwargs: for `keras.Model.compile` (`steps_per_execution`, `run_eagerly`).
        """
        self.optimizer_settings = settings_module.group_settings(self.name, optimizer)
        self.loss_settings = settings_module.group_settings("loss", loss)
        self.generator_optimizer = optimization.make_optimizer(self.optimizer_settings, average=True)
        self.discriminator_optimizer = optimization.make_optimizer(self.optimizer_settings, average=False)
        super().compile(optimizer=self.generator_optimizer, **kwargs)
        self.generator_optimizer.build(self.generator_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.term_means = TermMeans(TERMS + STEP_TERMS)
        self.test_term_means = TermMeans(TERMS)

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """Reset by Keras at the start of each epoch."""
        return [self.term_means, self.test_term_means] if hasattr(self, "term_means") else []

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Nothing: Keras then logs what the step itself returns, instead of training and test means mixed."""
        return {}

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of D and one of Ec, Es and G, from the same forward passes.

        Args:
          batch: `image` float32 [B, H, W, 3] in [-1, 1], `label` and `target` float32 [B, K], `id` string [B].

        Returns:
          Means of all terms since the start of the epoch.
        """
        noise = StepNoise(self.seed, self.step, tf.shape(batch["image"])[0])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            terms = self.loss_terms(self.forward(batch, noise), batch)
            generator_loss = terms["generator_loss"] / replicas
            discriminator_loss = terms["discriminator_loss"] / replicas
        generator, discriminator = self.generator_variables, self.discriminator.trainable_variables
        terms["learning_rate"] = self.generator_optimizer.learning_rate
        terms["generator_gradient_norm"] = optimization.apply_clipped(
            self.generator_optimizer,
            tape.gradient(generator_loss, generator),
            generator,
            self.optimizer_settings.clip_norm,
        )
        terms["discriminator_gradient_norm"] = optimization.apply_clipped(
            self.discriminator_optimizer,
            tape.gradient(discriminator_loss, discriminator),
            discriminator,
            self.optimizer_settings.clip_norm,
        )
        self.step.assign_add(1)
        self.term_means.update_state(terms)
        return self.term_means.result()

    def test_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """All loss terms on a batch, without an update; targets are the labels of the next image in the batch."""
        batch = {"target": tf.roll(batch["label"], 1, axis=0), **batch}
        noise = StepNoise(self.seed + 1, tf.zeros((), tf.int64), tf.shape(batch["image"])[0])
        self.test_term_means.update_state(self.loss_terms(self.forward(batch, noise), batch))
        return self.test_term_means.result()

    def forward(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> Passes:
        """All forward passes of a step; what is used twice is computed once."""
        images, ids = batch["image"], batch["id"]
        content = self.content_encoder(images)
        mean, log_variance = self.style_encoder(images)
        own_style = mean + tf.exp(0.5 * log_variance) * noise.normal(self.prior.style_dim)
        target_style = self.prior.sample(batch["target"], noise.normal(self.prior.style_dim))

        decoded, masks = self.decode(
            self.guide(_twice(content), tf.concat([own_style, target_style], 0), _twice(ids), noise),
            tf.concat([own_style, target_style], 0),
            _twice(images),
        )
        reconstructed, translated = tf.split(decoded, 2)
        reconstructed_style, translated_style = tf.split(self.style_encoder(decoded)[0], 2)
        translated_content = self.content_encoder(translated)
        returned, _ = self.decode(self.guide(translated_content, own_style, ids, noise), own_style, translated)
        return Passes(
            content=content,
            own_style=own_style,
            target_style=target_style,
            kl=self.prior.kl(mean, log_variance, batch["label"]),
            reconstructed=reconstructed,
            translated=translated,
            mask=tf.split(masks, 2)[1],
            reconstructed_style=reconstructed_style,
            translated_style=translated_style,
            translated_content=translated_content,
            returned=returned,
            on_real=self.discriminator(self._shown(images, noise)),
            on_translated=self.discriminator(self._shown(translated, noise)),
        )

    def guide(self, content: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor, noise: StepNoise | None) -> tf.Tensor:
        """The content that G decodes: here Ec(x) itself; the guided stage fuses neighbours into it (Eq. 9)."""
        del styles, ids, noise
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
        decoded, masks = self.decoder(content, styles)
        masks = 1.0 - self.mask_strength * (1.0 - masks)
        return decoded * masks + images * (1.0 - masks), masks

    @property
    def mask_strength(self) -> tf.Tensor:
        """0 during the mask's warm-up (the mask is 1 everywhere), then up to 1 over a fifth of that time.

        With the mask on from the start the model learns to copy its input: the mask falls to 0 before G can draw.
        """
        if self.fixed_mask_strength is not None:
            return tf.constant(self.fixed_mask_strength)
        warmup = float(self.loss_settings.mask_warmup)
        return tf.clip_by_value((tf.cast(self.step, tf.float32) - warmup) / max(1.0, 0.2 * warmup), 0.0, 1.0)

    def _kl_weight(self) -> tf.Tensor:
        rise = tf.cast(self.step, tf.float32) / max(1.0, float(self.loss_settings.kl_warmup))
        return self.loss_settings.kl * tf.minimum(1.0, rise)

    def _shown(self, images: tf.Tensor, noise: StepNoise) -> tf.Tensor:
        """What D sees: with noise of a deviation drawn an image, which hides patches too small to matter to an eye.

        Without it D's own domain head is satisfied by a few tell-tale pixels, which G then learns to paint.
        """
        if not self.loss_settings.noise:
            return images
        deviation = self.loss_settings.noise * noise.uniform(1, 1, 1)
        return images + deviation * noise.normal(self.image_size, self.image_size, 3)

    def loss_terms(self, passes: Passes, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Every loss of paper §3.1, unweighted, and the two weighted sums; float32 scalars by the names of TERMS."""
        weights, categorical = self.loss_settings, self.schema.categorical
        terms = {
            "adversarial_g": losses.generator_adversarial(passes.on_translated),
            "adversarial_d": losses.discriminator_adversarial(passes.on_real, passes.on_translated),
            "domain_g": losses.domain(passes.on_translated, batch["target"], categorical),
            "domain_d": losses.domain(passes.on_real, batch["label"], categorical),
            "content": losses.content_reconstruction(passes.translated_content, passes.content),
            "style": losses.style_reconstruction(passes.translated_style, passes.target_style)
            + losses.style_reconstruction(passes.reconstructed_style, passes.own_style),
            "reconstruction": losses.image_reconstruction(passes.reconstructed, batch["image"]),
            "cycle": losses.cycle_consistency(passes.returned, batch["image"]),
            "kl": losses.kl_divergence(passes.kl),
            "mean_mask": tf.reduce_mean(passes.mask),
        }
        terms["discriminator_loss"] = weights.adversarial * terms["adversarial_d"] + weights.domain * terms["domain_d"]
        terms["generator_loss"] = (
            weights.adversarial * terms["adversarial_g"]
            + weights.domain * terms["domain_g"]
            + weights.content * terms["content"]
            + weights.style * terms["style"]
            + weights.reconstruction * terms["reconstruction"]
            + weights.cycle * terms["cycle"]
            + self._kl_weight() * terms["kl"]
        )
        return terms

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within the block the generator side holds the moving average of its weights, as samples and exports do."""
        with optimization.averaged(self.generator_optimizer, self.generator_variables):
            yield

    # Use

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
        return self.decode(self.guide(self.content_encoder(images), styles, ids, None), styles, images)

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """{`image` [B, H, W, 3], `style` [B, S]} -> translated images [B, H, W, 3]."""
        return self.translate_with_style(inputs["image"], inputs["style"])[0]

    def predict_labels(self, images: tf.Tensor) -> tf.Tensor:
        """Attributes of images [B, H, W, 3] in [-1, 1], by the style prior's nearest component; float32 [B, K].

        Of a group of excluding attributes the strongest one holds, if any does.
        """
        mean, _ = self.style_encoder(images)
        scores = tf.reduce_mean(tf.reshape(mean, (-1, self.schema.size, self.prior.dim)), -1)
        holds = tf.cast(scores > 0.0, tf.float32)
        for group in self.schema.groups:
            member = np.isin(self.schema.names, group)
            strongest = tf.one_hot(tf.argmax(tf.where(member, scores, -np.inf), -1), self.schema.size)
            keep = strongest if self.schema.categorical else strongest * holds
            holds = tf.where(member, keep, holds)
        return holds

    def translate(
        self,
        images: np.ndarray,
        attributes: Sequence[str] | np.ndarray,
        samples: int = 1,
        seed: int = 0,
        ids: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Translates pictures.

        Args:
          images: uint8 [B, H, W, 3].
          attributes: names to set (`"Blond_Hair"`) or unset (`"-Young"`), the others staying what the model sees in
            the input; or target label vectors, float [B, K] or [1, K].
          samples: how many styles to draw of the target domain.
          seed: of the styles.
          ids: names of images that are in a guided model's gallery and must not be retrieved.

        Returns:
          uint8 [samples, B, H, W, 3].

        Raises:
          UserError: images of another size or type, or an unknown attribute.
        """
        images = np.asarray(images)
        side = self.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise UserError(f"images: {images.dtype} {images.shape}; expected uint8 [B, {side}, {side}, 3]")
        x = tf.cast(images, tf.float32) / 127.5 - 1.0
        if isinstance(attributes, np.ndarray):
            labels = self.schema.check_labels(attributes, "attributes")
            if len(labels) not in (1, len(images)):
                raise UserError(
                    f"attributes: {len(labels)} rows for {len(images)} images; give one row, or one an image"
                )
        else:
            labels = np.stack([self.schema.apply(label, attributes) for label in self.predict_labels(x).numpy()])
        results = []
        for sample in range(samples):
            noise = tf.random.stateless_normal((len(images), self.prior.style_dim), [seed, sample])
            translated, _ = self.translate_with_style(
                x, self.prior.sample(labels, noise), None if ids is None else tf.constant(list(ids))
            )
            results.append(to_uint8(translated).numpy())
        return np.stack(results)

    def export(self, directory: str | os.PathLike, index: str | None = None) -> pathlib.Path:
        """Writes a SavedModel, with the averaged weights of a compiled model, to a new `<directory>/<version>/`.

        Args:
          directory: folder of the versions.
          index: `exact` or `scann`, of a guided model's gallery; None: its own.
        """
        from rgunit_tf.serving.export import export

        with self.averaged_weights() if hasattr(self, "generator_optimizer") else contextlib.nullcontext():
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
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TranslationModel:
        """Inverse of `get_config`."""
        del custom_objects
        return cls(AttributeSchema.from_dict(config["schema"]), **{k: v for k, v in config.items() if k != "schema"})


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Float images in [-1, 1] -> uint8 in 0..255, rounded."""
    return tf.cast(tf.round(tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)


def _twice(x: tf.Tensor) -> tf.Tensor:
    return tf.concat([x, x], 0)
