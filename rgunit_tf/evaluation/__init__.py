"""How good a model is: accuracy, distances to real images and to the truth, retrieval precision, pictures."""

from __future__ import annotations

import importlib
from typing import Any

# Name -> module. Imported on first use: `evaluation.grid` needs no TensorFlow, and must not pay for it.
_PUBLIC = {
    "AttributeClassifier": "attribute_classifier",
    "Counterfactuals": "counterfactual",
    "RealFeatures": "real_images",
    "evaluate_real": "real_images",
    "evaluate_retrieval": "retrieval",
    "evaluate_translation": "translation",
    "judge": "translation",
    "load_or_train": "classifier_training",
    "save_grid": "grid",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
