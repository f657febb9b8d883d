import logging

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import classifier_networks, classifier_training
from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.mark.parametrize(
    ("asked", "size", "chosen"),
    [("auto", 64, "small"), ("auto", 128, "resnet50"), ("small", 256, "small"), ("resnet50", 32, "resnet50")],
)
def test_auto_goes_by_the_size_of_the_images(asked, size, chosen):
    assert classifier_networks.choose(asked, size) == chosen


@pytest.fixture(scope="module")
def resnet():
    return classifier_networks.resnet50(3, 32, seed=1)


@pytest.fixture(scope="module")
def keras():
    """Keras' own, with random weights."""
    return tf.keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg")


def test_resnet50_is_keras_with_another_last_layer(resnet, keras):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    logits, features = resnet(images)
    assert logits.shape == (2, 3) and features.shape == (2, 2048)
    for layer in keras.layers:
        layer.set_weights(resnet.get_layer(layer.name).get_weights() if layer.weights else [])
    scaled = tf.keras.applications.resnet50.preprocess_input((images + 1.0) * 127.5)
    np.testing.assert_allclose(features, keras(scaled), rtol=1e-3, atol=1e-4)


def test_imagenet_weights_are_put_under_the_last_layer(resnet, keras, tmp_path):
    for name in ("conv3_block2_1_conv", "conv5_block3_3_conv"):
        kernel = keras.get_layer(name).kernel
        kernel.assign(kernel + 1.0)
    path = tmp_path / "keras/models" / classifier_networks.RESNET_FILE
    path.parent.mkdir(parents=True)
    keras.save_weights(path)
    assert classifier_networks.cached_resnet50() == path
    recipe = classifier_training.recipe_of("auto", 128)
    assert recipe["imagenet"] == str(path) and recipe["learning_rate"] < 1e-3
    head = resnet.get_layer("logits").kernel.numpy()
    classifier_networks.load_imagenet(resnet, recipe["imagenet"])
    kernels = [network.get_layer("conv3_block2_1_conv").kernel.numpy() for network in (resnet, keras)]
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_array_equal(resnet.get_layer("logits").kernel.numpy(), head)


def test_other_weights_are_refused(resnet, tmp_path):
    tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]).save_weights(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no weights")
    for name in ("other.h5", "text.h5", "absent.h5"):
        with pytest.raises(UserError, match=rf"{name}: no weights of keras.applications.ResNet50"):
            classifier_networks.load_imagenet(resnet, tmp_path / name)


def test_random_weights_are_said_to_be(caplog):
    with caplog.at_level(logging.INFO, logger="absl"):
        recipe = classifier_training.recipe_of("resnet50", 32)
    assert recipe["imagenet"] is None and recipe["architecture"] == "resnet50"
    assert "random weights" in caplog.text
    assert classifier_training.recipe_of("small", 128) == {}


def test_a_resnet50_judge_is_kept_like_the_small_one(drawn, tmp_path):
    schema = drawn.schema
    first = AttributeClassifier(schema, 32, seed=2, info={"recipe": {"imagenet": None}}, architecture="resnet50")
    assert first.name == "attribute classifier (ResNet-50 from random weights, 32 px, 2048 features)"
    first.save(tmp_path)
    again = AttributeClassifier.load(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(again(images)[0], first(images)[0], atol=1e-5)
    assert again.architecture == "resnet50" and again.name == first.name
    assert [layer.shape[1] for layer in again.layer_features(images / np.float32(127.5) - 1)] == [16, 8, 4, 2, 1]
