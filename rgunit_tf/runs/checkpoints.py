"""The checkpoints of a stage: what a resumed run needs, each whole or not used."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from rgunit_tf import atomic, cluster
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
        self.folder, self.keep = folder, keep
        self._checkpoint = tf.train.Checkpoint(**state)

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
        self._clear()
        temporary = self.folder / f"step-{step}_temp"
        temporary.mkdir(parents=True)
        try:
            self._checkpoint.write(str(temporary / "step"))
            self._index(step).unlink(missing_ok=True)
            # TensorFlow would write the index in its place, and leave half of it there when it is killed or the disk is
            # full. The data come first: a checkpoint is known by its index.
            for file in sorted(temporary.glob("step.*")):
                os.replace(file, self.folder / f"step-{step}{file.name.removeprefix('step')}")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for old in self.steps()[: -self.keep]:
            self._index(old).unlink()
        self._clear()
        self._list()

    def _list(self) -> None:
        """Writes the list for those who ask TensorFlow for the latest one; names alone, so that the folder may move."""
        names = [f"step-{step}" for step in self.steps()]
        lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
        with atomic.path(self.folder / "checkpoint") as temporary:
            temporary.write_text("\n".join(lines) + "\n")

    def _index(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step}.index"

    def _clear(self) -> None:
        """Removes data without an index, and what saves that were cut off have left."""
        for leftover in self.folder.glob("step-*_temp"):
            shutil.rmtree(leftover, ignore_errors=True)
        for data in self.folder.glob("step-*.data-*"):
            if not data.with_name(f"{data.name.partition('.')[0]}.index").exists():
                data.unlink()

    def restore(self) -> int | None:
        """Restores the newest checkpoint that is whole; returns its step, None where there is no checkpoint.

        Raises:
          UserError: there are checkpoints, and none is whole.
        """
        for step, path in reversed(list(zip(self.steps(), self.paths(), strict=True))):
            try:
                # What an earlier version kept besides, such as the last learning rate, is no cause for a warning.
                self._checkpoint.read(path).assert_existing_objects_matched().expect_partial()
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


def recast(source: str | os.PathLike, target: str | os.PathLike, dtype: str, without: str = "") -> None:
    """Writes a checkpoint again with the tensors of floats, float16 or float32, in one of these.

    Args:
      source: prefix of the checkpoint.
      target: prefix of the other.
      dtype: `float16` or `float32`.
      without: name of a part that is left out.
    """
    reader = tf.train.load_checkpoint(str(source))
    names = sorted(name for name in reader.get_variable_to_dtype_map() if not without or name.split("/")[0] != without)
    tensors = [tf.convert_to_tensor(reader.get_tensor(name)) for name in names]
    tensors = [tf.cast(tensor, dtype) if tensor.dtype.is_floating else tensor for tensor in tensors]
    tf.raw_ops.SaveV2(prefix=str(target), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
