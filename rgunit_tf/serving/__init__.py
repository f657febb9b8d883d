"""SavedModels of the stages, which run without Python: signatures, decoding of image files in-graph, export.

Names are imported when first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from rgunit_tf.lazy import attach

_HOMES = {"export": "export", "StageGraph": "signatures"}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
