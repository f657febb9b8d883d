"""The list of a stage's numerical faults after which training went on from a checkpoint with other random numbers."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from rgunit_tf import atomic, cluster
from rgunit_tf.errors import UserError

MOST = 3
"""Faults of one stage after which training goes on; more mean that the settings, not the batch, are at fault."""

_STRIDE = 1 << 32
"""Between the seeds before and after a rollback: more than users choose their seeds apart."""


class Rollbacks:
    """Reads and writes `rollbacks.json`, so that a resumed run draws what the interrupted one would have drawn.

    Args:
      path: of the file; it is there after the first rollback.

    Raises:
      UserError: the file is damaged.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        try:
            self._entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            if not isinstance(self._entries, list):
                raise ValueError
        except ValueError:
            raise UserError(f"{path} is damaged; restore it, or delete the folder {path.parent}") from None

    @property
    def seed_offset(self) -> int:
        """What is added to the seeds of noise and data."""
        return len(self._entries) * _STRIDE

    @property
    def exhausted(self) -> bool:
        """Whether the stage has had as many rollbacks as it may."""
        return len(self._entries) >= MOST

    def add(self, **entry: Any) -> None:
        """Notes one more rollback."""
        self._entries.append(entry)
        if cluster.is_chief():
            atomic.write_json(self.path, self._entries)

    def __len__(self) -> int:
        return len(self._entries)
