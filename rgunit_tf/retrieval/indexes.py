"""Which indexes there are, by name."""

from __future__ import annotations

from typing import Any

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.exact_index import ExactIndex
from rgunit_tf.retrieval.index import Index

KINDS = ("exact", "scann")


def make_index(kind: str, embeddings: Any, **options: Any) -> Index:
    """Builds an index.

    Args:
      kind: "exact" (any TensorFlow, any server) or "scann" (faster; approximate beyond 10,000 rows; needs ScaNN's ops).
      embeddings: float [N, D].
      **options: passed to `ExactIndex` or `ScannIndex`.

    Raises:
      UserError: no such kind, ScaNN is not installed, or embeddings that cannot be searched.
    """
    if kind == "exact":
        return ExactIndex(embeddings, **options)
    if kind == "scann":
        from rgunit_tf.retrieval.scann_index import ScannIndex

        return ScannIndex(embeddings, **options)
    raise UserError(f"index={kind!r} must be one of {', '.join(KINDS)}")
