import logging

import numpy as np
import pytest

from rgunit_tf.config import default_config
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import networks
from rgunit_tf.evaluation.judge.imagenet import SEEN, ImageNetJudge
from rgunit_tf.evaluation.metrics import distances
from rgunit_tf.pretrained import faces


class Network:
    """Mean colours of the four quarters."""

    key, name, identity = "mobilenet_v2", "quarters", "identity_rank1"
    to_inputs, to_train = None, ("frechet_mobilenet_distance", "kernel_mobilenet_distance")

    def __call__(self, images):
        quarters = images.reshape(len(images), 2, 8, 2, 8, 3).astype(np.float32).mean((2, 4))
        return quarters.reshape(len(images), -1), None


class Other(Network):
    key, to_train = "efficientnet", ("frechet_efficientnet_distance", "kernel_efficientnet_distance")


def faces_network():
    network = faces.FaceNetwork.__new__(faces.FaceNetwork)
    network.name = "faces"
    return network


def config(**changes):
    found = default_config()
    with found.unlocked():
        found.update({"model": {"features": "none"}, **changes})
    return found


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, set()),
        ({"model": {"features": "efficientnet_lite0"}}, {"efficientnet"}),
        ({"loss": {"perceptual": ["EfficientNet-Lite0", "mobilenet_v2"]}}, {"efficientnet", "mobilenet_v2"}),
        ({"data": {"root": "mobilenet_v2"}}, set()),
        ({"model": {"features": "efficientnetwork"}}, set()),
    ],
)
def test_settings_name_the_networks_that_training_saw(changes, seen):
    assert networks.seen_in_training(config(**changes), [Network(), Other()]) == seen
    assert networks.seen_in_training(object(), [Network()]) == frozenset()


def test_figures_of_a_network_that_training_saw_are_marked(drawn):
    views = []
    for seen in (frozenset(), frozenset({"efficientnet"})):
        first, second = networks.judges_of([Network(), Other()], drawn, seen=seen)
        assert not first.seen and second.seen == bool(seen)
        outputs = drawn.test.images()[::-1]
        views.append([judge.records(judge.translated(np.arange(32), outputs)) for judge in (first, second)])
        real = second.real_records()["frechet_efficientnet_distance"]
        assert real.get("seen_in_training", False) == bool(seen)
    (first, unseen), (again, marked) = views
    assert {name: r["value"] for name, r in first.items()} == {name: r["value"] for name, r in again.items()}
    assert "identity_rank1" in unseen and "identity_rank1" not in marked, (
        "no word of a network that was trained against"
    )
    for name in Other.to_train:
        assert marked[name]["value"] == unseen[name]["value"] and marked[name]["seen_in_training"]
        assert marked[name]["computed_with"].startswith(SEEN) and "seen_in_training" not in unseen[name]


def test_identity_and_distance_are_those_of_the_features(drawn):
    judge = ImageNetJudge(Network(), drawn)
    outputs = drawn.test.images() // 2
    records = judge.records(judge.translated(np.arange(32), outputs))
    found, inputs = Network()(outputs)[0], Network()(drawn.test.images())[0]
    cosine = found @ inputs.T / np.linalg.norm(found, axis=1)[:, None] / np.linalg.norm(inputs, axis=1)
    assert records["identity_rank1"]["value"] == pytest.approx((cosine.argmax(1) == np.arange(32)).mean())
    train = Network()(drawn.train.images())[0]
    distance = records["frechet_mobilenet_distance"]["value"]
    assert distance == pytest.approx(distances.frechet_distance(found, train), rel=1e-3)


def test_faces_are_judged_where_the_data_has_their_attributes(drawn, monkeypatch, caplog):
    made = []
    monkeypatch.setattr(networks, "FaceJudge", lambda *arguments: made.append(arguments) or "faces")
    assert networks.judges_of([faces_network()], drawn) == ["faces"] and made[0][1] == faces.ATTRIBUTES
    with caplog.at_level(logging.WARNING, "absl"):
        assert networks.judges_of([faces_network()], drawn, seen=frozenset({"faces"})) == []
    assert "left out: face_identity_rank1: training saw" in caplog.text
    monkeypatch.setattr(faces, "ATTRIBUTES", ("Smiling", "Hat"))
    assert networks.judges_of([faces_network()], drawn) == []


def test_what_is_not_named_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert networks.load(efficientnet="none") == []
    with pytest.raises(UserError, match="no weights of the judges"):
        networks.load(judges=str(tmp_path / "absent.npz"))
