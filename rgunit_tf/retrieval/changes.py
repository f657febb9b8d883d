"""What a gallery with further images, or without some of them, holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.embedding import embeddings_of


class Rows(NamedTuple):
    """Embeddings float [N, D], N ids, and images uint8 [N, H, W, 3] or None."""

    embeddings: np.ndarray
    ids: np.ndarray
    images: np.ndarray | None


def added(held: Rows, ids: list[str], images: np.ndarray | None, embeddings: np.ndarray | None, retrieval: Any) -> Rows:
    """`held` and further rows behind it; arguments and errors as for `Gallery.add`."""
    if held.images is not None and images is None:
        raise UserError("gallery: it holds images; give those of the added ids too")
    if embeddings is None:
        if images is None or retrieval is None:
            raise UserError("gallery: give embeddings, or images and the retrieval model that embeds them")
        embeddings = embeddings_of(retrieval, ids, images)
    embeddings, dimension = np.asarray(embeddings, np.float32), held.embeddings.shape[1]
    if embeddings.shape != (len(ids), dimension):
        raise UserError(
            f"gallery: {len(ids)} ids, but embeddings of shape {embeddings.shape}; {dimension} dimensions are needed, "
            "of one row an id"
        )
    both = None
    if held.images is not None:
        if len(images) != len(ids) or images.shape[1:] != held.images.shape[1:]:
            raise UserError(
                f"gallery: images of shape {list(images.shape)}; {[len(ids), *held.images.shape[1:]]} are needed"
            )
        both = np.concatenate([held.images, images])
    return Rows(np.concatenate([held.embeddings, embeddings]), np.array([*held.ids.tolist(), *ids]), both)


def removed(held: Rows, ids: np.ndarray) -> Rows:
    """`held` without the rows of `ids`; errors as for `Gallery.remove`."""
    unknown = ids[~np.isin(ids, held.ids)]
    if len(unknown):
        raise UserError(f"gallery: it holds no image {str(unknown[0])!r}; {len(unknown)} of the ids are unknown")
    kept = ~np.isin(held.ids, ids)
    return Rows(held.embeddings[kept], held.ids[kept], None if held.images is None else held.images[kept])
