"""Galleries stored as float16 against those in float32."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import GuidedModel
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.serving.export import export
from rgunit_tf.serving.half_precision import half_gallery

ROWS, DIMENSION = 12_000, 24


@pytest.fixture(scope="module")
def embeddings():
    """float32 [12,000, 24] in 60 clusters."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(60, DIMENSION))
    return (centers[rng.integers(0, 60, ROWS)] + 0.3 * rng.normal(size=(ROWS, DIMENSION))).astype(np.float32)


@pytest.fixture(scope="module")
def queries(embeddings):
    rng = np.random.default_rng(1)
    return (embeddings[rng.integers(0, ROWS, 50)] + 0.1 * rng.normal(size=(50, DIMENSION))).astype(np.float32)


def recall(rows, expected):
    return np.mean([len(set(found) & set(true)) / len(true) for found, true in zip(rows, expected, strict=True)])


@pytest.mark.parametrize(("kind", "loss"), [("exact", 0.002), ("scann", 0.02)])
def test_neighbors_and_distances_are_those_of_float32(embeddings, queries, kind, loss):
    exact = Gallery.from_embeddings(embeddings, [str(row) for row in range(ROWS)])
    whole = exact if kind == "exact" else exact.with_index("scann")
    half = half_gallery(whole)
    assert half.index.kind == kind and half.embeddings.dtype == tf.float16
    largest = max(half.variables, key=lambda variable: int(tf.size(variable)) * variable.dtype.size)
    assert largest.dtype == tf.float16 and largest.shape == (ROWS, DIMENSION)
    true_rows = exact.search_rows(queries, 10)[1].numpy()
    distances, rows = (value.numpy() for value in half.search_rows(queries, 10))
    assert recall(rows, true_rows) >= recall(whole.search_rows(queries, 10)[1].numpy(), true_rows) - loss
    true = np.linalg.norm(queries[:, None] - embeddings[rows], axis=-1)
    assert np.abs(distances - true).max() <= np.linalg.norm(embeddings, axis=1).max() * 2**-11
    assert half.search_rows(queries[:0], 10)[1].shape == (0, 10)


def test_every_row_can_be_asked_for(embeddings):
    small = half_gallery(Gallery.from_embeddings(embeddings[:30], [str(row) for row in range(30)]).with_index("scann"))
    distances, rows = small.search_rows(embeddings[:2], 30)
    assert small.index.kind == "exact" and (np.sort(rows, axis=1) == np.arange(30)).all()
    assert (np.diff(distances, axis=1) >= 0).all()


def test_values_that_float16_lacks_are_refused():
    with pytest.raises(UserError, match="an embedding exceeds 65,504"):
        half_gallery(Gallery.from_embeddings(np.full((3, 2), 1e5), ["a", "b", "c"]))


def test_another_dtype_is_refused(stages, tmp_path):
    with pytest.raises(UserError, match="gallery_dtype='bfloat16' must be one of float32, float16"):
        export(stages.guided, tmp_path, gallery_dtype="bfloat16")


def test_contents_beyond_the_budget_are_half_held(stages, tmp_path):
    # 4 x 4 x 16 numbers an image: 1 KiB in float32. Where not all fit, as many as do are held, in float16 as asked for.
    model = GuidedModel(stages.translation, stages.retrieval, stages.gallery, 2, content_cache_mb=4 / 1024)
    assert (model.contents_of.count, model.contents_of.as_dtype("float16").count) == (4, 8)
    path = export(model, tmp_path, gallery_dtype="float16")
    stored = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    dtypes, shapes = stored.get_variable_to_dtype_map(), stored.get_variable_to_shape_map()
    assert [dtypes[name] for name, shape in shapes.items() if shape[1:] == [4, 4, 16]] == [tf.float16]
    assert [8, 4, 4, 16] in shapes.values()


def test_half_contents_are_those_of_the_model(stages):
    rows = tf.constant([[3, 1]])
    half = stages.guided.contents_of.as_dtype("float16")
    assert half.held.dtype == tf.float16
    np.testing.assert_allclose(half(rows), stages.guided.contents_of(rows), rtol=1e-3, atol=1e-3)


def test_the_served_model_translates_alike(exports, cc_server, images, attributes):
    whole, half = (
        cc_server.ask(name, "translate", images=images, attributes=attributes) for name in ("guided", "guided_half")
    )
    assert np.abs(whole["images"].astype(int) - half["images"]).max() <= 1
    assert np.abs(whole["masks"] - half["masks"]).max() < 2e-3
    stored = tf.train.load_checkpoint(str(exports["guided_half"] / "variables" / "variables"))
    dtypes = stored.get_variable_to_dtype_map()
    kinds = {tuple(shape): dtypes[name] for name, shape in stored.get_variable_to_shape_map().items()}
    # Contents and embeddings of the twelve images.
    assert kinds[12, 4, 4, 16] == kinds[12, 20] == tf.float16
    question = {"images": images, "attributes": attributes, "k": np.int32(12)}
    found = [cc_server.ask(name, "retrieve", **question) for name in ("guided", "guided_half")]
    assert (found[0]["ids"] == found[1]["ids"]).mean() > 0.9
    np.testing.assert_allclose(found[0]["distances"], found[1]["distances"], atol=5e-3)
