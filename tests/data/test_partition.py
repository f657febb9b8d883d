import numpy as np
import pytest

from rgunit_tf.data import partition as partitions
from rgunit_tf.data.records import TEST, TRAIN, VALIDATION


@pytest.mark.parametrize("count, test, validation", [(100, 20, 16), (2, 1, 0), (1, 0, 0)])
def test_training_is_never_emptied(count, test, validation):
    partition = np.zeros(count, np.int8)
    partitions.seeded(partition, 2000, 0.2, seed=0)
    assert [(partition == part).sum() for part in (TEST, VALIDATION)] == [test, validation]
    assert (partition == TRAIN).any()


def test_only_eligible_rows_move():
    partition = np.zeros(50, np.int8)
    among = np.arange(50) < 20
    partitions.seeded(partition, 2000, 0.5, seed=3, among=among)
    assert (partition[~among] == TRAIN).all()
    assert (partition[among] == TEST).sum() == 4


def test_parts_that_exist_stay():
    partition = np.array([TRAIN] * 8 + [TEST, VALIDATION], np.int8)
    expected = partition.copy()
    partitions.seeded(partition, 4, 0.5, seed=0)
    np.testing.assert_array_equal(partition, expected)


def test_labelled_rows_are_nested():
    rows = np.arange(100, 200)
    small, large = (partitions.labelled_rows(rows, fraction, seed=5) for fraction in (0.1, 0.5))
    assert len(small) == 10
    assert len(large) == 50
    assert set(small) < set(large) < set(rows)
    assert (np.diff(large) > 0).all()
    assert set(partitions.labelled_rows(rows, 0.1, seed=6)) != set(small)
    assert len(partitions.labelled_rows(rows, 0.001, seed=0)) == 1
