"""The checkpoints of a stage: what a resumed run needs, each whole or not used."""

from __future__ import annotations

import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from rgunit_tf import cluster
from rgunit_tf.errors import UserError

# What TensorFlow raises while it reads a damaged checkpoint: a cut-off file is an IndexError, for one. Its own
# checksums notice every changed bit that matters, in the data file and in the index.
UNREADABLE = (tf.errors.OpError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)


class CheckpointFolder:
    """A folder of checkpoints named by their step, `step-<number>`.

    Args:
      folder: made if it is not there.
      state: what is saved and restored, by name.
      keep: how many checkpoints are kept.
    """

    def __init__(self, folder: pathlib.Path, state: Mapping[str, Any], keep: int):
        self.folder = folder
        paths = self.paths()
        if paths and cluster.is_chief():
            # TensorFlow's own list may be damaged or gone, or name checkpoints that are.
            times = [pathlib.Path(f"{path}.index").stat().st_mtime for path in paths]
            tf.compat.v1.train.update_checkpoint_state(
                str(folder), paths[-1], all_model_checkpoint_paths=paths, all_model_checkpoint_timestamps=times
            )
        self._checkpoint = tf.train.Checkpoint(**state)
        # Made now: under a strategy of several workers a variable is made by all of them, and one alone would wait.
        _ = self._checkpoint.save_counter
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=keep, checkpoint_name="step"
        )

    def paths(self) -> list[str]:
        """Prefixes of the checkpoints in the folder, the oldest first, whole or not."""
        return [str(self.folder / f"step-{step}") for step in self.steps()]

    def steps(self) -> list[int]:
        """Steps of the checkpoints in the folder, in order."""
        names = (re.fullmatch(r"step-(\d+)\.index", file.name) for file in self.folder.glob("step-*.index"))
        return sorted(int(name.group(1)) for name in names if name)

    def save(self, step: int) -> None:
        """Writes a checkpoint; those before it are deleted, but for the last ones, once it is whole.

        Of several workers the chief writes alone: every variable of the state is the same on all of them.
        """
        if not cluster.is_chief():
            return
        for leftover in self.folder.glob("step-*_temp"):
            shutil.rmtree(leftover, ignore_errors=True)
        self._manager.save(checkpoint_number=step)

    def restore(self) -> int | None:
        """Restores the newest checkpoint that is whole; returns its step, None where there is no checkpoint.

        Raises:
          UserError: there are checkpoints, and none is whole.
        """
        for step, path in reversed(list(zip(self.steps(), self.paths(), strict=True))):
            try:
                self._checkpoint.restore(path).assert_existing_objects_matched()
                logging.info("resuming from %s", path)
                return step
            except UNREADABLE as error:
                logging.warning("%s is damaged (%s); trying the one before", path, first_line(error))
        if self.steps():
            raise UserError(f"{self.folder}: no checkpoint is whole; delete the folder to train the stage anew")
        return None


def first_line(error: Exception) -> str:
    """First line of the message of an error, or the name of its type."""
    return str(error).partition("\n")[0] or type(error).__name__
