"""Inception-v3 itself cannot be had in a test: its weights are a download. A small SavedModel with the same interface
and Keras' architecture with random weights stand in for it."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge.imagenet import ImageNetJudge, Views
from rgunit_tf.evaluation.translation import evaluate_translation
from rgunit_tf.pretrained import inception
from rgunit_tf.pretrained.inception import Inception

FEATURES = 6


class StandIn(tf.Module):
    """Interface of TF-GAN's SavedModel: images [B, 299, 299, 3] in [-1, 1] -> {"pool_3", "logits"}."""

    def __init__(self, features=inception.FEATURES, classes=1008):
        generator = np.random.default_rng(0)
        self.kernel = tf.Variable(generator.normal(size=(3 * 4, features)).astype(np.float32))
        self.top = tf.Variable(generator.normal(size=(features, classes)).astype(np.float32) * 0.1)

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, images):
        coarse = tf.reshape(tf.image.resize(images, (2, 2), "area"), (-1, 12))
        features = coarse @ self.kernel
        return {"pool_3": features, "logits": features @ self.top}


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)


def test_resizing_is_pillows_bicubic_on_floats(images):
    # Pillow's is what clean-fid recommends; each channel as floats, so that nothing is rounded.
    large = np.random.default_rng(2).integers(0, 256, (1, 450, 450, 3), dtype=np.uint8)
    for picture in (images[0], large[0]):
        channels = [
            np.asarray(Image.fromarray(picture[..., channel].astype(np.float32)).resize((299, 299), Image.BICUBIC))
            for channel in range(3)
        ]
        found = (inception.resized(picture[None]).numpy()[0] + 1) * 127.5
        np.testing.assert_allclose(found, np.stack(channels, -1), atol=0.01)


