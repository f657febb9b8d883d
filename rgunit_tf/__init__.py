"""Retrieval-guided, unsupervised, multi-domain image-to-image translation (RG-UNIT) in Keras and TensorFlow.

    import rgunit_tf as rg
    data = rg.data.load("avatars", root="avatars", image_size=128)
    translation = rg.TranslationModel(data.schema, image_size=128)
    retrieval = rg.RetrievalModel(translation)
    gallery = rg.Gallery.build(retrieval, data.train)
    guided = rg.GuidedModel(translation, retrieval, gallery, neighbors=3)

Names are imported when they are first used: `import rgunit_tf` itself loads neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = ("config", "data", "domains", "evaluation", "losses", "models", "retrieval", "serving", "stages")

_HOMES = {
    "AttributeSchema": "rgunit_tf.domains",
    "ExactIndex": "rgunit_tf.retrieval",
    "Gallery": "rgunit_tf.retrieval",
    "GuidedModel": "rgunit_tf.stages.guided",
    "RetrievalModel": "rgunit_tf.stages.retrieval",
    "ScannIndex": "rgunit_tf.retrieval",
    "TranslationModel": "rgunit_tf.stages.translation",
    "UserError": "rgunit_tf.errors",
    "default_config": "rgunit_tf.config",
}

__all__ = sorted([*_MODULES, *_HOMES, "__version__"])

if TYPE_CHECKING:
    from rgunit_tf import config, data, domains, evaluation, losses, models, retrieval, serving, stages
    from rgunit_tf.config import default_config
    from rgunit_tf.domains import AttributeSchema
    from rgunit_tf.errors import UserError
    from rgunit_tf.retrieval import ExactIndex, Gallery, ScannIndex
    from rgunit_tf.stages.guided import GuidedModel
    from rgunit_tf.stages.retrieval import RetrievalModel
    from rgunit_tf.stages.translation import TranslationModel


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"rgunit_tf.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'rgunit_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
