"""How a translation model is used: made again from its config, translating, predicting labels, refusing."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.stages.translation import TranslationModel


def test_config_makes_the_model_again(make_translation):
    model = make_translation(residual_blocks=2)
    model.step.assign(10)
    again = TranslationModel.from_config(model.get_config())
    assert again.schema == model.schema and again.architecture == model.architecture
    assert float(again.mask_strength) == 1.0
    assert [v.shape for v in again.trainable_variables] == [v.shape for v in model.trainable_variables]
    assert TranslationModel.from_config(again.get_config()).get_config() == again.get_config()


def test_translate_takes_names_or_label_vectors(translation, make_batch):
    batch = make_batch()
    images = tf.cast(tf.round((batch["image"] + 1.0) * 127.5), tf.uint8).numpy()
    labels = np.stack([translation.schema.apply(v, ["Blond_Hair"]) for v in translation.predict_labels(batch["image"])])
    named = translation.translate(images, ["Blond_Hair"], samples=2)
    assert named.shape == (2, 4, 16, 16, 3) and named.dtype == np.uint8
    assert (named[0] != named[1]).any()
    np.testing.assert_array_equal(named, translation.translate(images, labels, samples=2))
    np.testing.assert_array_equal(named[:1], translation.translate(images, labels, samples=1))
    mean = translation.translate_with_style(batch["image"], translation.prior.mean(labels))
    np.testing.assert_allclose(translation.translate(images, labels)[0], (mean[0] + 1.0) * 127.5, atol=0.51)
    assert (named != translation.translate(images, ["Blond_Hair"], samples=2, seed=1)).any()
    assert (named != translation.translate(images, ["Black_Hair"], samples=2)).any()


@pytest.mark.parametrize(
    ("images", "attributes", "message"),
    [
        (np.zeros((1, 16, 16, 3), np.float32), ["Young"], "expected uint8"),
        (np.zeros((1, 8, 8, 3), np.uint8), ["Young"], r"expected uint8 \[B, 16, 16, 3\]"),
        (np.zeros((16, 16, 3), np.uint8), ["Young"], "expected uint8"),
        (np.zeros((1, 16, 16, 3), np.uint8), ["Yuong"], "did you mean Young"),
        (np.zeros((1, 16, 16, 3), np.uint8), np.ones((1, 5)), "at most one"),
        (np.zeros((1, 16, 16, 3), np.uint8), np.ones((1, 4)), "expected"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.zeros((3, 5)), "3 rows for 2 images"),
    ],
)
def test_translate_refuses_what_it_cannot_use(translation, images, attributes, message):
    with pytest.raises(UserError, match=message):
        translation.translate(images, attributes)


def test_predicted_labels_hold_one_of_a_group(translation):
    class Styles:
        def __init__(self, scores):
            self.scores = tf.repeat(tf.constant(scores), 2, -1)

        def __call__(self, images):
            return self.scores, tf.zeros_like(self.scores)

    encoder = translation.style_encoder
    try:
        object.__setattr__(
            translation, "style_encoder", Styles([[0.5, 0.9, -1.0, 0.1, -0.1], [-1.0, -0.2, -0.5, -1, 1]])
        )
        labels = translation.predict_labels(tf.zeros((2, 16, 16, 3)))
    finally:
        object.__setattr__(translation, "style_encoder", encoder)
    np.testing.assert_array_equal(labels, [[0, 1, 0, 1, 0], [0, 0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 18}, "image_size=18 must be a multiple of 4"),
        ({"widht": 4}, "did you mean model.width"),
        ({"width": 0}, "must be at least 1"),
    ],
)
def test_settings_that_cannot_be(schema, arguments, message):
    with pytest.raises(UserError, match=message):
        TranslationModel(schema, **{"image_size": 16, **arguments})


def test_compile_refuses_unknown_settings(make_translation):
    with pytest.raises(UserError, match=r"translation\.step: no such setting"):
        make_translation(optimizer={"step": 3})
    with pytest.raises(UserError, match=r"loss\.cicle: no such setting; did you mean loss\.cycle"):
        make_translation(loss={"cicle": 3.0})