def test_a_saved_model_is_run_on_all_images(images, tmp_path):
    module = StandIn()
    tf.saved_model.save(module, str(tmp_path / "stand_in"))
    network = inception.load(str(tmp_path / "stand_in"))
    features, probabilities = network(images)
    outputs = module(inception.resized(images))
    np.testing.assert_allclose(features, outputs["pool_3"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(outputs["logits"]), rtol=1e-4)
    assert "stand_in" in network.name and "sha256" in network.name and "bicubic" in network.name
    one_by_one = Inception(network._network, "", batch_size=1)
    np.testing.assert_allclose(one_by_one(images)[0], features, rtol=1e-5, atol=1e-5)


def test_other_saved_models_are_refused(tmp_path):
    tf.saved_model.save(StandIn(features=64), str(tmp_path / "narrow"))
    with pytest.raises(UserError, match="64 features; Inception-v3 has 2048"):
        inception.load(str(tmp_path / "narrow"))
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    with pytest.raises(UserError, match="no outputs pool_3 and logits"):
        inception.load(str(tmp_path / "empty"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="folder: no SavedModel"):
        inception.load(str(tmp_path / "folder"))


def test_nothing_is_loaded_unless_it_is_there_or_named(tmp_path, monkeypatch):
    monkeypatch.setattr(inception, "_downloaded", lambda: pytest.fail("downloads"))
    assert inception.load("none") is None and inception.load("auto") is None
    with pytest.raises(UserError, match="no such file or folder"):
        inception.load(str(tmp_path / "absent"))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(UserError, match=r"text\.h5: no weights of keras.applications.InceptionV3"):
        inception.load(str(tmp_path / "text.h5"))


def test_keras_weights_on_disk_are_found(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(inception, "_from_weights", lambda path: loaded.append(path.name))
    folder = tmp_path / "keras/models"
    folder.mkdir(parents=True)
    for name in reversed(inception.KERAS_FILES):
        (folder / name).touch()
        inception.load("auto")
        inception.load("keras")
    without, whole = inception.KERAS_FILES[1], inception.KERAS_FILES[0]
    assert loaded == [without, without, whole, whole], "the file with the classes is preferred"


def test_a_failed_download_is_told_in_one_line(monkeypatch):
    def fail(**arguments):
        raise OSError("no route to host")

    monkeypatch.setattr(tf.keras.applications, "InceptionV3", fail)
    with pytest.raises(UserError, match=r"cannot be downloaded \(no route to host\); give a local path"):
        inception.load("keras")


@pytest.mark.parametrize("top", [False, True])
def test_keras_architecture_reads_its_weights_file(images, tmp_path, top):
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.applications.InceptionV3(weights=None, include_top=top, pooling="avg")
    model.save_weights(tmp_path / "random.h5")
    network = inception.load(str(tmp_path / "random.h5"))
    features, probabilities = network(images[:1])
    expected = model(inception.resized(images[:1]), training=False)
    assert features.shape == (1, 2048) and "random.h5" in network.name
    if top:
        np.testing.assert_allclose(probabilities, expected, rtol=1e-3, atol=1e-6)
    else:
        np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-5)
        assert probabilities is None


def frechet(a, b):
    values = np.linalg.eigvals(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False))
    shared = np.sqrt(np.maximum(values.real, 0)).sum()
    traces = np.trace(np.cov(a, rowvar=False)) + np.trace(np.cov(b, rowvar=False))
    return np.square(a.mean(0) - b.mean(0)).sum() + traces - 2 * shared


@pytest.fixture(scope="module")
def network():
    module = StandIn(FEATURES, 7)
    return Inception(lambda x: (module(x)["pool_3"], tf.nn.softmax(module(x)["logits"])), "stand-in", 16)


def test_fid_is_between_inputs_and_translations(network, drawn, classifier, fake_model):
    judge = ImageNetJudge(network, drawn)
    records = {
        manner: evaluate_translation(fake_model(manner), drawn, classifier, judges=[judge])
        for manner in ("copy", "perfect", "noise")
    }
    json.dumps(records, allow_nan=False)
    inputs, train = (Views.of(network, [split.images()]).features for split in (drawn.test, drawn.train))
    copy = records["copy"]
    assert copy["fid"]["value"] == pytest.approx(0.0, abs=1e-4), "a copy is the inputs"
    assert copy["fid_to_train"]["value"] == pytest.approx(frechet(inputs, train), rel=1e-3)
    assert 0 < records["perfect"]["fid"]["value"] < records["noise"]["fid"]["value"]
    assert copy["kid"]["value"] < records["noise"]["kid"]["value"]
    real = judge.real_records()
    assert real["fid_to_train"]["value"] == pytest.approx(copy["fid_to_train"]["value"])
    assert real["inception_score"]["value"] == pytest.approx(copy["inception_score"]["value"], rel=1e-5)
    for name in ("fid", "kid", "fid_to_train", "kid_to_train", "inception_score"):
        assert "stand-in" in copy[name]["computed_with"] and copy[name]["images"] == len(drawn.test), name


def test_noise_raises_fid_step_by_step(network):
    generator = np.random.default_rng(0)
    images = generator.integers(60, 200, (40, 1, 1, 3)) + generator.integers(-40, 40, (40, 16, 16, 3))
    noise = generator.normal(size=images.shape)
    views = [network(np.clip(images + level * noise + level, 0, 255).astype(np.uint8))[0] for level in (0, 10, 25, 50)]
    from rgunit_tf.evaluation.metrics import distances

    values = [distances.frechet_distance(view, views[0]) for view in views]
    assert values[0] == pytest.approx(0.0, abs=1e-5) and values == sorted(values) and values[1] > 0.01


def test_views_of_real_images_are_kept_and_bounded(network, drawn, tmp_path, monkeypatch):
    from rgunit_tf.evaluation.judge import views

    monkeypatch.setattr(views, "IMAGES", 10)
    first = ImageNetJudge(network, drawn, folder=tmp_path)
    assert first.test.features.shape == (10, FEATURES) and len(list(tmp_path.glob("*.npz"))) == 2
    monkeypatch.setattr(Views, "of", lambda *arguments: pytest.fail("computed again"))
    again = ImageNetJudge(network, drawn, folder=tmp_path)
    np.testing.assert_array_equal(again.train.features, first.train.features)
    np.testing.assert_array_equal(again.test.probabilities, first.test.probabilities)


def test_a_network_without_classes_gives_no_score(drawn, classifier, fake_model):
    plain = Inception(lambda images: (tf.reduce_mean(images, [1, 2]), None), "plain")
    judge = ImageNetJudge(plain, drawn)
    records = judge.records([Views.of(plain, [drawn.test.images()])])
    assert "fid" in records and "inception_score" not in {**records, **judge.real_records()}
