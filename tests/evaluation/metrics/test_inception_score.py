import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import inception_score


def by_formula(probabilities):
    marginal = np.mean(probabilities, axis=0)
    divergences = [sum(p * np.log(p / m) for p, m in zip(row, marginal, strict=True) if p > 0) for row in probabilities]
    return np.exp(np.mean(divergences))


@pytest.fixture
def probabilities():
    raw = np.random.default_rng(0).gamma(0.2, size=(60, 7))
    return raw / raw.sum(axis=1, keepdims=True)


def test_score_equals_its_formula(probabilities):
    assert inception_score.score(probabilities) == pytest.approx(by_formula(probabilities), rel=1e-9)


def test_score_is_the_number_of_classes_for_sure_and_even_predictions():
    assert inception_score.score(np.eye(5)[np.arange(20) % 5]) == pytest.approx(5.0)
    assert inception_score.score(np.full((20, 5), 0.2)) == pytest.approx(1.0)
    assert inception_score.score(np.eye(5)[np.zeros(20, int)]) == pytest.approx(1.0), "sure, but always of one class"


def test_record_has_mean_and_deviation_of_the_splits(probabilities):
    record = inception_score.record(probabilities, "a network", seed=3, splits=6)
    shuffled = np.random.default_rng(3).permutation(probabilities)
    scores = [by_formula(part) for part in np.array_split(shuffled, 6)]
    assert record["value"] == pytest.approx(np.mean(scores)) and record["deviation"] == pytest.approx(np.std(scores))
    assert record["splits"] == 6 and record["images"] == 60 and "a network" in record["computed_with"]
    assert record["interval"][0] < record["value"] < record["interval"][1]


def test_order_of_the_images_does_not_matter_much():
    # All images of one class in a row: a split that held one class alone would score 1.
    record = inception_score.record(np.eye(4)[np.arange(400) // 100], "sorted", seed=0)
    assert record["value"] > 3.7


def test_resampled_scores_equal_the_score_of_repeated_images(probabilities):
    counts = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60))
    weighted = inception_score._weighted(probabilities, counts[None] / 60)
    assert weighted[0] == pytest.approx(by_formula(np.repeat(probabilities, counts, axis=0)), rel=1e-9)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"\[N, C\]"):
        inception_score.score(np.zeros((0, 3)))
