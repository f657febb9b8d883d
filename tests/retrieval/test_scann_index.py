"""ScaNN against exact search."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import ExactIndex, ScannIndex, make_index, scann_index

pytest.importorskip("scann")


def clustered(count, dimension=32, clusters=60, seed=0):
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(clusters, dimension))
    generator = np.random.default_rng(seed + 1)
    noise = generator.normal(size=(count, dimension))
    return (centers[generator.integers(0, clusters, count)] + 0.5 * noise).astype(np.float32)


def recall(found, truth):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(np.array(found), np.array(truth), strict=True)])


def test_the_rule_for_parameters():
    assert scann_index.parameters_for(10_000) == scann_index.ScannParameters(0, 0, 0)
    assert scann_index.parameters_for(20_000) == scann_index.ScannParameters(99, 9, 120)
    assert scann_index.parameters_for(200_000) == scann_index.ScannParameters(313, 15, 120)
    assert scann_index.parameters_for(1_000_000) == scann_index.ScannParameters(700, 23, 200)


def test_tree_finds_nearly_all_of_the_ten_nearest():
    embeddings, queries = clustered(12_000), clustered(200, seed=5)
    index = ScannIndex(embeddings)
    assert not index.is_exact
    distances, rows = index.search(queries, 10)
    expected_distances, expected_rows = ExactIndex(embeddings).search(queries, 10)
    assert recall(rows, expected_rows) >= 0.95
    same = rows == expected_rows
    np.testing.assert_array_equal(distances[same], expected_distances[same])
    assert (np.diff(distances, axis=1) >= 0).all()


def test_small_galleries_are_searched_exactly():
    embeddings, queries = clustered(300), clustered(20, seed=5)
    index = ScannIndex(embeddings)
    assert index.is_exact
    for found, expected in zip(index.search(queries, 7), ExactIndex(embeddings).search(queries, 7), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("k", [3, 60, 400])
def test_k_rows_are_found_even_where_the_searched_leaves_hold_fewer(k):
    index = ScannIndex(clustered(400), leaves=20, leaves_to_search=1, reorder=30)
    distances, rows = tf.function(index.search)(clustered(5, seed=5), tf.constant(k))
    assert rows.shape == (5, k)
    assert np.isfinite(distances).all()
    assert all(len(set(row)) == k for row in rows.numpy())


@pytest.mark.parametrize("options", [{}, {"leaves": 10, "leaves_to_search": 3}])
def test_an_empty_batch_finds_nothing(options):
    index = ScannIndex(clustered(400), **options)
    distances, rows = tf.function(index.search)(np.zeros((0, 32), np.float32), tf.constant(4))
    assert distances.shape == rows.shape == (0, 4)


@pytest.mark.parametrize("options", [{}, {"leaves": 10, "leaves_to_search": 3}])
def test_stored_arrays_give_the_same_index_back(options):
    embeddings, queries = clustered(400), clustered(20, seed=5)
    index = ScannIndex(embeddings, **options)
    assert not any(value.dtype == object for value in index.arrays().values())
    again = ScannIndex(embeddings, arrays=index.arrays(), **index.options())
    np.testing.assert_array_equal(again.embeddings, embeddings)
    for found, expected in zip(again.search(queries, 7), index.search(queries, 7), strict=True):
        np.testing.assert_array_equal(found, expected)
    for name, value in index.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], value, err_msg=name)


def test_works_in_a_tf_data_pipeline():
    embeddings, queries = clustered(400), clustered(6, seed=5)
    index = ScannIndex(embeddings)
    found = tf.data.Dataset.from_tensor_slices(queries).batch(4).map(lambda batch: index.search(batch, 3)[1])
    np.testing.assert_array_equal(
        np.concatenate(list(found.as_numpy_iterator())), ExactIndex(embeddings).search(queries, 3)[1]
    )


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scann"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scann", None)
    with pytest.raises(UserError, match=r"pip install scann==1\.3\.0.*index=exact"):
        make_index("scann", clustered(5))


def test_searches_inside_a_gradient_tape():
    """As the guided stage does, where a tape watches all that happens in a replica, again and again."""
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    index = ScannIndex(vectors)
    scale = tf.Variable(1.0)

    @tf.function
    def step(queries):
        with tf.GradientTape(persistent=True) as tape:
            first = index.search(scale * queries, 3)[1]
            again = index.search(scale * tf.gather(index.embeddings, first[:, 0]), 3)[1]
            loss = scale * tf.reduce_sum(tf.gather(index.embeddings, again))
        return again, tape.gradient(loss, scale)

    rows, gradient = tf.distribute.OneDeviceStrategy("/cpu:0").run(step, (tf.constant(vectors[:4]),))
    assert list(rows[:, 0].numpy()) == [0, 1, 2, 3]
    assert float(gradient) == pytest.approx(float(vectors[rows.numpy()].sum()), rel=1e-4)
