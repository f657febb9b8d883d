import itertools

import numpy as np
import pytest

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.evaluation.metrics import classifier_score


def test_domains_are_the_label_vectors_that_occur_most_frequent_first():
    labels = np.array([[0, 1], [1, 1], [0, 1], [0, 0], [1, 1], [0, 1]])
    np.testing.assert_array_equal(classifier_score.domains_of(labels), [[0, 1], [1, 1], [0, 0]])


def test_probability_of_a_domain_is_the_product_of_its_attributes():
    scores = np.random.default_rng(0).random((4, 3))
    domains = np.array(list(itertools.product((0, 1), repeat=3)))
    expected = np.prod(np.where(domains[None] == 1, scores[:, None], 1 - scores[:, None]), axis=2)
    found = classifier_score.domain_probabilities(scores, domains)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    some = classifier_score.domain_probabilities(scores, domains[[1, 6]])
    np.testing.assert_allclose(some, expected[:, [1, 6]] / expected[:, [1, 6]].sum(1, keepdims=True), rtol=1e-5)


def test_softmax_scores_are_the_probabilities_of_their_domains():
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    found = classifier_score.domain_probabilities(scores, np.eye(3), categorical=True)
    np.testing.assert_allclose(found, scores, rtol=1e-5)


def test_score_counts_the_domains_that_images_show_surely():
    schema = AttributeSchema(("a", "b"))
    labels = np.array(list(itertools.product((0, 1), repeat=2)) * 500, np.float32)
    sure = classifier_score.record(labels, labels, schema, "judge", 0)
    assert sure["value"] == pytest.approx(4.0, rel=0.05) and "4 domains by the judge" in sure["computed_with"]
    assert classifier_score.record(np.full_like(labels, 0.5), labels, schema, "judge", 0)["value"] == pytest.approx(1.0)
    assert classifier_score.record(labels * 0 + 1, labels, schema, "judge", 0)["value"] == pytest.approx(1.0)
