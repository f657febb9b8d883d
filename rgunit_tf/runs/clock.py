"""How long a stage has been trained, over all starts of a run."""

from __future__ import annotations

import json
import pathlib
import time

from rgunit_tf import atomic, cluster


class Clock:
    """Seconds that went into what the checkpoints hold, and into what has come since this start.

    Args:
      path: of the file that remembers them; it is there once a checkpoint was saved.
    """

    def __init__(self, path: pathlib.Path):
        self.path, self._started = path, time.monotonic()
        try:
            self._before = float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            self._before = 0.0

    @property
    def seconds(self) -> float:
        """All together."""
        return self._before + time.monotonic() - self._started

    def save(self) -> None:
        """Remembers them; call it beside each checkpoint."""
        if cluster.is_chief():
            atomic.write_json(self.path, {"seconds": round(self.seconds, 3)})
