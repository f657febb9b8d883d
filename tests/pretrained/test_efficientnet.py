import json
import pathlib

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge.imagenet import ImageNetJudge, Views
from rgunit_tf.evaluation.metrics import distances
from rgunit_tf.evaluation.translation import evaluate_translation
from rgunit_tf.pretrained import efficientnet, torch_file

RECORDED = pathlib.Path(__file__).parent / "recorded"
WEIGHTS = efficientnet.installed_weights()
installed = pytest.mark.skipif(WEIGHTS is None, reason=f"{efficientnet.PACKAGE} is not installed")


@pytest.fixture(scope="module")
def network():
    return efficientnet.load()


@installed
def test_features_are_those_of_the_pytorch_package(network, seeded_weights):
    recorded = np.array(json.loads((RECORDED / "efficientnet.json").read_text())["features"])
    features, classes = network(seeded_weights.pictures())
    assert features.shape == (2, efficientnet.FEATURES) and features.dtype == np.float32 and classes is None
    np.testing.assert_allclose(features, recorded, atol=2e-4)
    assert "ImageNet" in network.name and "sha256 57934424" in network.name and "bicubic" in network.name


@installed
def test_batches_change_nothing(network):
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)
    one_by_one = efficientnet.EfficientNet(network._stem, network._blocks, "", batch_size=1)
    np.testing.assert_allclose(one_by_one(images)[0], network(images)[0], atol=1e-4)


@installed
@pytest.mark.parametrize("harm", ["noise", "blur"])
def test_harm_raises_the_distance_step_by_step(network, harm):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 4, 4, 3)).repeat(8, 1).repeat(8, 2).astype(np.float64)
    noise = generator.normal(size=images.shape)
    blurred = sum(np.roll(images, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    towards = noise * 50 + images if harm == "noise" else blurred
    views = [
        network(np.clip(images + share * (towards - images), 0, 255).astype(np.uint8))[0] for share in (0, 0.2, 0.5, 1)
    ]
    values = [distances.frechet_distance(view, views[0]) for view in views]
    assert values[0] == pytest.approx(0.0, abs=1e-3) and values == sorted(values) and values[1] > 1


@installed
def test_translations_are_held_against_real_training_images_alone(network, drawn, classifier, fake_model):
    judge = ImageNetJudge(network, drawn)
    records = {
        manner: evaluate_translation(fake_model(manner), drawn, classifier, judges=[judge])
        for manner in ("copy", "noise")
    }
    name = "frechet_efficientnet_distance"
    test, train = (Views.of(network, [split.images()]).features for split in (drawn.test, drawn.train))
    copy = records["copy"][name]
    assert copy["value"] == pytest.approx(distances.frechet_distance(test, train), rel=1e-4)
    assert copy["value"] < records["noise"][name]["value"]
    assert (
        "EfficientNet-Lite0" in copy["computed_with"] and f"{len(drawn.train)} real training" in copy["computed_with"]
    )
    assert judge.real_records()[name]["value"] == pytest.approx(copy["value"], rel=1e-4)
    assert not {"fid", "kid", "inception_score", "None"} & set(records["copy"])


def test_nothing_is_loaded_unless_it_is_there_or_named(tmp_path, monkeypatch):
    assert efficientnet.load("none") is None
    with pytest.raises(UserError, match=r"absent\.pth: no PyTorch file"):
        efficientnet.load(str(tmp_path / "absent.pth"))
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    assert efficientnet.installed_weights() is None and efficientnet.load("auto") is None


@installed
@pytest.mark.parametrize(
    "part", ["_conv_stem.weight", "_blocks.0._depthwise_conv.weight", "_blocks.9._bn2.running_var"]
)
def test_other_weights_are_refused(monkeypatch, part):
    tensors = torch_file.read(WEIGHTS)
    monkeypatch.setattr(torch_file, "read", lambda path: {**tensors, part: tensors[part][1:]})
    with pytest.raises(UserError, match=r"no weights of EfficientNet-Lite0 \(_.* is not what it has there\)"):
        efficientnet.load(str(WEIGHTS))


def test_the_file_named_is_used(monkeypatch):
    asked = []
    monkeypatch.setattr(torch_file, "read", lambda path: asked.append(path) or {})
    with pytest.raises(UserError, match=r"given\.pth"):
        efficientnet.load("given.pth")
    assert asked == [pathlib.Path("given.pth")]
