import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.outputs.translated import draw_targets, translate_test_set


def test_targets_occur_and_are_never_the_images_own():
    generator = np.random.default_rng(0)
    occurring = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]], np.float32)[generator.integers(0, 3, 50)]
    labels = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 1]], np.float32)[generator.integers(0, 3, 200)]
    targets = draw_targets(labels, occurring, seed=0)
    known = {tuple(row) for row in occurring}
    assert all(tuple(row) in known for row in targets)
    assert (targets != labels).any(axis=1).all()
    np.testing.assert_array_equal(targets, draw_targets(labels, occurring, seed=0))
    assert (targets != draw_targets(labels, occurring, seed=1)).any()


def test_frequent_domains_are_asked_for_often():
    occurring = np.repeat(np.eye(3, dtype=np.float32), (600, 300, 100), axis=0)
    targets = draw_targets(np.zeros((3000, 3), np.float32), occurring, seed=0)
    np.testing.assert_allclose(targets.mean(axis=0), [0.6, 0.3, 0.1], atol=0.03)


def test_one_domain_cannot_be_evaluated():
    with pytest.raises(UserError, match="two domains"):
        draw_targets(np.ones((2, 3)), np.ones((5, 3)), seed=0)


def test_batches_cover_the_split_in_order_whatever_their_size(fake_model, drawn):
    targets = draw_targets(drawn.test.labels, drawn.train.labels, seed=0)
    whole = list(translate_test_set(fake_model("perfect"), drawn.test, targets, batch_size=100))
    parts = list(translate_test_set(fake_model("perfect"), drawn.test, targets, batch_size=7))
    assert len(whole) == 1 and len(parts) == -(-len(drawn.test) // 7)
    for name in ("rows", "ids", "inputs", "outputs", "masks", "targets"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole[0], name))
    np.testing.assert_array_equal(whole[0].inputs, drawn.test.images())
    assert whole[0].outputs.dtype == np.uint8 and whole[0].ids.tolist() == drawn.test.ids.tolist()
