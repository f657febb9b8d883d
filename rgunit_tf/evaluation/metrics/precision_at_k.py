"""Precision at k of retrieved images (paper §4.1) and recall of an approximate index."""

from __future__ import annotations

import numpy as np

RANDOM_PREFIX = "random_images/"
"""Before the names of the figures that random images of the gallery would give."""


def precision_at_k(wanted: np.ndarray, retrieved: np.ndarray) -> np.ndarray:
    """Share of retrieved labels that agree with the query's, a query and an attribute.

    P@k(query, attribute) = 1/k * #{retrieved images whose attribute equals the query's}: an attribute that is to be
    absent counts when it is absent. Mean over queries and attributes gives the figures of paper Table 1.

    Args:
      wanted: the query's labels, 0/1 [Q, A].
      retrieved: labels of the k images retrieved for each query, 0/1 [Q, k, A]; NaN rows (unlabelled images) are left
        out of the share.

    Returns:
      float64 [Q, A]; NaN where no retrieved image is labelled.
    """
    wanted, retrieved = np.asarray(wanted), np.asarray(retrieved, np.float64)
    if retrieved.ndim != 3 or wanted.shape != (retrieved.shape[0], retrieved.shape[2]):
        raise ValueError(f"labels of queries {wanted.shape} and of images {retrieved.shape}: not [Q, A] and [Q, k, A]")
    known = ~np.isnan(retrieved)
    agree = ((retrieved > 0.5) == (wanted[:, None] > 0.5)) & known
    count = known.sum(axis=1)
    return np.divide(agree.sum(axis=1), count, out=np.full(count.shape, np.nan), where=count > 0)


def expected_precision(wanted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What `precision_at_k` gives on average for images that are chosen at random, whatever k.

    Args:
      wanted: the query's labels, 0/1 [Q, A].
      labels: of all images, 0/1 [N, A]; NaN rows (unlabelled images) are left out.

    Returns:
      float64 [Q, A]: the share of images whose label is as wanted; NaN where no image is labelled.
    """
    labels = np.asarray(labels, np.float64)
    count = (~np.isnan(labels)).sum(axis=0)
    share = np.divide((labels > 0.5).sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return np.where(np.asarray(wanted) > 0.5, share, 1.0 - share)


def recall_at_k(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Share of the k exact nearest neighbours that an index found, a query: float64 [Q].

    Args:
      found: rows or ids from the index [Q, k], in any order.
      exact: those of an exhaustive search [Q, k].
    """
    found, exact = np.asarray(found), np.asarray(exact)
    if found.shape != exact.shape or found.ndim != 2:
        raise ValueError(f"neighbours {found.shape} and exact neighbours {exact.shape} must both be [Q, k]")
    return (exact[:, :, None] == found[:, None, :]).any(axis=2).mean(axis=1)


def first_ranks(distances: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Rank, from 1, of the nearest of the right candidates of each query: int64 [Q].

    Args:
      distances: of the queries to the candidates [Q, N]; those that are no candidate of a query are infinitely far.
      same: which candidates are right, bool [Q, N]; at least one a query.
    """
    best = np.where(same, distances, np.inf).min(axis=1, keepdims=True)
    return 1 + (distances < best).sum(axis=1)


def rank_of(queries: np.ndarray, candidates: np.ndarray, gallery: np.ndarray, block: int = 256) -> np.ndarray:
    """Rank, from 1, that a candidate image would take among a gallery for its query: int64 [Q].

    Args:
      queries: embeddings [Q, D].
      candidates: embedding of one image a query that is not in the gallery [Q, D].
      gallery: embeddings [N, D].
      block: queries compared at once, so that memory does not grow with their number.
    """
    ranks = []
    squares = np.square(gallery, dtype=np.float64).sum(axis=1)
    for start in range(0, len(queries), block):
        query = np.asarray(queries[start : start + block], np.float64)
        candidate = np.asarray(candidates[start : start + block], np.float64)
        own = np.square(query - candidate).sum(axis=1)
        others = np.square(query).sum(axis=1)[:, None] + squares[None] - 2.0 * query @ gallery.T.astype(np.float64)
        ranks.append(1 + (others < own[:, None]).sum(axis=1))
    return np.concatenate(ranks)
