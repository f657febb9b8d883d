"""Stage 2: the retrieval model, trained on triplets of translated images (paper §3.2)."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from rgunit_tf import config as settings_module
from rgunit_tf import losses
from rgunit_tf.models.retrieval_network import RetrievalNetwork
from rgunit_tf.retrieval import triplets
from rgunit_tf.stages import optimization, plan
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.stage import Stage
from rgunit_tf.stages.translation import TranslationModel

if TYPE_CHECKING:
    from rgunit_tf.retrieval.gallery import Gallery


class RetrievalModel(Stage):
    """Embeds (content, style) so that real images of a content and a domain lie near the query for them.

    Args:
      translation: a trained translation model; it stays as it is.
      seed: of the noise in training; weights follow Keras' global seed.
      **architecture: `embedding_dim`, `hidden`, `content_channels` and `dropout` of `config.SETTINGS["retrieval"]`.
    """

    ARCHITECTURE = ("embedding_dim", "hidden", "content_channels", "dropout")
    """The settings of `config.SETTINGS["retrieval"]` that shape the network."""

    def __init__(self, translation: TranslationModel, seed: int = 0, **architecture: Any):
        super().__init__("retrieval", seed)
        settings = settings_module.group_settings("retrieval", architecture)
        self.translation = translation
        self.architecture = {name: getattr(settings, name) for name in self.ARCHITECTURE}
        self.network = RetrievalNetwork(**self.architecture)
        self.embed_images(tf.zeros((1, translation.image_size, translation.image_size, 3)))
        self.built = True

    @property
    def retrieval(self) -> RetrievalModel:
        """Itself."""
        return self

    @property
    def trained_variables(self) -> list[tf.Variable]:
        """What the triplet loss trains: R alone."""
        return self.network.trainable_variables

    def compile(self, optimizer: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Sets the optimiser, the margin and the negatives.

        Args:
          optimizer: settings of `config.SETTINGS["retrieval"]` that differ from the defaults. Without `steps`, the
            schedule follows from the steps of `fit`.
          **kwargs: for `keras.Model.compile`.

        Raises:
          UserError: a Keras optimiser, loss or metric, or a setting that does not exist.
        """
        self.optimizer_settings = plan.settings_of("retrieval", "optimizer", optimizer, "retrieval")
        self.given_settings = set(optimizer or ())
        self.strategies = tuple(self.optimizer_settings.negatives)
        self.network_optimizer = optimization.make_optimizer(self.optimizer_settings, average=True)
        self.optimizers = {"network_optimizer": self.network_optimizer}
        terms = ("triplet_loss", "satisfied", *(f"loss_{name}" for name in self.strategies))
        self._prepare(self.network_optimizer, terms, ("gradient_norm", "learning_rate"), **kwargs)

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of R on the triplets of a batch; batches as for `TranslationModel.train_step`."""
        noise = StepNoise(self.noise_seed, self.step, tf.shape(batch["image"])[0])
        samples = self.triplets(batch, noise)
        dropout_noise = [
            _sample_major(noise.uniform(samples.count, self.network.hidden_units)) for _ in self.network.hidden
        ]
        with tf.GradientTape() as tape:
            terms = self.loss_terms(samples, dropout_noise)
            loss = self._share(terms["triplet_loss"])
        terms["learning_rate"] = self.network_optimizer.learning_rate
        gradients = tape.gradient(loss, self.trained_variables)
        update = optimization.Update(self.network_optimizer, loss, gradients, self.trained_variables)
        (terms["gradient_norm"],), counts = self._apply([update])
        return self._log(terms, counts)

    def batch_terms(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> dict[str, tf.Tensor]:
        """All loss terms of a batch, float32 scalars by name, without dropout."""
        return self.loss_terms(self.triplets(batch, noise), None)

    def triplets(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> triplets.TripletSources:
        """Content and style of anchors, positives and negatives, by the frozen translation model."""
        # Gathering between workers needs tensors that are placed on a device, which those of an iterator are not.
        images, labels, targets = (tf.identity(batch[name]) for name in ("image", "label", "target"))
        return triplets.triplet_sources(self.translation, images, labels, targets, noise, self.strategies)

    def loss_terms(
        self, samples: triplets.TripletSources, dropout_noise: list[tf.Tensor] | None
    ) -> dict[str, tf.Tensor]:
        """Eq. 8, averaged over the negatives in use; also the share of triplets whose margin is kept."""
        embeddings = self.network((samples.content, samples.style), dropout_noise)
        anchor, positive, negatives = samples.split(embeddings)
        terms, satisfied = {}, []
        for name, negative in negatives.items():
            loss = losses.triplet(anchor, positive, negative, self.optimizer_settings.margin)
            # A mean over all rows, those of weight 0 included, does not depend on how the batch is split up.
            weights = samples.weights_of(name)
            terms[f"loss_{name}"] = tf.reduce_mean(weights * loss)
            kept = tf.reduce_sum(weights * tf.cast(loss == 0.0, tf.float32))
            satisfied.append(tf.math.divide_no_nan(kept, tf.reduce_sum(weights)))
        terms["triplet_loss"] = tf.add_n([terms[f"loss_{name}"] for name in negatives]) / len(negatives)
        terms["satisfied"] = tf.add_n(satisfied) / len(satisfied)
        return terms

    def embed(self, content: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Embeds content [B, h, w, C] and styles [B, S] -> float32 [B, embedding_dim]."""
        return self.network((content, styles))

    def embed_images(self, images: tf.Tensor) -> tf.Tensor:
        """Embeds images, float [B, H, W, 3] in [-1, 1], by their own content and style: what a gallery holds."""
        return self.embed(self.translation.content_encoder(images), self.translation.style_encoder(images)[0])

    def embed_query(self, images: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        """Embeds the question for the content of `images` [B, H, W, 3] in the domain of `styles` [B, S]."""
        return self.embed(self.translation.content_encoder(images), styles)

    def call(self, images: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Same as `embed_images`, of images or of a batch with its `image`."""
        return self.embed_images(images["image"] if isinstance(images, Mapping) else images)

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """The network by name, as it is saved."""
        return {"network": self.network}

    def export(
        self, directory: str | os.PathLike, gallery: Gallery | None = None, index: str | None = None
    ) -> pathlib.Path:
        """Writes a SavedModel, with the averaged weights of a compiled model, to a new `<directory>/<version>/`.

        Args:
          directory: folder of the versions.
          gallery: what it retrieves from; None: it embeds only.
          index: `exact` or `scann`; None: the gallery's own.
        """
        from rgunit_tf.serving.export import export

        with self.averaged_weights() if self.optimizers else contextlib.nullcontext():
            return export(self, directory, gallery, index)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments but the translation model, which is saved on its own."""
        return {"seed": self.seed, **self.architecture}


def _sample_major(noise: tf.Tensor) -> tf.Tensor:
    """[B, n, D] -> [n B, D], in the order in which the samples of a batch are laid out."""
    return tf.reshape(tf.transpose(noise, (1, 0, 2)), (-1, noise.shape[-1]))
