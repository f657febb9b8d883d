import hashlib
import json
import pathlib

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.metrics import lpips
from rgunit_tf.pretrained import torch_file, vgg

RECORDED = pathlib.Path(__file__).parents[2] / "pretrained/recorded"


@pytest.fixture(scope="module")
def tensors(seeded_weights):
    """What a file of torchvision's VGG16 holds, with seeded_weights weights."""
    positions = [position for block in vgg._POSITIONS for position in block]
    found = {"classifier.0.weight": np.zeros((1, 1), np.float32)}
    for position, (kernel, bias) in zip(positions, seeded_weights.seeded_convolutions(), strict=True):
        found[f"features.{position}.weight"], found[f"features.{position}.bias"] = kernel, bias
    return found


@pytest.fixture
def backbone(tensors, tmp_path, monkeypatch):
    """A file that is read as that VGG16, and taken for torchvision's own."""
    path = tmp_path / "vgg16.pth"
    path.write_bytes(b"weights")
    read = torch_file.read
    monkeypatch.setattr(torch_file, "read", lambda file: tensors if pathlib.Path(file) == path else read(file))
    monkeypatch.setattr(vgg, "TORCHVISION", hashlib.sha256(b"weights").hexdigest()[:8])
    return path


@pytest.fixture(autouse=True)
def no_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_distances_are_those_of_the_pytorch_package(backbone, seeded_weights):
    network = lpips.load(str(RECORDED / "lpips_vgg.pth"), str(backbone))
    assert network.metric == "lpips" and "torchvision" in network.words and "0.1" in network.words
    recorded = json.loads((RECORDED / "lpips.json").read_text())
    first, second = seeded_weights.image_pairs()
    for number, expected in enumerate(recorded["distances"]):
        pair = np.stack([first[number], second[number]])
        assert float(network.mean_pair_distance(pair, 2)[0]) == pytest.approx(expected, rel=2e-4, abs=1e-7)


def test_another_vgg_is_not_called_lpips(backbone, monkeypatch):
    monkeypatch.setattr(vgg, "TORCHVISION", "00000000")
    network = lpips.load("auto", str(backbone))
    assert network.metric == "vgg16_diversity" and network.weights is None and "no LPIPS" in network.words
    with pytest.raises(UserError, match="belongs to torchvision's VGG16"):
        lpips.load(str(RECORDED / "lpips_vgg.pth"), str(backbone))


def test_nothing_on_disk_is_no_network_and_no_download():
    assert lpips.load() is None and lpips.load("none") is None
    with pytest.raises(UserError, match="needs --lpips_backbone"):
        lpips.load(str(RECORDED / "lpips_vgg.pth"))


def test_torchvisions_cache_is_found(tmp_path):
    path = tmp_path / "torch/hub/checkpoints/vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert vgg.cached() == path


@pytest.mark.parametrize("change", ["absent", "shape"])
def test_a_foreign_backbone_is_refused(backbone, tensors, monkeypatch, change):
    broken = dict(tensors)
    if change == "absent":
        del broken["features.28.bias"]
    else:
        broken["features.28.weight"] = broken["features.28.weight"][:5]
    monkeypatch.setattr(torch_file, "read", lambda file: broken)
    with pytest.raises(UserError, match=r"no VGG16 of torchvision \(features.28"):
        vgg.load(backbone)


def test_foreign_weights_are_refused():
    with pytest.raises(UserError, match="no LPIPS weights for VGG"):
        lpips.read_weights(RECORDED / "tensors_zip.pth")
