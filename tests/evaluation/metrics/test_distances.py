import numpy as np
import pytest
import scipy.linalg

from rgunit_tf.evaluation.metrics import distances


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
    assert distances.frechet_distance(a, b) == pytest.approx(frechet_by_scipy(a, b), rel=1e-6)


def test_kernel_distance_equals_the_unbiased_estimator(activations):
    a, b = activations
    value, _ = distances.kernel_distance(a, b)
    assert value == pytest.approx(kernel_by_numpy(a, b), rel=1e-9)


def test_kernel_distance_over_blocks_is_their_mean(activations):
    a, b = activations
    a, b = a[:200], b[:200]
    parts = [kernel_by_numpy(a[i : i + 50], b[i : i + 50]) for i in range(0, 200, 50)]
    value, error = distances.kernel_distance(a, b, block_size=50)
    assert value == pytest.approx(np.mean(parts), rel=1e-9)
    assert error == pytest.approx(np.std(parts, ddof=1) / 2, rel=1e-6)


def test_distance_of_a_set_to_itself_is_about_zero(activations):
    a, _ = activations
    assert abs(distances.frechet_distance(a, a)) < 1e-6


def test_distances_grow_with_noise(activations):
    a, _ = activations
    noise = np.random.default_rng(1).normal(size=a.shape)
    for distance in (distances.frechet_distance, lambda x, y: distances.kernel_distance(x, y)[0]):
        values = [distance(a, a + level * noise) for level in (0.2, 0.5, 1.0, 2.0)]
        assert values == sorted(values) and values[-1] > values[0]


def test_distances_equal_those_of_tensorflow_gan(activations):
    from tests.references import tfgan

    a, b = activations
    assert distances.frechet_distance(a, b) == pytest.approx(tfgan.frechet_distance(a, b), rel=1e-8)
    for size in (1000, 50, 70):
        assert distances.kernel_distance(a, b, size) == pytest.approx(
            tfgan.kernel_distance(a, b, size), rel=1e-8, nan_ok=True
        )


def test_a_few_images_against_many_are_few_blocks(activations):
    a, b = activations
    value, error = distances.kernel_distance(a[:5], b, block_size=20)
    first, second = distances.kernel_distance(a[:2], b[:100])[0], distances.kernel_distance(a[2:5], b[100:])[0]
    assert value == pytest.approx((first + second) / 2) and error == pytest.approx(abs(first - second) / 2)
    assert distances.kernel_distance_of_one_block(a, b) == distances.kernel_distance(a, b)[0]


def test_frechet_distance_serves_fewer_images_than_features():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(6, 20)), generator.normal(size=(8, 20))
    assert distances.frechet_distance(a, b) == pytest.approx(frechet_by_scipy(a, b), rel=1e-5)
    assert distances.frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\[N, F\]"):
        distances.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="at least 2"):
        distances.kernel_distance(np.zeros((1, 3)), np.zeros((5, 3)))
