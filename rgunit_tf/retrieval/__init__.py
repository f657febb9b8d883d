"""The retrieval set: indexes over embeddings, the gallery that holds them, and the triplets that train R (paper §3.2).

Names are imported when first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Index": "index",
    "make_index": "index",
    "ExactIndex": "exact_index",
    "ScannIndex": "scann_index",
    "Gallery": "gallery",
    "STRATEGIES": "triplets",
    "TripletSources": "triplets",
    "triplet_sources": "triplets",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
