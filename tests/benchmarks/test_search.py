import numpy as np
import pytest

from rgunit_tf import data
from rgunit_tf.benchmarks import search
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Embeddings on disk, as an earlier benchmark of 400 left them."""
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path))
    embeddings = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    search._keep(search._kept(400), embeddings, embeddings[:130] + 0.01)
    return embeddings


def test_the_embeddings_of_a_larger_gallery_serve_a_smaller_one(kept):
    embeddings, queries, seconds = search._embeddings(300, None)
    np.testing.assert_array_equal(embeddings, kept[:300])
    assert queries.shape == (130, 8) and seconds is None


def test_records(kept):
    records = {record["name"]: record for record in search.retrieval(300, batch_size=64, repeats=2)}
    assert records["scann_recall_at_10"]["value"] == 1.0  # so few are compared one by one
    assert records["scann_recall_at_10"]["queries"] == 128
    ratio = records["scann_queries_per_s"]["value"] / records["exact_queries_per_s"]["value"]
    assert records["scann_over_exact_queries_per_s"]["value"] == pytest.approx(ratio)


def test_distinct_images_are_embedded(tmp_path, monkeypatch):
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path))
    dataset = data.load("avatars", image_size=16, num_images=20)
    model = RetrievalModel(TranslationModel(dataset.schema, 16, width=4, residual_blocks=1), embedding_dim=12)
    embeddings, queries, seconds = search._embed(model, dataset, 150)
    assert embeddings.shape == (150, 12) and queries.shape == (len(dataset.test), 12) and seconds > 0
    assert len(np.unique(embeddings, axis=0)) == 150
