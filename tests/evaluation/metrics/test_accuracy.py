import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import accuracy

WANTED = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], np.float32)
DECIDED = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]], np.float32)


def test_accuracy_and_exact_match_by_hand():
    np.testing.assert_allclose(accuracy.attribute_accuracy(DECIDED, WANTED), [0.5, 0.75, 1.0])
    assert accuracy.exact_match(DECIDED, WANTED) == 0.25


def test_f1_by_hand_and_undefined_where_the_attribute_never_occurs():
    f1 = accuracy.attribute_f1(DECIDED, WANTED)
    np.testing.assert_allclose(f1[:2], [2 * 1 / (2 * 1 + 1 + 1), 2 * 2 / (2 * 2 + 1)])
    assert np.isnan(f1[2])
    assert accuracy.mean_of_defined(f1) == pytest.approx((0.5 + 0.8) / 2)


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    generator = np.random.default_rng(0)
    wanted, decided = generator.integers(0, 2, (2, 200, 4))
    precision = (wanted & decided).sum(0) / decided.sum(0)
    recall = (wanted & decided).sum(0) / wanted.sum(0)
    np.testing.assert_allclose(accuracy.attribute_f1(decided, wanted), 2 / (1 / precision + 1 / recall))


def test_copying_the_input_scores_zero_where_something_had_to_change():
    before = 1 - WANTED
    np.testing.assert_allclose(accuracy.changed_accuracy(before, WANTED, before), 0.0)
    np.testing.assert_allclose(accuracy.changed_accuracy(WANTED, WANTED, before), 1.0)
    before = WANTED.copy()
    before[0, 0] = 0
    values = accuracy.changed_accuracy(DECIDED, WANTED, before)
    assert values[0] == 1.0 and np.isnan(values[1:]).all()
    kept = accuracy.kept_accuracy(DECIDED, WANTED, before)
    np.testing.assert_allclose(kept, [(DECIDED == WANTED)[1:, 0].mean(), *(DECIDED == WANTED)[:, 1:].mean(0)])
    assert np.isnan(accuracy.kept_accuracy(DECIDED, WANTED, 1 - WANTED)).all()


def test_summary_is_json_ready():
    summary = accuracy.summary(DECIDED, WANTED, ("a", "b", "c"))
    assert summary["accuracy"] == {"a": 0.5, "b": 0.75, "c": 1.0}
    assert summary["accuracy_mean"] == 0.75 and summary["f1"]["c"] is None


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\[N, K\]"):
        accuracy.attribute_accuracy(DECIDED, WANTED[:2])
