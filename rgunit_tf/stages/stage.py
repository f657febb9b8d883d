"""What the three stages share: a step counter, averaged weights, and the means of all terms as their metrics."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from rgunit_tf.stages import optimization
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.tracking import TermMeans


class Stage(tf.keras.Model):
    """Base of the models that are trained one after the other.

    Args:
      name: of the stage, and of its group of settings.
      seed: of the noise in training; weights follow Keras' global seed.
    """

    def __init__(self, name: str, seed: int):
        super().__init__(name=name)
        self.seed = seed
        self.step = tf.Variable(
            0, trainable=False, dtype=tf.int64, name="step", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
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
          **kwargs: for `keras.Model.compile`.
        """
        tf.keras.Model.compile(self, optimizer=main, **kwargs)
        main.build(self.trained_variables)
        self._main_optimizer = main
        self.term_means = TermMeans(terms + step_terms)
        self.test_term_means = TermMeans(terms)

    @property
    def training_state(self) -> dict[str, Any]:
        """All that a resumed run needs, by name: networks, optimisers with their averages, and the step."""
        return {**self.networks, **self.optimizers, "step": self.step}

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within the block `trained_variables` hold their moving averages, as samples and exports do."""
        with optimization.averaged(self._main_optimizer, self.trained_variables):
            yield

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """Reset by Keras at the start of each epoch."""
        return [self.term_means, self.test_term_means] if self.optimizers else []

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Nothing: Keras then logs what the step itself returns, instead of training and test means mixed."""
        return {}

    def test_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """All loss terms on a batch, without an update; targets are the labels of the next image in the batch."""
        batch = {"target": tf.roll(batch["label"], 1, axis=0), **batch}
        noise = StepNoise(self.seed + 1, tf.zeros((), tf.int64), tf.shape(batch["image"])[0])
        self.test_term_means.update_state(self.batch_terms(batch, noise))
        return self.test_term_means.result()
