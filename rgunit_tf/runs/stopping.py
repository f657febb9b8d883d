"""SIGTERM and SIGINT as a request that training answers between two steps."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """From `hold` to the end of the block the first SIGTERM or SIGINT is noted; a second one ends the process at once.

    Before `hold` they do what they did before the block. Outside of the main thread, where Python allows no handlers,
    nothing is caught.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """Of the signal that came."""
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        return self

    def hold(self) -> None:
        """From now on there is something to save first; further calls do nothing."""
        if not self._previous and threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number = number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    def leave(self, saved: str) -> None:
        """Ends the command, where a signal came, with the code 128 + n and a line that says what was saved."""
        if self.number is not None:
            sys.stderr.write(f"{signal.Signals(self.number).name}: {saved}; the same command goes on from there\n")
            raise SystemExit(128 + self.number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
