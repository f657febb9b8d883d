"""An Inception Score by the attribute classifier, under its own name: how sure and how varied its domains are.

A sigmoid classifier predicts K attributes, not one class. Its classes are taken to be the domains, that is the label
vectors that occur among training images: the probability of a domain is the product of its attributes' probabilities,
normalised over these domains. The score lies between 1 (all images look like one domain, or like no domain in
particular) and the number of domains. It says nothing of the quality within a domain, and compares with no Inception
Score.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.evaluation.metrics import inception_score

# Domains that count, the most frequent first: predictions for all images are held, so there must be a bound.
MOST_DOMAINS = 1000


def domains_of(labels: np.ndarray) -> np.ndarray:
    """Label vectors that occur in `labels` [M, K], the most frequent first: float32 [D, K]."""
    vectors, counts = np.unique(np.asarray(labels, np.float32), axis=0, return_counts=True)
    return vectors[np.argsort(-counts, kind="stable")[:MOST_DOMAINS]]


def domain_probabilities(scores: np.ndarray, domains: np.ndarray, categorical: bool = False) -> np.ndarray:
    """Probability of each domain for each image.

    Args:
      scores: probabilities of the attributes [N, K].
      domains: label vectors 0/1 [D, K].
      categorical: whether the scores are those of a softmax, and so the probabilities of their domains as they are.

    Returns:
      float32 [N, D]; rows sum to 1.
    """
    scores = np.clip(np.asarray(scores, np.float64), 1e-7, 1.0 - 1e-7)
    logits = np.log(scores) @ domains.T
    if not categorical:
        logits = logits + np.log1p(-scores) @ (1.0 - domains.T)
    likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)


def record(scores: np.ndarray, labels: np.ndarray, schema: AttributeSchema, words: str, seed: int) -> dict[str, Any]:
    """The score of images from the classifier's scores [N, K] and the label vectors of training images [M, K]."""
    domains = domains_of(labels)
    probabilities = domain_probabilities(scores, domains, schema.categorical)
    return inception_score.record(probabilities, f"{len(domains)} domains by the {words}", seed)
