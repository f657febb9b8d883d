"""What happens between steps: checkpoints, the history file, the progress bar, and stopping on request."""

from __future__ import annotations

import csv
import pathlib
import signal
import sys
from types import FrameType
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic


class Checkpoints(tf.keras.callbacks.Callback):
    """Saves everything a resumed run needs, every so many steps and when a signal asks to stop.

    Args:
      manager: of the stage's checkpoint.
      every: steps between two checkpoints; one is written at the end of the epoch (logged steps) that reaches them.
    """

    def __init__(self, manager: tf.train.CheckpointManager, every: int):
        super().__init__()
        self.manager, self.every = manager, every
        self._stop_signal: int | None = None
        self._previous: dict[int, Any] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Catches SIGTERM and SIGINT, to save before stopping."""
        self._seen = int(self.model.step.numpy())
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._stop_signal = number

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves and leaves where a signal came."""
        if self._stop_signal is None:
            return
        self.save()
        step = int(self.model.step.numpy())
        name = signal.Signals(self._stop_signal).name
        sys.stderr.write(f"{name}: saved at step {step}; the same command goes on from there\n")
        raise SystemExit(128 + self._stop_signal)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves where it is time to; refuses to save weights after a loss that is no number."""
        wrong = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if wrong:
            raise FloatingPointError(
                f"step {int(self.model.step.numpy())}: {', '.join(wrong)} is not finite; "
                f"the last good checkpoint is {self.manager.latest_checkpoint}"
            )
        step = int(self.model.step.numpy())
        if step // self.every > self._seen // self.every:
            self.save()
        self._seen = step

    def save(self) -> None:
        """Writes a checkpoint of the present step."""
        self.manager.save(checkpoint_number=int(self.model.step.numpy()))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Gives the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)


class History(tf.keras.callbacks.Callback):
    """One line of history.csv each time the means are logged; lines past the resumed step are dropped first."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.path = path

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Cuts the file at the step training goes on from."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return
        with open(self.path, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = [row for row in rows[1:] if row and row[0].isdigit() and int(row[0]) <= int(self.model.step.numpy())]
        with atomic.path(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([*rows[:1], *kept])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Appends the means since the last line."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        new = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *values])
            writer.writerow([int(self.model.step.numpy()), *(f"{value:.6g}" for value in values.values())])


class Progress(tf.keras.callbacks.Callback):
    """Keras' progress bar over the steps of the whole stage, with a few of the terms beside it.

    Args:
      steps: of the stage.
      shown: names of the terms to show.
    """

    def __init__(self, steps: int, shown: tuple[str, ...]):
        super().__init__()
        self.steps, self.shown = steps, shown

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the bar, on from the resumed step."""
        logging.info("%s: from step %d to %d", self.model.name, int(self.model.step.numpy()), self.steps)
        self._bar = tf.keras.utils.Progbar(self.steps, stateful_metrics=self.shown, unit_name="step")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        values = [(name, float(value)) for name, value in (logs or {}).items() if name in self.shown]
        self._bar.update(int(self.model.step.numpy()), values, finalize=int(self.model.step.numpy()) >= self.steps)
