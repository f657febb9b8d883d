"""Requests as clients and servers form them: gRPC's PredictRequest, REST's rows and columns, joined batches."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")

DTYPES = {"attributes": np.float32, "styles": np.float32, "noise": np.float32, "k": np.int32, "images": np.uint8}


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def inputs(images, attributes):
    """Of every input three rows."""
    noise = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    files = np.array([encoded(image, kind) for image, kind in zip(images, ("PNG", "JPEG", "PNG"), strict=True)], object)
    return {
        "images": images,
        "image_bytes": files,
        "attributes": attributes,
        "styles": noise,
        "noise": noise,
        "k": np.array([2, 5, 3], np.int32),
    }


def as_text(value):
    """A value of an input as JSON has it."""
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value.tolist()


def from_json(name, value):
    """A JSON value as the tensor that TensorFlow Serving makes of it: lists become dimensions, b64 objects strings."""
    if name == "image_bytes":
        return np.array([base64.b64decode(item["b64"]) for item in value], object)
    return np.array(value, DTYPES[name])


def from_rows(instances):
    """REST's row format: each instance lacks the first dimension, which the server adds."""
    return {name: from_json(name, [instance[name] for instance in instances]) for name in instances[0]}


def ask_by_grpc(server, name, signature, tensors):
    """Through a PredictRequest, with its dtypes and shapes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for key, value in tensors.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    read = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    arrays = {key: tf.make_ndarray(value) for key, value in read.inputs.items()}
    return server.ask(name, signature, **arrays)


def pixels_of(files):
    return np.stack([np.asarray(Image.open(io.BytesIO(file))).astype(int) for file in files])


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, atol=1e-5)
        elif value.dtype == np.uint8:
            assert np.abs(found[name].astype(int) - value).max() <= 1
        elif name.endswith("_bytes"):
            pixels = [
                [np.asarray(Image.open(io.BytesIO(file))).astype(int) for file in v] for v in (value, found[name])
            ]
            assert np.abs(np.array(pixels[0]) - pixels[1]).max() <= 1
        else:
            assert (found[name] == value).all()


def test_rows_columns_and_tensors_are_the_same_request(cc_server, tensor_names, exports, inputs):
    for signature, sides in tensor_names(exports["guided"]).items():
        names = list(sides["inputs"])
        expected = ask_by_grpc(cc_server, "guided", signature, {name: inputs[name] for name in names})
        instances = [{name: as_text(inputs[name][row]) for name in names} for row in range(3)]
        assert_equal(cc_server.ask("guided", signature, **from_rows(instances)), expected)
        columns = {name: [as_text(value) for value in inputs[name]] for name in names}
        assert_equal(
            cc_server.ask("guided", signature, **{name: from_json(name, value) for name, value in columns.items()}),
            expected,
        )


def test_outputs_that_hold_files_are_named_so_that_rest_sends_base64(exports):
    """TensorFlow Serving does so where the name ends in _bytes; other strings have to be UTF-8, as ids are."""
    model = saved_model_pb2.SavedModel.FromString((exports["guided"] / "saved_model.pb").read_bytes())
    strings = {
        name
        for signature in model.meta_graphs[0].signature_def.values()
        for name, info in signature.outputs.items()
        if info.dtype == tf.string.as_datatype_enum
    }
    assert strings == {"image_bytes", "translated_bytes", "mask_bytes", "ids"}


@pytest.mark.parametrize("name", ["translation", "retrieval", "guided", "guided_scann"])
def test_requests_that_a_server_joins_get_the_answers_they_get_alone(cc_server, tensor_names, exports, inputs, name):
    """As TensorFlow Serving's batching session: inputs joined along their first dimension, outputs cut apart there.

    Rows may be padded by repeating the first, where `allowed_batch_sizes` is set.
    """
    for signature, sides in tensor_names(exports[name]).items():
        whole = {key: inputs[key] for key in sides["inputs"]}
        assert len({len(value) for value in whole.values()}) == 1
        padded = {key: np.concatenate([value, value[:1]]) for key, value in whole.items()}
        joined = cc_server.ask(name, signature, **padded)
        assert all(len(value) == 4 for value in joined.values())
        for part in (slice(0, 1), slice(1, 3)):
            alone = cc_server.ask(name, signature, **{key: value[part] for key, value in whole.items()})
            # Neighbours beyond those that a client asked for may be added behind them.
            cut = {key: value[part] for key, value in joined.items()}
            for key in set(cut) & {"ids", "distances"}:
                cut[key] = cut[key][:, : alone[key].shape[1]]
            assert_equal(cut, alone)
