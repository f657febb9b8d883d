import numpy as np
import pytest

from rgunit_tf.evaluation.metrics.precision_at_k import expected_precision, precision_at_k, rank_of, recall_at_k


def test_precision_by_hand():
    wanted = np.array([[1, 0]])
    retrieved = np.array([[[1, 0], [1, 1], [0, 0], [1, 0]]])
    np.testing.assert_allclose(precision_at_k(wanted, retrieved), [[0.75, 0.75]])


def test_precision_equals_plain_loops():
    generator = np.random.default_rng(0)
    wanted, retrieved = generator.integers(0, 2, (20, 5)), generator.integers(0, 2, (20, 10, 5))
    expected = np.zeros((20, 5))
    for query in range(20):
        for attribute in range(5):
            same = [retrieved[query, rank, attribute] == wanted[query, attribute] for rank in range(10)]
            expected[query, attribute] = sum(same) / 10
    np.testing.assert_allclose(precision_at_k(wanted, retrieved), expected)


def test_unlabelled_images_are_left_out():
    retrieved = np.array([[[1.0], [np.nan], [0.0], [np.nan]], [[np.nan]] * 4])
    precision = precision_at_k(np.array([[1], [1]]), retrieved)
    assert precision[0, 0] == 0.5 and np.isnan(precision[1, 0])


def test_random_images_give_the_expected_precision_on_average():
    generator = np.random.default_rng(1)
    wanted, labels = generator.integers(0, 2, (8, 3)), (generator.random((40, 3)) < [0.2, 0.5, 0.9]).astype(float)
    labels[5] = np.nan
    drawn = np.stack([labels[generator.permutation(40)[:10]] for _ in range(8 * 4000)])
    measured = precision_at_k(np.repeat(wanted, 4000, 0), drawn).reshape(8, 4000, 3).mean(1)
    np.testing.assert_allclose(expected_precision(wanted, labels), measured, atol=0.01)
    assert np.isnan(expected_precision(wanted, np.full((4, 3), np.nan))).all()


def test_recall_ignores_order():
    np.testing.assert_allclose(recall_at_k([[3, 1, 2], [7, 8, 9]], [[1, 2, 3], [7, 0, 1]]), [1.0, 1 / 3])


def test_rank_counts_nearer_images_in_any_block_size():
    generator = np.random.default_rng(0)
    queries, candidates, gallery = (generator.normal(size=(n, 4)) for n in (9, 9, 30))
    expected = [
        1 + sum(np.linalg.norm(g - q) < np.linalg.norm(c - q) for g in gallery)
        for q, c in zip(queries, candidates, strict=True)
    ]
    np.testing.assert_array_equal(rank_of(queries, candidates, gallery, block=4), expected)
    np.testing.assert_array_equal(rank_of(queries, queries, gallery), 1)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\[Q, k, A\]"):
        precision_at_k(np.zeros((2, 3)), np.zeros((2, 10, 4)))
    with pytest.raises(ValueError, match=r"\[Q, k\]"):
        recall_at_k(np.zeros((2, 3)), np.zeros((2, 4)))
