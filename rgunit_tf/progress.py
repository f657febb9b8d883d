"""How far a command is: a bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS = 10.0
"""Between two lines of a log file at least, and before the first."""

_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {rate_fmt}, {remaining} left{postfix}"


class _Lines:
    """Whole lines in the place of what moves the cursor back."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        text = text.strip()
        if text:
            self._stream.write(f"{text}\n")

    def flush(self) -> None:
        self._stream.flush()


def bar(total: int | None, unit: str, name: str, done: int = 0, stream: TextIO | None = None) -> tqdm:
    """A bar of tqdm's, to be closed.

    Args:
      total: how many there are; None: that is found out.
      unit: what is counted, in the singular.
      name: of what is done.
      done: how many were done before.
      stream: where it is shown; standard error by default.
    """
    from tqdm import tqdm

    stream = stream or sys.stderr
    if stream.isatty():
        return tqdm(total=total, unit=unit, desc=name, initial=done, file=stream, dynamic_ncols=True)
    return tqdm(
        total=total,
        unit=unit,
        desc=name,
        initial=done,
        file=_Lines(stream),
        bar_format=_LINE,
        mininterval=SECONDS,
        maxinterval=SECONDS,
        delay=SECONDS,
    )
