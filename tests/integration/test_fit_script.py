"""The script of the README: the three stages in Keras' compile and fit, on drawn avatars."""

import csv

import numpy as np
import pytest
import tensorflow as tf

import rgunit_tf as rg
from rgunit_tf.data.avatars import draw_dataset

SMALL = {"width": 4, "residual_blocks": 1, "style_dim": 2, "mlp_width": 8}
SMALL |= {"discriminator_width": 4, "discriminator_layers": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = draw_dataset(tmp_path_factory.mktemp("avatars") / "set", 40, seed=1, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RGUNIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield rg.data.load("celeba", root=root, image_size=16)


def test_the_three_stages_in_a_script(data, tmp_path):
    translation = rg.TranslationModel(data.schema, image_size=16, **SMALL)
    translation.compile()
    seen = []
    callbacks = [
        tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs))),
        tf.keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        tf.keras.callbacks.TerminateOnNaN(),
    ]
    history = translation.fit(
        data.train.batches(10), validation_data=data.validation.batches(2, training=False), epochs=2,
        callbacks=callbacks, verbose=0,
    )  # fmt: skip
    assert int(translation.step.numpy()) == 2 * (len(data.train) // 10)
    assert {"generator_loss", "cycle", "mean_mask", "generator_gradient_norm", "learning_rate"} <= set(history.history)
    assert {"val_generator_loss", "val_kl"} <= set(history.history)
    assert len(seen) == 2 and seen[0]["cycle"] != seen[1]["cycle"]
    with open(tmp_path / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    scores = translation.evaluate(data.test.batches(4, training=False), return_dict=True, verbose=0)
    assert np.isfinite(list(scores.values())).all() and "generator_gradient_norm" not in scores

    retrieval = rg.RetrievalModel(translation, embedding_dim=8, hidden=16)
    retrieval.compile()
    history = retrieval.fit(data.train.batches(10), epochs=1, verbose=0)
    assert history.history["triplet_loss"][0] > 0

    gallery = rg.Gallery.build(retrieval, data.train)
    assert gallery.size == len(data.train) and set(gallery.ids) == set(data.train.ids)

    guided = rg.GuidedModel(translation, retrieval, gallery, neighbors=3)
    guided.compile()
    guided.fit(data.train.batches(10), epochs=1, verbose=0)
    pictures = np.stack([data.test.image(index) for index in range(2)])
    translated = guided.translate(pictures, ["Blond_Hair", "Young"], samples=3)
    assert translated.shape == (3, 2, 16, 16, 3) and translated.dtype == np.uint8
    assert (translated[0] != translated[1]).any()
    with pytest.raises(rg.UserError, match="did you mean Blond_Hair"):
        guided.translate(pictures, ["Blond_Hairr"])
