"""The retrieval set: indexes over embeddings, the gallery that holds them, and the triplets that train R (paper §3.2).

Names are imported when first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from rgunit_tf.lazy import attach

_HOMES = {
    "Index": "index",
    "make_index": "indexes",
    "ExactIndex": "exact_index",
    "ScannIndex": "scann_index",
    "Gallery": "gallery",
    "ShardedGallery": "sharded",
    "STRATEGIES": "triplets",
    "TripletSources": "triplets",
    "triplet_sources": "triplets",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
