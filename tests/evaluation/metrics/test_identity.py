import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import identity


def test_nearest_is_by_cosine(monkeypatch):
    monkeypatch.setattr(identity, "BLOCK", 7)
    generator = np.random.default_rng(0)
    queries, gallery = generator.standard_normal((20, 5)), generator.standard_normal((30, 5))
    cosine = np.array([[q @ g / np.sqrt((q @ q) * (g @ g)) for g in gallery] for q in queries])
    np.testing.assert_array_equal(identity.nearest(queries, gallery), cosine.argmax(1))
    np.testing.assert_array_equal(identity.nearest(1e-3 * queries, gallery), cosine.argmax(1))


def test_copies_score_one_and_strangers_about_none():
    generator = np.random.default_rng(1)
    inputs, others = generator.standard_normal((2, 200, 16))
    copy = identity.rank1_record(3 * inputs, inputs, "network", 0)
    assert copy["value"] == 1.0 and copy["interval"] == pytest.approx([1.0, 1.0]) and copy["images"] == 200
    assert "of all 200 inputs; network" in copy["computed_with"]
    assert identity.rank1_record(others, inputs, "network", 0)["value"] < 0.05


def test_half_of_them_recognised():
    inputs = np.eye(10)
    outputs = np.where(np.arange(10)[:, None] < 5, inputs, np.roll(inputs, 1, 0))
    record = identity.rank1_record(outputs, inputs, "", 3)
    assert record["value"] == 0.5 and record["interval"][0] < 0.5 < record["interval"][1] and record["seed"] == 3


def test_features_of_zeros_are_no_error():
    assert identity.nearest(np.zeros((2, 3)), np.eye(3)).tolist() == pytest.approx([0, 0])


def test_some_translations_among_all_inputs():
    inputs = np.eye(6)
    outputs = inputs[[0, 1, 3, 3, 4, 4]]
    chosen = np.array([True, False, True, True, False, True])
    record = identity.rank1_record(outputs, inputs, "", 0, chosen)
    assert record["images"] == 4 and record["value"] == 0.5
