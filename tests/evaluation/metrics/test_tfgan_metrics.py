import numpy as np
import pytest
import scipy.linalg

from rgunit_tf.evaluation.metrics import tfgan_metrics


@pytest.fixture
def activations():
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(6, 6))
    return generator.normal(size=(300, 6)), generator.normal(size=(200, 6)) @ mixing + 0.5


def frechet_by_scipy(a, b):
    product = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    covariances = np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * product
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(covariances)


def kernel_by_numpy(a, b):
    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def unbiased(x):
        gram = kernel(x, x)
        return (gram.sum() - np.trace(gram)) / (len(x) * (len(x) - 1))

    return unbiased(a) + unbiased(b) - 2 * kernel(a, b).mean()


def test_frechet_distance_equals_scipys_formula(activations):
    a, b = activations
    assert tfgan_metrics.frechet_distance(a, b) == pytest.approx(frechet_by_scipy(a, b), rel=1e-6)


def test_kernel_distance_equals_the_unbiased_estimator(activations):
    a, b = activations
    value, _ = tfgan_metrics.kernel_distance(a, b)
    assert value == pytest.approx(kernel_by_numpy(a, b), rel=1e-9)


def test_kernel_distance_over_blocks_is_their_mean(activations):
    a, b = activations
    a, b = a[:200], b[:200]
    parts = [kernel_by_numpy(a[i : i + 50], b[i : i + 50]) for i in range(0, 200, 50)]
    value, error = tfgan_metrics.kernel_distance(a, b, block_size=50)
    assert value == pytest.approx(np.mean(parts), rel=1e-9)
    assert error == pytest.approx(np.std(parts, ddof=1) / 2, rel=1e-6)


def test_distance_of_a_set_to_itself_is_about_zero(activations):
    a, _ = activations
    assert abs(tfgan_metrics.frechet_distance(a, a)) < 1e-6


def test_distances_grow_with_noise(activations):
    a, _ = activations
    noise = np.random.default_rng(1).normal(size=a.shape)
    for distance in (tfgan_metrics.frechet_distance, lambda x, y: tfgan_metrics.kernel_distance(x, y)[0]):
        values = [distance(a, a + level * noise) for level in (0.2, 0.5, 1.0, 2.0)]
        assert values == sorted(values) and values[-1] > values[0]


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\[N, F\]"):
        tfgan_metrics.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="at least 2"):
        tfgan_metrics.kernel_distance(np.zeros((1, 3)), np.zeros((5, 3)))
