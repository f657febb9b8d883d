"""Exports as ONNX and TFLite files, compared with the SavedModels that they were made of."""

import importlib.util
import json

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.serving.convert import check, convert
from rgunit_tf.serving.export import export

pytestmark = pytest.mark.slow
TRANSLATING = ["translate_images", "translate_to_style", "encode", "sample_styles"]


@pytest.fixture(scope="module")
def saved(stages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    return {name: export(getattr(stages, name), folder / name) for name in ("translation", "guided")}


@pytest.fixture(scope="module")
def requests(images, attributes):
    noise = np.random.default_rng(5).normal(size=(3, 40)).astype(np.float32)
    return {"images": images, "attributes": attributes, "styles": noise, "noise": noise}


def expect(found, path, name, requests, rows):
    """Compares outputs with those of a SavedModel's signature: grey levels to one, other numbers to rounding."""
    signature = tf.saved_model.load(str(path)).signatures[name]
    keys = signature.structured_input_signature[1]
    wanted = signature(**{key: tf.constant(requests[key][:rows]) for key in keys})
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        assert found[key].shape == value.shape and found[key].dtype == value.numpy().dtype
        levels = value.dtype == tf.uint8
        tolerance = {"atol": 1.0} if levels else {"atol": 2e-4, "rtol": 1e-3}
        np.testing.assert_allclose(found[key].astype(np.float64), value.numpy().astype(np.float64), **tolerance)


@pytest.mark.parametrize("stage", ["translation", "guided"])
def test_onnx_answers_as_the_saved_model(saved, requests, tmp_path, stage):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    folder = convert(saved[stage], tmp_path, "onnx")
    names = [*TRANSLATING, *(["embed"] if stage == "guided" else [])]
    assert sorted(path.stem for path in folder.glob("*.onnx")) == sorted(names)
    assert set(json.loads((folder / "rgunit.json").read_text())["signatures"]) == set(names)
    for name in names:
        session = runtime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        keys = [each.name for each in session.get_inputs()]
        outputs = [each.name for each in session.get_outputs()]
        assert not set(keys) & set(outputs)
        for rows in (1, 3):
            values = session.run(outputs, {key: requests[key][:rows] for key in keys})
            expect(dict(zip(outputs, values, strict=True)), saved[stage], name, requests, rows)


@pytest.mark.parametrize("stage", ["translation", "guided"])
def test_tflite_answers_as_the_saved_model(saved, requests, tmp_path, stage):
    folder = convert(saved[stage], tmp_path, "tflite")
    interpreter = tf.lite.Interpreter(model_path=str(folder / "model.tflite"))
    signatures = interpreter.get_signature_list()
    assert sorted(signatures) == sorted([*TRANSLATING, *(["embed"] if stage == "guided" else [])])
    for name, known in signatures.items():
        for rows in (1, 3):
            runner = interpreter.get_signature_runner(name)
            found = runner(**{key: requests[key][:rows] for key in known["inputs"]})
            expect(found, saved[stage], name, requests, rows)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'rgunit_tf\[onnx\]'"):
        check("onnx")


def test_scann_cannot_be_converted(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    facts = {"neighbors": 2, "gallery": {"index": "scann"}, "signatures": {}}
    (tmp_path / "assets.extra" / "rgunit.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="--index=exact"):
        convert(tmp_path, tmp_path / "out", "tflite")
