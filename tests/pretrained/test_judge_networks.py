"""The judges against the packages' own graphs and code on TensorFlow.js; see recorded/record_with_tensorflow_js.py."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.pretrained import face_attributes, face_descriptor, faces, judge_weights, mobilenet_v2

RECORDED = pathlib.Path(__file__).parent / "recorded"
VALUES = json.loads((RECORDED / "judges.json").read_text())
PATH = judge_weights.default_path()
KINDS = ["seeded", pytest.param("package", marks=pytest.mark.skipif(not PATH.is_file(), reason=f"no {PATH}"))]


def _seeded():
    spec = importlib.util.spec_from_file_location("seeded_judges", RECORDED / "seeded_judges.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seeded = _seeded()


def weights_of(kind, part):
    if kind == "seeded":
        return seeded.weights(mobilenet_v2.shapes() if part == "general" else faces.PARTS[part]())
    found = judge_weights.read(PATH)
    return found["mobilenet_v2"] if part == "general" else faces._part(found["faces"], part)


def pictures(size):
    return tf.constant(seeded.pictures(size), tf.float32)


def close(found, recorded):
    """To 1e-4 of the largest value."""
    recorded = np.array(recorded)
    np.testing.assert_allclose(np.asarray(found), recorded, atol=1e-4 * max(1.0, np.abs(recorded).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_descriptors_and_gender(kind):
    found, odds = face_descriptor.forward(weights_of(kind, "descriptor"), pictures(face_descriptor.SIZE))
    assert found.shape == (2, face_descriptor.FEATURES)
    close(found[:, :64], VALUES[kind]["descriptors"])
    close(odds[:, None], VALUES[kind]["gender"])


@pytest.mark.parametrize("kind", KINDS)
def test_attributes(kind):
    images = pictures(face_attributes.SIZE)
    man, woman = np.array(VALUES[kind]["male"]).T
    close(face_attributes.male(weights_of(kind, "gender"), images), man - woman)
    expressions = np.array(VALUES[kind]["expression"])
    found = face_attributes.happy(weights_of(kind, "expression"), images)
    close(found, expressions[:, face_attributes._HAPPY] - expressions[:, face_attributes._NEUTRAL])


@pytest.mark.parametrize("kind", KINDS)
def test_general_features(kind):
    network = mobilenet_v2.MobileNetV2(weights_of(kind, "general"), "")
    images = pictures(mobilenet_v2.SIZE)
    close(network.features(images / 255.0)[:, :64], VALUES[kind]["general"])
    features, classes = network(images.numpy().astype(np.uint8))
    assert features.shape == (2, mobilenet_v2.FEATURES) and features.dtype == np.float32 and classes is None
    close(features[:, :64], VALUES[kind]["general"])


def test_faces_are_those_networks_together():
    weights = seeded.weights(faces.shapes())
    descriptors, scores = faces.FaceNetwork(weights, "", batch_size=1)(seeded.pictures(face_descriptor.SIZE))
    images = pictures(face_descriptor.SIZE)
    wanted, odds = face_descriptor.forward(faces._part(weights, "descriptor"), images)
    small = tf.image.resize(images, (112, 112), antialias=True)
    odds = (odds + face_attributes.male(faces._part(weights, "gender"), small)) / 2
    smiles = face_attributes.happy(faces._part(weights, "expression"), small)
    close(descriptors, wanted)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.stack([odds, smiles], 1))), atol=1e-4)


def test_size_of_the_pictures_is_free():
    network = mobilenet_v2.MobileNetV2(seeded.weights(mobilenet_v2.shapes()), "")
    assert all(network(np.zeros((1, size, size, 3), np.uint8))[0].shape == (1, 320) for size in (16, 200))
