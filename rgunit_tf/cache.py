"""Where this package keeps, for the user, what it can make again."""

from __future__ import annotations

import os
import pathlib


def user_folder() -> pathlib.Path:
    """Folder of everything that can be rebuilt: $RGUNIT_CACHE, else ~/.cache/rgunit_tf."""
    named = os.environ.get("RGUNIT_CACHE")
    if named:
        return pathlib.Path(os.path.expanduser(named))
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(os.path.expanduser(base)) / "rgunit_tf"
