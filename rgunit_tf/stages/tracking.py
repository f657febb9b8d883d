"""Averages of all terms of a step in one metric, so that logging costs one addition a step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class TermMeans(tf.keras.metrics.Metric):
    """Means of named scalars over the steps since the last reset; `result` is a dict.

    Args:
      names: the terms, in the order of the vector that `update_state` takes.
    """

    def __init__(self, names: tuple[str, ...], name: str = "terms"):
        super().__init__(name=name)
        self.names = names
        self.total = self.add_weight("total", (len(names) + 1,), initializer="zeros")

    def update_state(self, terms: dict[str, tf.Tensor], counts: tf.Tensor | None = None) -> None:
        """Adds one step: a float scalar for each name; where `counts`, a bool scalar, is False, nothing is added."""
        values = tf.stack([*(tf.cast(terms[name], tf.float32) for name in self.names), tf.ones(())])
        self.total.assign_add(values if counts is None else tf.where(counts, values, 0.0))

    def reset_state(self) -> None:
        """Starts a new mean."""
        self.total.assign(tf.zeros_like(self.total))

    def result(self) -> dict[str, tf.Tensor]:
        """Mean of each term."""
        means = self.total[:-1] / tf.maximum(self.total[-1], 1.0)
        return dict(zip(self.names, tf.unstack(means, len(self.names)), strict=True))


class EpochTerms(tf.keras.callbacks.Callback):
    """Puts the means of a model's terms into the logs of an epoch whose steps have handed nothing over."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Fills `logs`, which the callbacks after this one are given too."""
        if logs is not None and not logs:
            logs.update({name: float(value) for name, value in self.model.term_means.result().items()})
