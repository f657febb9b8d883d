"""What the three stages share: a step counter, averaged weights, and the means of all terms as their metrics."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Sequence, Set
from typing import Any

import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.stages import optimization, plan
from rgunit_tf.stages.averages import Averages
from rgunit_tf.stages.batches import as_batches
from rgunit_tf.stages.faults import Faults
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.precision import LossScale
from rgunit_tf.stages.tracking import EpochTerms, TermMeans


class Stage(tf.keras.Model):
    """Base of the models that are trained one after the other.

    Args:
      name: of the stage, and of its group of settings.
      seed: of the noise in training; weights follow Keras' global seed.

    Attributes:
      translates: whether it makes pictures.
      translation: the translation model it holds, or itself.
      retrieval: the retrieval model it holds, or itself; None in the first stage.
      gallery: the images that guide its translations; None where none do.
      contents_of: contents of gallery rows, int32 [B, r] -> float [B, r, h, w, C]; None where none guide.
      styles_of: styles of gallery rows, where those of retrieved images are translated to; None: those asked for are.
      neighbors: r of Eq. 9, how many images guide a translation.
      mode: how they are chosen, `retrieved` or `random`; None where none are.
    """

    translates = False
    retrieval: Any = None
    gallery: Any = None
    contents_of: Any = None
    styles_of: Any = None
    neighbors = 0
    mode: str | None = None
    loss_settings: Any = None
    given_settings: Set[str] = frozenset()
    compiled = False
    """Whether XLA compiles the training step."""

    keras_format = False
    """Whether `save` writes Keras' own format, `.keras`."""

    def __init__(self, name: str, seed: int):
        # The stage's own arithmetic is float32 whatever the networks compute in.
        super().__init__(name=name, dtype="float32")
        # A step returns means over all replicas already; Keras would add those of several workers up.
        self.distribute_reduction_method = "first"
        half = tf.keras.mixed_precision.global_policy().name == "mixed_float16"
        self.loss_scale = LossScale() if half else None
        self.seed = seed
        self.step = tf.Variable(
            0, trainable=False, dtype=tf.int64, name="step", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        self.applied = tf.Variable(
            1.0, trainable=False, name="applied", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        """1 as long as every step was applied; 0 from the first loss or gradient on that was not finite."""
        self.noise_seed = seed
        """Of the noise in training; `seed`, unless training goes on after a rollback."""
        self.terms_each_step = True
        """Whether a step hands its terms over to Python."""
        self.optimizers: dict[str, optimization.AdamW] = {}
        """By name, once the model is compiled."""

    @property
    @abc.abstractmethod
    def networks(self) -> dict[str, tf.keras.Model]:
        """The networks by name, as they are saved."""

    @property
    @abc.abstractmethod
    def trained_variables(self) -> list[tf.Variable]:
        """The variables whose averages samples and exports use."""

    @abc.abstractmethod
    def batch_terms(self, batch: dict[str, tf.Tensor], noise: StepNoise) -> dict[str, tf.Tensor]:
        """All loss terms of a batch, float32 scalars by name."""

    def _prepare(
        self, main: optimization.AdamW, terms: tuple[str, ...], step_terms: tuple[str, ...], **kwargs: Any
    ) -> None:
        """What every stage's `compile` does.

        Args:
          main: the optimiser of `trained_variables`, which keeps their averages.
          terms: names that `batch_terms` gives.
          step_terms: names that a training step adds.
          **kwargs: for `keras.Model.compile`; `jit_compile` has XLA compile the training step.
        """
        plan.check_compile(self.name, kwargs)
        # Keras would compile tests and predictions too, and anew for a last batch that is not full.
        self.compiled = bool(kwargs.pop("jit_compile", False))
        tf.keras.Model.compile(self, optimizer=main, **kwargs)
        vars(self).pop("train_step", None)
        if self.compiled:
            self.train_step = tf.function(self.train_step, jit_compile=True, autograph=False)
        self._warm_ups_planned = False
        main.build(self.trained_variables)
        self.main_optimizer = main
        self.term_means = TermMeans(terms + step_terms)
        self.test_term_means = TermMeans(terms)

    def fit(
        self,
        x: Any,
        *,
        epochs: int = 1,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_data: Any = None,
        callbacks: Sequence[tf.keras.callbacks.Callback] | None = None,
        terms_each_step: bool = True,
        average: bool = True,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.fit`, of batches as `Split.stream` and `Split.batches` give them, or of (image, label) pairs.

        Between epochs and afterwards the model holds the moving averages of its weights: what is validated, kept by a
        callback, translated with it, built on it or exported from it is what `bin/train` would have saved. A further
        `fit` goes on from there. Where `compile` was given no `steps`, learning rates, averaging and warm-ups are those
        of a training of as many steps as `fit` will make (`plan.for_steps`).

        Args:
          x: the batches; see `batches.as_batches`.
          epochs: as Keras has it.
          initial_epoch: as Keras has it.
          steps_per_epoch: needed where `x` does not know how many batches it has.
          validation_data: batches; their terms are in the logs as `val_` and their name.
          callbacks: Keras callbacks.
          terms_each_step: False gives the terms to callbacks at the end of an epoch only. For trainings of days: on
            Python 3.11, TensorFlow 2.15 loses some 40 bytes with each tensor that it hands to Python.
          average: False leaves the weights of the last step, for a training that goes on.
          **kwargs: for `keras.Model.fit`.

        Raises:
          UserError: what is given are no such batches, or a callback that would save the whole model.
          NumericalFault: a loss or a gradient was not finite; the weights are those of before that step.
        """
        plan.check_callbacks(self.name, callbacks or (), self.keras_format)
        x = self._batches(x, training=True)
        self._plan(x, steps_per_epoch, epochs - initial_epoch)
        if self.terms_each_step != terms_each_step:
            self.terms_each_step = terms_each_step
            self.make_train_function(force=True)  # Keras traces the step anew.
        averages = Averages()
        try:
            return super().fit(
                x,
                epochs=epochs,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_data=self._batches(validation_data, training=False),
                callbacks=[EpochTerms(), Faults(), *([averages] if average else []), *(callbacks or ())],
                **kwargs,
            )
        except BaseException:
            averages.put_back()
            raise

    def evaluate(self, x: Any, *args: Any, return_dict: bool = True, **kwargs: Any) -> dict[str, float] | list[float]:
        """As `keras.Model.evaluate`, of batches as for `fit`: the means of all terms of the losses, by name.

        Args:
          x: the batches.
          *args: for `keras.Model.evaluate`.
          return_dict: False gives a list in the order of `metrics_names`.
          **kwargs: for `keras.Model.evaluate`.
        """
        return super().evaluate(self._batches(x, training=False), *args, return_dict=return_dict, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`, of batches as for `fit`: what `call` makes of them."""
        return super().predict(self._batches(x, training=False), *args, **kwargs)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Writes what Keras can read again, where that is all there is to the model.

        Raises:
          UserError: it is not; the message says what to use.
        """
        if not (self.keras_format and str(filepath).endswith(".keras")):
            raise UserError(self._save_instead(f"save({str(filepath)!r})"))
        super().save(filepath, *args, **kwargs)

    def _save_instead(self, what: str) -> str:
        also = ", save('model.keras') for Keras" if self.keras_format else ""
        return (
            f"{what}: a {self.name} model is more than Keras would save; use export('folder') for what is to be used "
            f"(rgunit_tf.load, servers), save_weights('name.weights.h5') for what is to be trained on{also}"
        )

    def _batches(self, data: Any, training: bool) -> Any:
        known = self.translation
        if data is None:
            return None
        batches = as_batches(data, known.schema, known.image_size, self.seed, training)
        return batches.map(self.without_names) if training and self.compiled else batches

    def without_names(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A batch as XLA can take it, which knows no strings."""
        return {name: value for name, value in batch.items() if name != "id"}

    def _plan(self, batches: Any, steps_per_epoch: int | None, epochs: int) -> None:
        """Sets what `compile` left open by the steps to come, if it is known how many."""
        known = int(batches.cardinality()) if hasattr(batches, "cardinality") else -1
        coming = (steps_per_epoch or known) * epochs
        if "steps" in self.given_settings or coming <= 0 or not self.optimizers:
            return
        given, loss = set(self.given_settings), self.loss_settings
        if not self._warm_ups_planned:
            self._compiled_settings = self.optimizer_settings
        # Once the mask is on it stays on.
        given |= set(plan.WARM_UPS) if self._warm_ups_planned else set()
        steps = int(self.step.numpy()) + coming
        self.optimizer_settings, loss = plan.for_steps(self._compiled_settings, loss, given, steps)
        if loss is not None:
            self.loss_settings = loss
        for optimizer in self.optimizers.values():
            optimization.reschedule(optimizer, self.optimizer_settings)
        self._warm_ups_planned = True
        # Keras traces them anew.
        self.train_function = self.test_function = self.predict_function = None

    @property
    def metrics_names(self) -> list[str]:
        """Names of the terms that `evaluate` measures, in its order."""
        return list(self.test_term_means.names) if self.optimizers else []

    def reseed(self, offset: int) -> None:
        """Draws the noise of training from the seed plus `offset`."""
        if self.noise_seed != self.seed + offset:
            self.noise_seed = self.seed + offset
            self.make_train_function(force=True)  # Keras traces the step anew.

    def _share(self, loss: tf.Tensor) -> tf.Tensor:
        """This replica's share of a loss, float32 scalar, scaled where float16 needs it."""
        share = loss / tf.distribute.get_strategy().num_replicas_in_sync
        return share if self.loss_scale is None else share * self.loss_scale.value

    def _apply(self, updates: Sequence[optimization.Update]) -> tuple[list[tf.Tensor], tf.Tensor | None]:
        """Applies the updates of a step and counts it, or neither.

        Returns:
          The norms of the gradients, and whether the step's terms are to be averaged: None where they always are.
        """
        clip_norm = self.optimizer_settings.clip_norm
        norms, made = optimization.apply_clipped(updates, clip_norm, self.applied, self.loss_scale)
        self.step.assign_add(tf.cast(self.applied, tf.int64))
        return norms, None if self.loss_scale is None else made | (self.applied < 0.5)

    def _log(self, terms: dict[str, tf.Tensor], counts: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Adds the terms of a step to their means; what `train_step` returns."""
        self.term_means.update_state(terms, counts)
        return self.term_means.result() if self.terms_each_step else {}

    @property
    def training_state(self) -> dict[str, Any]:
        """All that a resumed run needs, by name: networks, optimisers with their averages, and the step."""
        scale = {} if self.loss_scale is None else {"loss_scale": self.loss_scale}
        return {**self.networks, **self.optimizers, **scale, "step": self.step}

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within the block `trained_variables` hold their moving averages, as samples and exports do."""
        with optimization.averaged(self.main_optimizer, self.trained_variables):
            yield

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """Reset by Keras at the start of each epoch."""
        return [self.term_means, self.test_term_means] if self.optimizers else []

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Nothing: Keras then logs what the step itself returns, instead of training and test means mixed."""
        return {}

    @tf.autograph.experimental.do_not_convert
    def test_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """All loss terms on a batch, without an update; targets are the labels of the next image in the batch."""
        batch = {"target": tf.roll(batch["label"], 1, axis=0), **batch}
        noise = StepNoise(self.seed + 1, tf.zeros((), tf.int64), tf.shape(batch["image"])[0])
        self.test_term_means.update_state(self.batch_terms(batch, noise))
        return self.test_term_means.result()
