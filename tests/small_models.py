"""Small models of the three stages, and a data set whose attributes can be read off the pixels."""

from __future__ import annotations

import numpy as np
import pytest

SIZE = 16
ARCHITECTURE = {
    "width": 4,
    "residual_blocks": 1,
    "style_dim": 2,
    "mlp_width": 16,
    "discriminator_width": 4,
    "discriminator_layers": 2,
    "discriminator_scales": 2,
}
TINY_RUN = {
    "data.image_size": 16,
    "model.width": 4,
    "model.residual_blocks": 1,
    "model.style_dim": 2,
    "model.mlp_width": 8,
    "model.discriminator_width": 4,
    "model.discriminator_layers": 2,
    "retrieval.embedding_dim": 8,
    "retrieval.hidden": 16,
    "retrieval.content_channels": 4,
}
"""Settings of runs that commands make."""
RETRIEVAL = {"embedding_dim": 8, "hidden": 16, "content_channels": 4}


def pictures(count: int, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [count, 16, 16, 3]: the upper half is coloured by the first attributes, the lower half is the person's."""
    images = np.zeros((count, SIZE, SIZE, 3))
    for index, label in enumerate(labels):
        random = np.random.default_rng([seed, index])
        images[index] = np.repeat(np.repeat(random.integers(60, 200, (4, 4, 3)), 4, 0), 4, 1)
        images[index, : SIZE // 2] = 20 + 200 * label[:3] + 10 * random.normal(size=(SIZE // 2, SIZE, 3))
    return np.clip(images, 0, 255).astype(np.uint8)


def label_vectors(count: int, seed: int = 0) -> np.ndarray:
    """float32 [count, 5]: one hair colour or none, and two free attributes."""
    random = np.random.default_rng(seed)
    hair = np.eye(4, dtype=np.float32)[np.arange(count) % 4][:, :3]
    return np.concatenate([hair, random.integers(0, 2, (count, 2))], 1).astype(np.float32)


@pytest.fixture(scope="session")
def make_batch():
    """Makes a training batch of `count` images, their names starting with `prefix`."""
    import tensorflow as tf

    def make(count: int = 4, seed: int = 0, prefix: str = ""):
        labels = label_vectors(count, seed)
        return {
            "image": tf.cast(pictures(count, labels, seed), tf.float32) / 127.5 - 1.0,
            "label": tf.constant(labels),
            "target": tf.constant(np.roll(labels, 1, axis=0)),
            "id": tf.constant([f"{prefix}{index}" for index in range(count)]),
        }

    return make


@pytest.fixture(scope="session")
def make_translation(schema):
    """Makes a compiled translation model whose mask is on from the start, from a fixed seed."""
    import tensorflow as tf

    from rgunit_tf.stages.translation import TranslationModel

    def make(optimizer=None, loss=None, **architecture):
        tf.keras.utils.set_random_seed(0)
        model = TranslationModel(schema, SIZE, **{**ARCHITECTURE, **architecture})
        model.compile(
            {"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0, **(optimizer or {})},
            {"mask_warmup": 0, "kl_warmup": 0, **(loss or {})},
        )
        return model

    return make


@pytest.fixture(scope="session")
def translation(make_translation):
    """An untrained translation model; tests leave its weights as they are."""
    return make_translation()


@pytest.fixture(scope="session")
def retrieval(translation):
    """An untrained retrieval model over `translation`."""
    import tensorflow as tf

    from rgunit_tf.stages.retrieval import RetrievalModel

    tf.keras.utils.set_random_seed(1)
    model = RetrievalModel(translation, **RETRIEVAL)
    model.compile({"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0})
    return model


@pytest.fixture(scope="session")
def gallery(retrieval, make_batch):
    """Twelve images; `make_batch(4)` has the ids of the first four of them."""
    from rgunit_tf.retrieval import Gallery

    batch = make_batch(12)
    return Gallery.build(retrieval, [{name: batch[name] for name in ("image", "id")}])


def step_noise(step: int = 0, batch: int = 4):
    """The noise of a training step."""
    import tensorflow as tf

    from rgunit_tf.stages.noise import StepNoise

    return StepNoise(0, tf.constant(step, tf.int64), tf.constant(batch))


def let_neighbours_in(model):
    """Moves what starts without the neighbours, so that they matter."""
    import tensorflow as tf

    if model.guidance["fusion"] == "attention":
        model.fusion.projection.kernel.assign_add(tf.fill(model.fusion.projection.kernel.shape, 0.1))
    else:
        kernel = model.fusion.outer.kernel
        kernel.assign_add(tf.concat([tf.zeros((1, 1, 16, 16)), tf.fill((1, 1, 16, 16), 0.1)], 2))
