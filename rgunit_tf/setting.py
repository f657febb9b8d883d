"""One setting: its default, its meaning, and the values it may take."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: its default (which fixes its type), its meaning, and the values it may take."""

    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    resumable: bool = False
    """Whether a run may go on with another value: it changes no result."""

    def problem(self, value: Any) -> str | None:
        """Says in a few words what is wrong with `value`; None if nothing is."""
        if not _fits(value, self.default):
            return f"must be {kind_of(self.default)}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(map(str, self.choices))}"
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return None
        if value != value:
            return "must be a number, not NaN"
        if abs(value) == math.inf:
            return "must be a finite number"
        if self.low is not None and value < self.low:
            return f"must be at least {self.low}"
        high = _LARGEST if self.high is None and isinstance(self.default, int) else self.high
        if high is not None and value > high:
            return f"must be at most {high}"
        return None


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "names joined by commas",
    str: "a text",
}
# TensorFlow counts steps and seeds random numbers with 32 bits in places.
_LARGEST = 2**31 - 1


def kind_of(default: Any) -> str:
    """What a setting with this default has to be, in words."""
    return _KINDS[type(default)]


def _fits(value: Any, default: Any) -> bool:
    """Whether `value` is of the type of `default`; whole numbers are numbers, NumPy's are too."""
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int | float):
        return isinstance(value, numbers.Integral if isinstance(default, int) else numbers.Real)
    return isinstance(value, list | tuple if isinstance(default, tuple) else str)
