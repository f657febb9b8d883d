"""What happens between steps: checkpoints, the history file and how far it is."""

from __future__ import annotations

import csv
import pathlib
import sys
from typing import Any

import tensorflow as tf
from absl import logging

from rgunit_tf import atomic, cluster, progress
from rgunit_tf.runs.checkpoints import CheckpointFolder
from rgunit_tf.runs.clock import Clock
from rgunit_tf.runs.events import EventFile
from rgunit_tf.runs.stopping import StopRequest


class Checkpoints(tf.keras.callbacks.Callback):
    """Saves everything a resumed run needs, every so many steps and when a signal asks to stop.

    Args:
      folder: where to.
      every: steps between two checkpoints; one is written at the end of the epoch (logged steps) that reaches them.
      stop: the request to stop; it is answered after the step in which it came, and where that step is logged, once it
        is. In the first step, which builds the graph for seconds, there is nothing to save yet, and a signal ends it.
      clock: remembered beside each checkpoint.
    """

    def __init__(self, folder: CheckpointFolder, every: int, stop: StopRequest, clock: Clock):
        super().__init__()
        self.folder, self.every, self.stop, self.clock = folder, every, stop, clock

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Notes the step from which training goes on."""
        self._seen = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Answers a signal, but for the last step of an epoch, which the other callbacks have yet to record."""
        self.stop.hold()
        if batch + 1 < self.params["steps"]:
            self._answer()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves where it is time to."""
        step = int(self.model.step.numpy())
        if step // self.every > self._seen // self.every:
            self.save()
        self._seen = step
        self._answer()

    def _answer(self) -> None:
        """Saves and leaves where a signal came; a worker that is not the chief stays until the chief leaves."""
        if self.stop.number is not None and cluster.is_chief():
            self.save()
            self.stop.leave(f"saved at step {int(self.model.step.numpy())}")

    def save(self) -> None:
        """Writes a checkpoint of the present step."""
        self.folder.save(int(self.model.step.numpy()))
        self.clock.save()


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
        if len(rows) < 2 or rows[0][0] != "step":  # a full disk may have left half of the first line
            self.path.unlink()
            return
        whole = [row for row in rows[1:] if len(row) == len(rows[0]) and row[0].isdigit()]
        kept = [row for row in whole if int(row[0]) <= int(self.model.step.numpy())]
        with atomic.path(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([*rows[:1], *kept])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Appends the means since the last line."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not file.tell():
                writer.writerow(["step", *values])
            writer.writerow([int(self.model.step.numpy()), *(f"{value:.6g}" for value in values.values())])


class Scalars(tf.keras.callbacks.Callback):
    """Shows in TensorBoard what the history holds, by step.

    Keras' own callback counts in epochs, takes part in every batch, which costs time, and memory that it does not give
    back: 13 KB a step.
    """

    def __init__(self, events: EventFile):
        super().__init__()
        self.events = events

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the means since the last time."""
        self.events.scalars(int(self.model.step.numpy()), {name: float(value) for name, value in (logs or {}).items()})


class Progress(tf.keras.callbacks.Callback):
    """A bar over the steps of the whole stage, or lines of it: images a second, time left, a few of the terms.

    Args:
      steps: of the stage.
      batch_size: images a step.
      shown: names of the terms to show.
    """

    def __init__(self, steps: int, batch_size: int, shown: tuple[str, ...]):
        super().__init__()
        self.steps, self.batch_size, self.shown, self._bar = steps, batch_size, shown, None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the bar, on from the resumed step."""
        if self._bar is None:
            step = int(self.model.step.numpy())
            logging.info("%s: from step %d to %d", self.model.name, step, self.steps)
            self._bar = progress.bar(self.steps, "step", self.model.name, step, sys.stdout)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar, after a rollback back."""
        step, known = int(self.model.step.numpy()), self._bar.format_dict
        # The first time tqdm has none.
        rate = known["rate"] or max(step - known["initial"], 0) / max(known["elapsed"], 1e-6)
        said = [f"{self.batch_size * rate:.3g} images/s"]
        said += [f"{name} {float(value):.3g}" for name, value in (logs or {}).items() if name in self.shown]
        self._bar.set_postfix_str(", ".join(said), refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Ends the bar's line, so that what is said next stands on one of its own."""
        if self._bar is not None:
            self._bar.close()
