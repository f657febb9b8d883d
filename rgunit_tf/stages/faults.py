"""Stops a training whose losses or gradients are no longer numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import RunError


class NumericalFault(RunError):
    """A loss or a gradient was not finite.

    Attributes:
      step: of the update that was not made, counted from 0; the model's weights and its step are those of before it.
      terms: what was not finite, by the names of the logs.
    """

    def __init__(self, stage: str, step: int, terms: Sequence[str], message: str = ""):
        super().__init__(message or f"{stage}: step {step}: {', '.join(terms) or 'a gradient'} not finite")
        self.step, self.terms = step, tuple(terms)


class Faults(tf.keras.callbacks.Callback):
    """Looks, each time the means of the terms are logged, whether the model still applies its updates.

    The model itself stops changing at the first fault, so looking rarely costs nothing but the steps in between.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Lets the model apply updates again."""
        self.model.applied.assign(1.0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises NumericalFault where a step was not applied, or any term is not finite."""
        wrong = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if wrong or float(self.model.applied.numpy()) < 0.5:
            raise NumericalFault(self.model.name, int(self.model.step.numpy()), wrong)
