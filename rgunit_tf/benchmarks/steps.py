"""The training steps in every precision, by XLA and without, one row after the other within a time limit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One benchmark of `bin/bench`, with what differs from the others."""

    what: str
    precision: str
    jit_compile: bool
    batch_share: int = 1
    """Times the batch of the other rows."""

    def arguments(self, batch_size: int) -> list[str]:
        """Of `bin/bench`, without the sizes that all rows share."""
        compiled = "--jit_compile" if self.jit_compile else "--nojit_compile"
        batch = f"--batch_size={batch_size * self.batch_share}"
        return [self.what, f"--precision={self.precision}", compiled, batch]


ROWS = (
    Row("train_step", "mixed_bfloat16", True),
    Row("train_step", "float32", True),
    Row("guided_step", "mixed_bfloat16", True),
    Row("train_step", "mixed_bfloat16", True, 4),
    Row("train_step", "mixed_bfloat16", False),
    Row("train_step", "float32", False),
    Row("train_step", "mixed_float16", True),
    Row("guided_step", "float32", True),
)
"""Those that tell most come first, for where the time does not suffice for all."""


def steps(shared: Sequence[str], batch_size: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Records of all rows that fit into the time, each made by a process of its own: memory and devices are its alone.

    Args:
      shared: arguments of `bin/bench` for all rows.
      batch_size: images a step.
      seconds: after so many the row that runs is broken off, and none is begun.

    Yields:
      The records of each row; for one that gave none, `not_measured` with the row's arguments and the reason.
    """
    end = time.monotonic() + seconds
    for row in ROWS:
        arguments = [*row.arguments(batch_size), *shared]
        left, reason, found = end - time.monotonic(), "no time was left", []
        if left > 0:
            command = [sys.executable, "-m", "rgunit_tf.cli.bench", *arguments]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=left, check=False)
                found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
                reason = (done.stderr.strip().splitlines() or ["no record"])[-1]
            except subprocess.TimeoutExpired:
                reason = f"broken off after {left:.0f} s"
        yield from found
        if not found:
            yield {"name": "not_measured", "value": None, "unit": "", "settings": arguments, "reason": reason}
