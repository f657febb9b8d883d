"""Retrieval-guided, unsupervised, multi-domain image-to-image translation (RG-UNIT) in Keras and TensorFlow.

    import rgunit_tf as rg
    data = rg.data.load("avatars", root="avatars", image_size=128)
    translation = rg.TranslationModel(data.schema, image_size=128)
    retrieval = rg.RetrievalModel(translation)
    gallery = rg.Gallery.build(retrieval, data.train)
    guided = rg.GuidedModel(translation, retrieval, gallery, neighbors=3)

    rg.load("runs/avatars").translate(images, "Blond_Hair").images      # a run or an export

Names are imported when they are first used: `import rgunit_tf` itself loads neither TensorFlow nor NumPy. Import it
before TensorFlow: it chooses Keras 2 and turns oneDNN's kernels on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rgunit_tf import legacy_keras
from rgunit_tf.lazy import attach

legacy_keras.choose()
# TensorFlow leaves oneDNN's kernels off on processors without AVX-512, where a training step at 32 and 64 px takes a
# sixth to a quarter less time with them. It reads this once, when it is imported; results differ in the last bits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

__all__ = [
    "AttributeSchema",
    "ExactIndex",
    "Gallery",
    "GuidedModel",
    "RetrievalModel",
    "ScannIndex",
    "ShardedGallery",
    "TranslationModel",
    "UserError",
    "config",
    "data",
    "default_config",
    "domains",
    "evaluation",
    "inference",
    "load",
    "losses",
    "models",
    "retrieval",
    "serving",
    "stages",
]

# Name -> module; the other public names are modules themselves.
_HOMES = {
    "AttributeSchema": "domains",
    "ExactIndex": "retrieval.exact_index",
    "Gallery": "retrieval.gallery",
    "GuidedModel": "stages.guided",
    "RetrievalModel": "stages.retrieval",
    "ScannIndex": "retrieval.scann_index",
    "ShardedGallery": "retrieval.sharded",
    "TranslationModel": "stages.translation",
    "UserError": "errors",
    "default_config": "config",
    "load": "inference.model",
}

if TYPE_CHECKING:
    from rgunit_tf import config, data, domains, evaluation, inference, losses, models, retrieval, serving, stages
    from rgunit_tf.config import default_config
    from rgunit_tf.domains import AttributeSchema
    from rgunit_tf.errors import UserError
    from rgunit_tf.inference import load
    from rgunit_tf.retrieval.exact_index import ExactIndex
    from rgunit_tf.retrieval.gallery import Gallery
    from rgunit_tf.retrieval.scann_index import ScannIndex
    from rgunit_tf.retrieval.sharded import ShardedGallery
    from rgunit_tf.stages.guided import GuidedModel
    from rgunit_tf.stages.retrieval import RetrievalModel
    from rgunit_tf.stages.translation import TranslationModel


__getattr__, __dir__ = attach(__name__, {name: _HOMES.get(name, "") for name in __all__})
