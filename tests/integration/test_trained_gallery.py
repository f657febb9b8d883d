"""ScaNN's tree on embeddings that a trained retrieval model gives, which lie otherwise than random vectors."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.retrieval import Gallery, make_index
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

SIZE, BATCH = 16, 16


def faces(count, seed):
    """uint8 [count, 16, 16, 3] and labels float32 [count, 5]: hair colour above, the person below."""
    random = np.random.default_rng(seed)
    hair = np.eye(4, dtype=np.float32)[random.integers(0, 4, count)][:, :3]
    labels = np.concatenate([hair, random.integers(0, 2, (count, 2))], 1).astype(np.float32)
    images = np.repeat(np.repeat(random.integers(60, 200, (count, 4, 4, 3)), 4, 1), 4, 2).astype(np.float64)
    images[:, : SIZE // 2] = 20 + 200 * hair[:, None, None] + 10 * random.normal(size=(count, SIZE // 2, SIZE, 3))
    return np.clip(images, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def retrieval(schema):
    """Trained on 150 batches."""
    tf.keras.utils.set_random_seed(0)
    small = {"width": 4, "residual_blocks": 1, "style_dim": 2, "mlp_width": 16}
    translation = TranslationModel(schema, SIZE, **small, discriminator_width=4, discriminator_layers=2)
    model = RetrievalModel(translation, embedding_dim=64, hidden=32, content_channels=8)
    steps = 150
    model.compile({"steps": steps, "learning_rate": 2e-3, "learning_rate_warmup": 0})
    images, labels = faces(steps * BATCH, seed=1)
    batches = tf.data.Dataset.from_tensor_slices(
        {
            "image": images.astype(np.float32) / 127.5 - 1.0,
            "label": labels,
            "target": np.roll(labels, 1, axis=0),
            "id": [str(row) for row in range(len(images))],
        }
    ).batch(BATCH)
    history = model.fit(batches.repeat(), steps_per_epoch=50, epochs=steps // 50, verbose=0).history["triplet_loss"]
    assert history[-1] < 0.7 * history[0]
    return model


def test_the_tree_finds_nearly_all_neighbours_on_a_trained_gallery(retrieval):
    images, _ = faces(12_000, seed=2)
    batches = (
        {"image": images[i : i + 500], "id": tf.constant([str(j) for j in range(i, i + 500)])}
        for i in range(0, 12_000, 500)
    )
    gallery = Gallery.build(retrieval, batches, index="scann", keep_images=False)
    assert not gallery.index.is_exact
    asked, labels = faces(300, seed=3)
    noise = np.random.default_rng(4).normal(size=(300, retrieval.translation.prior.style_dim)).astype(np.float32)
    styles = retrieval.translation.prior.sample(np.roll(labels, 1, axis=0), noise)
    queries = retrieval.embed_query(asked.astype(np.float32) / 127.5 - 1.0, styles)
    found = gallery.index.search(queries, 10)[1].numpy()
    exact = make_index("exact", gallery.embeddings.numpy()).search(queries, 10)[1].numpy()
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)])
    assert recall >= 0.95, recall
