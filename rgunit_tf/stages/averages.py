"""Between the epochs of a `fit` the model holds its averaged weights: what it is measured, kept and stopped by."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.stages import optimization


class Averages(tf.keras.callbacks.Callback):
    """Gives a stage its averaged weights for validation and for the callbacks at an epoch's end, and at the end.

    So `val_generator_loss` is of the model that is exported, and ModelCheckpoint and EarlyStopping keep that one.
    """

    _own: list[tf.Tensor] | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Training goes on from the raw weights."""
        self.put_back()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before a validation."""
        self._take()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the callbacks after this one."""
        self._take()

    def _take(self) -> None:
        if self._own is None:
            variables = self.model.trained_variables
            self._own = [tf.identity(variable) for variable in variables]
            optimization.take_averages(self.model.main_optimizer, variables)

    def put_back(self) -> None:
        """Gives the model its raw weights where it holds the averages."""
        if self._own is not None:
            for variable, value in zip(self.model.trained_variables, self._own, strict=True):
                variable.assign(value)
            self._own = None
