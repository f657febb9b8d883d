import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import frechet, tfgan_metrics


@pytest.fixture
def activations():
    generator = np.random.default_rng(0)
    return generator.normal(size=(80, 5)), generator.normal(size=(60, 5)) @ generator.normal(size=(5, 5)) + 0.3


def test_quick_distance_of_the_interval_equals_tensorflow_gans(activations):
    expected = tfgan_metrics.frechet_distance(*activations)
    assert frechet.gaussian_distance(*activations) == pytest.approx(expected, rel=1e-8)


def test_kernel_distance_of_the_interval_equals_tensorflow_gans(activations):
    expected, error = tfgan_metrics.kernel_distance(*activations)
    assert np.isnan(error) and frechet.polynomial_distance(*activations) == pytest.approx(expected, rel=1e-9)


def test_quick_distance_serves_fewer_images_than_features():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(6, 20)), generator.normal(size=(8, 20))
    assert frechet.gaussian_distance(a, b) == pytest.approx(tfgan_metrics.frechet_distance(a, b), rel=1e-5)
    assert frechet.gaussian_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_records_carry_their_names_and_references(activations):
    a, b = activations
    records = frechet.distances(a, b, "some network", 3, "floor_", "drawings")
    assert set(records) == {"floor_frechet_classifier_distance", "floor_kernel_classifier_distance"}
    record = records["floor_frechet_classifier_distance"]
    assert record["value"] == pytest.approx(tfgan_metrics.frechet_distance(a, b))
    assert record["interval"][0] < record["value"] < record["interval"][1]
    kernel = records["floor_kernel_classifier_distance"]
    assert kernel["interval"][0] < kernel["value"] < kernel["interval"][1] and "resamples" in kernel["computed_with"]
    assert "60 drawings" in record["computed_with"] and "some network" in record["computed_with"]
    assert set(frechet.distances(a, b, "Inception", 3, names=("fid", "kid"))) == {"fid", "kid"}
