"""Rare domains are repeated, evenly, and targets are as balanced as the images."""

import numpy as np
import pytest

import rgunit_tf
from rgunit_tf.data.balance import balanced, balanced_indices

LABELS = np.array([[0, 0]] * 7 + [[1, 0]] * 3 + [[1, 1]] * 1, np.float32)


def test_every_domain_comes_as_often_and_each_of_its_images_evenly():
    indices = balanced_indices(LABELS)
    assert len(indices) == 3 * 7
    domains, counts = np.unique(LABELS[indices], axis=0, return_counts=True)
    assert len(domains) == 3 and counts.tolist() == [7, 7, 7]
    often = np.bincount(indices, minlength=11)
    assert often.tolist() == [1] * 7 + [3, 2, 2] + [7]


def test_what_is_balanced_stays_as_it_is():
    labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert balanced_indices(labels).tolist() == [0, 1, 2, 3]


def test_a_stream_of_the_balanced_split_has_balanced_images_and_targets(celeba):
    celeba.values[:, 3] = np.where(np.arange(len(celeba.names)) % 5 == 0, 1, -1)
    celeba.write()
    split = rgunit_tf.data.load(
        "celeba", root=celeba.root, image_size=16, attributes=("Male",), groups=(), crop=0, test_images=4
    ).train
    assert 0.1 < split.labels.mean() < 0.3
    batches = list(balanced(split).stream(8, 0).take(60))
    for which in ("label", "target"):
        share = np.mean([batch[which].numpy() for batch in batches])
        assert share == pytest.approx(0.5, abs=0.02), which
