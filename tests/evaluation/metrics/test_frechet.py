import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import distances, frechet


@pytest.fixture
def activations():
    generator = np.random.default_rng(0)
    return generator.normal(size=(80, 5)), generator.normal(size=(60, 5)) @ generator.normal(size=(5, 5)) + 0.3


def test_records_carry_their_names_and_references(activations):
    a, b = activations
    records = frechet.distances(a, b, "some network", 3, "floor_", "drawings")
    assert set(records) == {"floor_frechet_classifier_distance", "floor_kernel_classifier_distance"}
    record = records["floor_frechet_classifier_distance"]
    assert record["value"] == pytest.approx(distances.frechet_distance(a, b))
    assert record["interval"][0] < record["value"] < record["interval"][1]
    kernel = records["floor_kernel_classifier_distance"]
    assert kernel["interval"][0] < kernel["value"] < kernel["interval"][1] and "resamples" in kernel["computed_with"]
    assert "60 drawings" in record["computed_with"] and "some network" in record["computed_with"]
    assert set(frechet.distances(a, b, "Inception", 3, names=("fid", "kid"))) == {"fid", "kid"}
