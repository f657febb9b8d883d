import logging

import numpy as np
import pytest

from rgunit_tf.evaluation.judge import faces
from rgunit_tf.evaluation.judge.faces import FaceJudge
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.evaluation.translation import evaluate_translation


class Network:
    """Sees the drawn gender by its colour, and tells no smile; knows a picture by its pixels."""

    key, name, identity = "faces", "networks of faces", "face_identity_rank1"
    to_inputs = to_train = None

    def __init__(self):
        self.images = 0

    def __call__(self, images):
        self.images += len(images)
        pixels = images.astype(np.float32)
        blue, red = pixels[:, 9:, :4, 2].mean((1, 2)), pixels[:, 9:, :4, 0].mean((1, 2))
        male = (blue > red).astype(np.float32) * 0.8 + 0.1
        return pixels.reshape(len(images), -1), np.stack([male, np.full(len(images), 0.3, np.float32)], axis=1)


KNOWN = ("Male", "Black_Hair")


@pytest.fixture
def judge(drawn):
    return FaceJudge(Network(), KNOWN, drawn)


def test_only_what_it_tells_on_real_images_is_judged(judge, drawn, caplog):
    assert judge.attributes == ("Male",), "it says of nobody that the hair is black"
    with caplog.at_level(logging.INFO, "absl"):
        FaceJudge(Network(), KNOWN, drawn)
    assert "faces' networks do not judge Black_Hair: right on 0.50 of real test images" in caplog.text
    assert judge.real_records()["face_accuracy/Male"]["value"] == 1.0


def test_figures_of_translations_equal_their_definitions(judge, drawn, classifier, fake_model):
    records = evaluate_translation(fake_model("copy"), drawn, classifier, judges=[judge])
    column = drawn.schema.names.index("Male")
    every_target = draw_targets(drawn.test.labels, drawn.train.labels, 0)
    targets, before = every_target[:, column], drawn.test.labels[:, column]
    changes = every_target != drawn.test.labels
    alone = changes[:, column] & (changes.sum(axis=1) == 1)
    assert records["face_identity_rank1/Male"]["images"] == alone.sum() > 0
    assert records["face_identity_rank1/Male"]["value"] == 1.0
    assert records["face_changed_accuracy/Male"]["value"] == 0.0 == records["face_changed_accuracy"]["value"]
    assert records["face_changed_accuracy"]["images"] == (targets != before).sum()
    assert records["face_kept_accuracy/Male"]["value"] == 1.0
    assert records["face_accuracy"]["value"] == pytest.approx((targets == before).mean())
    assert records["face_identity_rank1"]["value"] == 1.0
    assert records["face_accuracy"]["computed_with"].endswith("networks of faces")
    perfect = evaluate_translation(fake_model("perfect"), drawn, classifier, judges=[judge])
    assert perfect["face_changed_accuracy"]["value"] == perfect["face_kept_accuracy"]["value"] == 1.0
    noise = evaluate_translation(fake_model("noise"), drawn, classifier, judges=[judge])
    assert noise["face_identity_rank1"]["value"] < 0.3


def test_part_of_the_images(drawn, classifier, fake_model, monkeypatch):
    monkeypatch.setattr("rgunit_tf.evaluation.judge.views.IMAGES", 12)
    judge = FaceJudge(Network(), KNOWN, drawn, seed=1)
    records = evaluate_translation(fake_model("perfect"), drawn, classifier, seed=1, judges=[judge])
    assert records["face_accuracy"]["value"] == 1.0 and records["face_accuracy"]["images"] == 12


def test_views_of_real_images_are_kept(drawn, tmp_path):
    FaceJudge(Network(), KNOWN, drawn, folder=tmp_path)
    again = Network()
    assert FaceJudge(again, KNOWN, drawn, folder=tmp_path).attributes == ("Male",) and not again.images


def test_a_network_that_tells_nothing_says_nothing(drawn):
    judge = FaceJudge(Network(), ("Blond_Hair", "Black_Hair"), drawn)
    views = judge.translated(np.arange(32), drawn.test.images())
    assert not judge.attributes and not judge.real_records() and not judge.records(views, drawn.test.labels)


def test_balanced_accuracy_by_hand():
    scores, labels = np.array([0.9, 0.8, 0.2, 0.9, 0.1]), np.array([1, 1, 1, 0, 0])
    assert faces.balanced_accuracy(scores, labels) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert faces.balanced_accuracy(scores, np.ones(5)) == 0.0
