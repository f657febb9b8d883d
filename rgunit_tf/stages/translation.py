"""Stage 1: the GMM-UNIT translation model (paper §3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf import losses
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.models.discriminator import Verdict
from rgunit_tf.models.discriminators import make_discriminator
from rgunit_tf.stages import optimization, plan
from rgunit_tf.stages.augmentation import augment
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.passes import Passes
from rgunit_tf.stages.translator import Translator

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
    "gradient_penalty",
    "mean_mask",
)
VALUE_TERMS = ("values_g", "values_d")
"""Of a discriminator that judges each attribute's value, too."""

CHANGE_TERMS = ("change",)  # where `loss.change` weighs it
_SETTLED = 0.6  # of the stage
STEP_TERMS = ("generator_gradient_norm", "discriminator_gradient_norm", "learning_rate")


class TranslationModel(Translator):
    """Translates images between domains: Ec, Es, style prior, G and D, trained together.

    Args:
      schema: the domain attributes.
      image_size: side of the square images, pixels; a multiple of 4.
      seed: of the noise in training; weights follow Keras' global seed.
      fixed_mask_strength: how far the attention mask is on, 0 to 1, for a model that is past its warm-up; None: as the
        warm-up says.
      inference: without D, to be used and not trained.
      source: a model whose Ec, Es and G it takes, in the place of new ones.
      **architecture: settings of `config.SETTINGS["model"]`.

    Raises:
      UserError: a setting that does not exist or is out of its range.
    """

    keras_format = True

    def __init__(
        self,
        schema: AttributeSchema,
        image_size: int = 128,
        seed: int = 0,
        fixed_mask_strength: float | None = None,
        *,
        name: str = "translation",
        inference: bool = False,
        source: Translator | None = None,
        **architecture: Any,
    ):
        super().__init__(name, schema, image_size, seed, fixed_mask_strength, source, **architecture)
        settings = settings_module.group_settings("model", architecture)
        self.discriminator = None if inference else make_discriminator(settings, schema.size, image_size)

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """The networks by name, as they are saved."""
        found = {name: getattr(self, name) for name in ("content_encoder", "style_encoder", "decoder", "discriminator")}
        return {name: network for name, network in found.items() if network is not None}

    @property
    def trained_variables(self) -> list[tf.Variable]:
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
            learning rate and so on). Without `steps`, schedules and warm-ups follow from those of `fit`.
          loss: settings of `config.SETTINGS["loss"]` that differ.
          **kwargs: for `keras.Model.compile` (`steps_per_execution`, `run_eagerly`).

        Raises:
          UserError: a Keras optimiser, loss or metric, a setting that does not exist, or a model without D.
        """
        if self.discriminator is None:
            raise UserError(f"{self.name}: a model that was loaded for inference has no discriminator to train with")
        settings = self.optimizer_settings = plan.settings_of(self.name, "optimizer", optimizer, self.name)
        self.loss_settings = plan.settings_of(self.name, "loss", loss, "loss")
        self.given_settings = {*(optimizer or ()), *(loss or ())}
        self.generator_optimizer = optimization.make_optimizer(settings, average=True)
        self.discriminator_optimizer = optimization.make_optimizer(settings, False, settings.discriminator_rate)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        names = ("generator_optimizer", "discriminator_optimizer")
        self.optimizers = {name: getattr(self, name) for name in names}
        terms = TERMS + VALUE_TERMS * self.discriminator.says_values + CHANGE_TERMS * bool(self.loss_settings.change)
        self._prepare(self.generator_optimizer, terms, STEP_TERMS, **kwargs)

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of D and one of Ec, Es and G, from the same forward passes.

        Args:
          batch: `image` float32 [B, H, W, 3] in [-1, 1], `label` and `target` float32 [B, K], `id` string [B], or
            `row` int32 [B], those of its names in the gallery.

        Returns:
          Means of all terms since the start of the epoch, or nothing (`terms_each_step`).
        """
        noise = StepNoise(self.noise_seed, self.step, tf.shape(batch["image"])[0])
        with tf.GradientTape(persistent=True) as tape:
            terms = self.batch_terms(batch, noise)
            generator_loss = self._share(terms["generator_loss"])
            discriminator_loss = self._share(terms["discriminator_loss"])
        generator, discriminator = self.trained_variables, self.discriminator.trainable_variables
        terms["learning_rate"] = self.generator_optimizer.learning_rate
        sides = (
            (self.generator_optimizer, generator_loss, generator),
            (self.discriminator_optimizer, discriminator_loss, discriminator),
        )
        updates = [optimization.Update(*side[:2], tape.gradient(*side[1:]), side[2]) for side in sides]
        norms, counts = self._apply(updates)
        terms["generator_gradient_norm"], terms["discriminator_gradient_norm"] = norms
        return self._log(terms, counts)

    def batch_terms(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> dict[str, tf.Tensor]:
        """All loss terms of a batch, float32 scalars by the names of TERMS."""
        return self.loss_terms(self.forward(batch, noise), batch)

    def forward(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> Passes:
        """All forward passes of a step; what is used twice is computed once."""
        images, ids = batch["image"], batch.get("row", batch.get("id"))
        content = self.content_encoder(images)
        mean, log_variance = self.style_encoder(images)
        own_style = mean + tf.exp(0.5 * log_variance) * noise.normal(self.prior.style_dim)
        asked_style = self.prior.sample(batch["target"], noise.normal(self.prior.style_dim))
        target_style = self.target_styles(content, asked_style, ids, noise)

        still, moving = self._shares(images)
        fused = self.guide(_twice(content), tf.concat([own_style, target_style], 0), _twice(ids), noise)
        fused_own, fused_target = tf.split(fused, 2)
        inputs, styles = tf.concat([images[still], images], 0), tf.concat([own_style[still], target_style], 0)
        drawn, masks = self.draw(tf.concat([fused_own[still], fused_target], 0), styles, inputs)
        decoded, count = self.lay(drawn, masks, inputs), tf.shape(images)[0]
        reconstructed = (drawn if self.loss_settings.reconstruct_drawing else decoded)[:-count]
        translated = decoded[-count:]
        decoded_style = self.style_encoder(decoded)[0]
        reconstructed_style, translated_style = decoded_style[:-count], decoded_style[-count:]
        translated_content = self.content_encoder(translated[moving])
        returned, _ = self.decode(
            self.guide(translated_content, own_style[moving], None if ids is None else ids[moving], noise),
            own_style[moving],
            translated[moving],
        )
        shown, shown_translated = self._shown(images, noise), self._shown(translated, noise)
        on_real, on_real_gradient = self._on_real(self.discriminator.project(shown), noise)
        on_translated = self.discriminator.judge(self.discriminator.project(shown_translated))
        return Passes(
            content=self.content_target(content, fused_target)[moving],
            own_style=own_style[still],
            target_style=target_style,
            kl=self.prior.kl(mean, log_variance, batch["label"]),
            reconstructed=reconstructed,
            translated=translated,
            mask=masks[-count:],
            reconstructed_style=reconstructed_style,
            translated_style=translated_style,
            translated_content=translated_content,
            returned=returned,
            on_real=on_real,
            on_translated=on_translated,
            on_real_gradient=on_real_gradient,
        )

    def _shares(self, images: tf.Tensor) -> tuple[slice, slice]:
        """Of a batch: which images are reconstructed, and which go there and back; all, or a half each (of one: it)."""
        if not self.loss_settings.halves:
            return slice(None), slice(None)
        return slice(0, None, 2), slice(tf.minimum(1, tf.shape(images)[0] - 1), None, 2)

    def _on_real(
        self, projected: Sequence[tf.Tensor], noise: StepNoise
    ) -> tuple[Sequence[Verdict], Sequence[tf.Tensor]]:
        """What D says of real images, and the gradients whose squares are penalised; 0 where nothing is."""
        weights = self.loss_settings.gradient_penalty, self.loss_settings.domain_gradient_penalty
        if not any(weights):
            return self.discriminator.judge(projected), [tf.zeros_like(projected[0])]
        with tf.GradientTape() as tape:
            tape.watch(projected)
            verdicts = self.discriminator.judge(projected)
            outputs = 1 + self.schema.size * (1 if verdicts[0].values is None else 3)
            signs = 2.0 * tf.round(noise.uniform(outputs)) - 1.0
            said = losses.projected_verdict(verdicts, signs, *weights)
        return verdicts, tape.gradient(said, projected)

    def _kl_weight(self) -> tf.Tensor:
        rise = tf.cast(self.step, tf.float32) / max(1.0, float(self.loss_settings.kl_warmup))
        return self.loss_settings.kl * tf.minimum(1.0, rise)

    def noise_share(self) -> tf.Tensor | float:
        """What is left of the noise on what D sees: less and less, since noise hides what is wrong with fine detail."""
        done = tf.minimum(1.0, tf.cast(self.step, tf.float32) / self.optimizer_settings.steps)
        return 1.0 - (1.0 - self.loss_settings.final_noise) * done

    def change_share(self) -> tf.Tensor | float:
        """What is left of the weight of `change`: G first learns what to leave alone, then to draw."""
        done = tf.minimum(1.0, tf.cast(self.step, tf.float32) / (_SETTLED * self.optimizer_settings.steps))
        return 1.0 - (1.0 - self.loss_settings.final_change) * done

    def _shown(self, images: tf.Tensor, noise: StepNoise) -> tf.Tensor:
        """What D sees: with noise of a deviation drawn an image, which hides patches too small to matter to an eye.

        Without it D's own domain head is satisfied by a few tell-tale pixels, which G then learns to paint. Before it,
        if asked for, the images are altered in brightness, colour and place.
        """
        images = augment(images, noise, self.loss_settings.augment)
        if not self.loss_settings.noise:
            return images
        deviation = self.loss_settings.noise * self.noise_share() * noise.uniform(1, 1, 1)
        return images + deviation * noise.normal(self.image_size, self.image_size, 3)

    def loss_terms(self, passes: Passes, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Every loss of paper §3.1, unweighted, and the two weighted sums; float32 scalars by the names of TERMS.

        The gradient penalty, which is not the paper's, comes with the weights of its two parts.
        """
        weights, categorical, hinge = self.loss_settings, self.schema.categorical, self.loss_settings.hinge
        still, moving = self._shares(batch["image"])
        terms = {
            "adversarial_g": losses.generator_adversarial(passes.on_translated, hinge),
            "adversarial_d": losses.discriminator_adversarial(passes.on_real, passes.on_translated, hinge),
            "domain_g": losses.domain(passes.on_translated, batch["target"], categorical),
            "domain_d": losses.domain(passes.on_real, batch["label"], categorical),
            "content": losses.content_reconstruction(passes.translated_content, passes.content),
            "style": losses.style_reconstruction(passes.translated_style, passes.target_style)
            + losses.style_reconstruction(passes.reconstructed_style, passes.own_style),
            "reconstruction": losses.image_reconstruction(passes.reconstructed, batch["image"][still]),
            "cycle": losses.cycle_consistency(passes.returned, batch["image"][moving]),
            "kl": losses.kl_divergence(passes.kl),
            "gradient_penalty": losses.gradient_penalty(*passes.on_real_gradient),
            "mean_mask": tf.reduce_mean(passes.mask),
        }
        terms["discriminator_loss"] = (
            weights.adversarial * terms["adversarial_d"]
            + weights.domain * terms["domain_d"]
            + terms["gradient_penalty"]
        )
        terms["generator_loss"] = (
            weights.adversarial * terms["adversarial_g"]
            + weights.domain * terms["domain_g"]
            + weights.content * terms["content"]
            + weights.style * terms["style"]
            + weights.reconstruction * terms["reconstruction"]
            + weights.cycle * terms["cycle"]
            + self._kl_weight() * terms["kl"]
        )
        if weights.change:
            terms["change"] = losses.change(passes.translated, batch["image"])
            terms["generator_loss"] += weights.change * self.change_share() * terms["change"]
        if self.discriminator.says_values:
            terms["values_g"] = losses.generator_values(passes.on_translated, batch["target"], hinge)
            terms["values_d"] = losses.discriminator_values(
                passes.on_real, passes.on_translated, batch["label"], batch["target"], hinge
            )
            terms["generator_loss"] += weights.real_values * terms["values_g"]
            terms["discriminator_loss"] += weights.real_values * terms["values_d"]
        return terms


def _twice(x: tf.Tensor | None) -> tf.Tensor | None:
    return None if x is None else tf.concat([x, x], 0)
