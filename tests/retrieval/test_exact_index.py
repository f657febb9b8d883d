"""Exact search against numpy in double precision."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import ExactIndex, make_index
from rgunit_tf.retrieval import index as index_module
from rgunit_tf.retrieval.index import search_without


def reference(queries, embeddings, k):
    differences = queries[:, None].astype(np.float64) - embeddings[None].astype(np.float64)
    distances = np.sqrt(np.square(differences).sum(-1))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def vectors(count, dimension=12, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 7, 50, 1000, None])
@pytest.mark.parametrize("batch", [1, 5])
def test_equals_numpy_whatever_the_block(block, batch):
    embeddings, queries = vectors(50), vectors(batch, seed=1)
    distances, rows = ExactIndex(embeddings, block=block).search(queries, 9)
    expected_distances, expected_rows = reference(queries, embeddings, 9)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)
    assert rows.dtype == tf.int32
    assert distances.shape == (batch, 9)


@pytest.mark.parametrize("block", [7, None])
def test_half_precision_is_that_of_the_stored_vectors_alone(block):
    embeddings, queries = 3.0 + vectors(50), 3.0 + vectors(5, seed=1)
    index = ExactIndex(embeddings, block, dtype="float16")
    assert index.embeddings.dtype == tf.float16
    assert index.options() == {"dtype": "float16"} | ({"block": 7} if block else {})
    distances, rows = index.search(queries, 9)
    expected_distances, expected_rows = reference(queries, embeddings.astype(np.float16), 9)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)
    with pytest.raises(UserError, match=r"exceeds 65,504"):
        ExactIndex(np.full((2, 3), 7e4), dtype="float16")


@pytest.mark.parametrize("block", [3, None])
def test_all_rows_can_be_asked_for(block):
    embeddings, queries = vectors(10), vectors(4, seed=1)
    np.testing.assert_array_equal(
        ExactIndex(embeddings, block=block).search(queries, 10)[1], reference(queries, embeddings, 10)[1]
    )


def test_of_equal_distances_the_lower_row_comes_first():
    embeddings = np.repeat(vectors(3), 4, axis=0)[[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]
    _, rows = ExactIndex(embeddings, block=5).search(embeddings[:1], 4)
    np.testing.assert_array_equal(rows, [[0, 3, 6, 9]])


def test_distances_keep_their_digits_far_from_the_origin():
    embeddings = (1000.0 + 0.01 * vectors(200)).astype(np.float32)
    queries = embeddings[:20] + np.float32(0.002)
    distances, rows = ExactIndex(embeddings, block=64).search(queries, 5)
    expected_distances, expected_rows = reference(queries, embeddings, 5)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-4)


def test_a_vector_is_at_distance_zero_from_itself():
    embeddings = vectors(30) * 100.0
    distances, rows = ExactIndex(embeddings).search(embeddings, 1)
    np.testing.assert_array_equal(rows[:, 0], np.arange(30))
    np.testing.assert_array_equal(distances[:, 0], np.zeros(30))


@pytest.mark.parametrize("kind", ["exact", "scann"])
def test_one_graph_serves_every_batch_and_k(kind):
    index = make_index(kind, vectors(40))

    @tf.function(input_signature=[tf.TensorSpec([None, 12]), tf.TensorSpec([], tf.int32)])
    def search(queries, k):
        return index.search(queries, k)

    for batch, k in [(3, 2), (0, 4), (1, 40)]:
        queries = vectors(batch, seed=2)
        distances, rows = search(queries, k)
        expected_distances, expected_rows = reference(queries, vectors(40), k)
        np.testing.assert_array_equal(rows, expected_rows)
        np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)
        assert distances.shape == (batch, k)
    for k in (0, 41):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be from 1 to 40"):
            search(vectors(2), k)


@pytest.mark.parametrize("kind", ["exact", "scann"])
def test_a_search_does_not_make_later_ones_copy_the_embeddings(kind):
    index = make_index(kind, vectors(40))
    tf.function(index.search)(vectors(3, seed=1), 4)
    first, second = index.embeddings.read_value(), index.embeddings.read_value()
    assert np.asarray(memoryview(first)).ctypes.data == np.asarray(memoryview(second)).ctypes.data


@pytest.mark.parametrize("block", [None, 7])
def test_a_search_of_known_shape_is_the_same_compiled_by_xla(block, monkeypatch):
    monkeypatch.setattr(index_module, "_VALUES", 4 * 13 * 12)  # of the two searches the second compares one by one
    found, queries = ExactIndex(vectors(50), block), vectors(4, seed=1)
    exclude = np.array([3, -1, 49, 0], np.int32)
    for k in (3, 5):

        def search(queries, k=k):
            return search_without(found, queries, k, exclude)

        expected = search(tf.constant(queries))
        distances, rows = tf.function(search, jit_compile=True)(tf.constant(queries))
        np.testing.assert_array_equal(rows, expected[1])
        np.testing.assert_allclose(distances, expected[0], rtol=1e-6)
        # As a graph for batches of any size finds it.
        anew = tf.function(search, input_signature=[tf.TensorSpec([None, 12])])(queries)
        for mine, theirs in zip(anew, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_works_in_a_tf_data_pipeline():
    index, queries = ExactIndex(vectors(20)), vectors(6, seed=1)
    found = tf.data.Dataset.from_tensor_slices(queries).batch(4).map(lambda batch: index.search(batch, 3)[1])
    np.testing.assert_array_equal(
        np.concatenate(list(found.as_numpy_iterator())), reference(queries, vectors(20), 3)[1]
    )


def test_no_gradient_flows_through_distances():
    queries = tf.Variable(vectors(2))
    with tf.GradientTape() as tape:
        distances, _ = ExactIndex(vectors(5)).search(queries, 2)
    assert tape.gradient(distances, queries) is None


@pytest.mark.parametrize("k", [0, 6, -1])
def test_a_k_out_of_range_is_the_users_mistake(k):
    with pytest.raises(UserError, match=rf"neighbors={k}: .*from 1 to 5"):
        ExactIndex(vectors(5)).search(vectors(1), k)


def test_what_cannot_be_indexed_is_refused():
    with pytest.raises(UserError, match="holds no image"):
        ExactIndex(np.zeros((0, 4)))
    broken = vectors(4)
    broken[2, 1] = np.nan
    with pytest.raises(UserError, match="row 2 is not finite"):
        ExactIndex(broken)
    with pytest.raises(ValueError, match="matrix"):
        ExactIndex(np.zeros(4))
    with pytest.raises(UserError, match="12 dimensions"):
        ExactIndex(vectors(5)).search(np.zeros((1, 3), np.float32), 1)
    with pytest.raises(UserError, match="exact, scann"):
        make_index("faiss", vectors(5))
