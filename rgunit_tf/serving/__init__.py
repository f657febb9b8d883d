"""SavedModels of the stages, which run without Python: signatures, decoding of image files in-graph, export.

Names are imported when first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {"export_stage": "export", "StageGraph": "signatures"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
