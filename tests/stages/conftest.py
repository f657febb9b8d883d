"""Guided models, which several files try."""

import pytest
import tensorflow as tf

from rgunit_tf.stages.guided import GuidedModel


@pytest.fixture(scope="module")
def make_guided(translation, retrieval, gallery):
    def make(neighbors=2, optimizer=None, loss=None, gallery=gallery, compile=True, jit_compile=False, **arguments):
        tf.keras.utils.set_random_seed(2)
        model = GuidedModel(translation, retrieval, gallery if neighbors else None, neighbors, **arguments)
        if compile:
            model.compile(
                {"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0, **(optimizer or {})},
                {"mask_warmup": 0, "kl_warmup": 0, **(loss or {})},
                jit_compile=jit_compile,
            )
        return model

    return make


@pytest.fixture(scope="module")
def guided(make_guided):
    """An untrained guided model; tests leave its weights as they are."""
    return make_guided()
