import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import bootstrap


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


def test_interval_of_several_ratios_is_that_of_their_mean():
    generator = np.random.default_rng(0)
    below = generator.integers(0, 2, (300, 3)).astype(float)
    above = below * generator.integers(0, 2, (300, 3))
    means = []
    for _ in range(2000):
        rows = generator.integers(300, size=300)
        means.append((above[rows].sum(0) / below[rows].sum(0)).mean())
    assert bootstrap.ratio_interval(above, below, resamples=2000) == pytest.approx(
        np.quantile(means, (0.025, 0.975)), abs=0.01
    )
    below[:, 1] = above[:, 1] = 0
    columns = [0, 2]
    without = bootstrap.ratio_interval(above[:, columns], below[:, columns])
    assert bootstrap.ratio_interval(above, below) == pytest.approx(without, rel=1e-12)
    assert np.isnan(bootstrap.ratio_interval(above[:, 1], below[:, 1])).all()


def test_interval_of_a_statistic_lies_around_the_figure():
    values = np.random.default_rng(0).normal(3.0, 2.0, 500)
    low, high = bootstrap.statistic_interval(lambda weights: np.square(weights @ values), 20.0, 500, resamples=2000)
    half = 1.96 * 2 * 3.0 * values.std() / np.sqrt(500)
    assert (low, high) == (pytest.approx(20.0 - half, abs=0.15), pytest.approx(20.0 + half, abs=0.15))


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
