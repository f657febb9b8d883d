import numpy as np
import pytest

from rgunit_tf.evaluation import bootstrap


def test_interval_of_a_mean_agrees_with_the_normal_approximation():
    values = np.random.default_rng(0).normal(3.0, 2.0, 500)
    low, high = bootstrap.mean_interval(values, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)


def test_interval_of_a_ratio_resamples_both_parts_together():
    below = np.random.default_rng(0).uniform(1, 2, 200)
    low, high = bootstrap.ratio_interval(0.7 * below, below)
    assert low == pytest.approx(0.7) and high == pytest.approx(0.7)


def test_coverage_is_near_95_percent():
    generator = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        low, high = bootstrap.mean_interval(generator.exponential(size=80), seed=trial, resamples=300)
        hits += low <= 1.0 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_two_sample_interval_surrounds_the_figure_and_is_seeded():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(100, 2)), generator.normal(1.0, 1.0, size=(80, 2))

    def gap(a, b):
        return float(np.square(a.mean(0) - b.mean(0)).sum())

    low, high = bootstrap.two_sample_interval(gap, first, second, seed=3)
    assert low < gap(first, second) < high
    assert (low, high) == bootstrap.two_sample_interval(gap, first, second, seed=3)
    assert (low, high) != bootstrap.two_sample_interval(gap, first, second, seed=4)
