"""Commands as they were typed: `bin/train` in the repository, `rgunit-train` where the package is installed."""

from __future__ import annotations

import pathlib
import re
import sys

_COMMAND = re.compile(r"(?<![\w./-])bin/(bench|demo|evaluate|export|prepare|reproduce|retrieve|train|translate)\b")


def as_typed(text: str) -> str:
    """`text`, in which commands are called bin/..., with the names that work where this process was started."""
    return _COMMAND.sub(r"rgunit-\1", text) if _installed() else text


def _installed() -> bool:
    """Whether an installed command was typed, or there is no repository around the package."""
    if pathlib.Path(sys.argv[0] if sys.argv else "").name.startswith("rgunit-"):
        return True
    return not (pathlib.Path(__file__).resolve().parent.parent / "bin" / "train").is_file()
