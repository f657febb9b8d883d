"""Warm-up requests, read as TensorFlow Serving reads them, and answered by the loader it uses."""

import pytest
import tensorflow as tf

from rgunit_tf.serving import warmup

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
STAGES = ["translation", "retrieval", "guided_scann"]


def logs(folder):
    records = tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]


@pytest.mark.parametrize("name", STAGES)
def test_every_signature_is_warmed_up_and_answers(exports, tensor_names, cc_server, name):
    """A server does not load a version whose warm-up fails."""
    found = logs(exports[name])
    requests = [log.predict_log.request for log in found]
    assert all(log.WhichOneof("log_type") == "predict_log" for log in found)
    assert {request.model_spec.name for request in requests} == {name.partition("_")[0]}
    assert {request.model_spec.signature_name for request in requests} == set(tensor_names(exports[name]))
    for request in requests:
        signature = request.model_spec.signature_name
        assert set(request.inputs) == set(tensor_names(exports[name])[signature]["inputs"])
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        assert all(len(value) == 1 for value in cc_server.ask(name, signature, **inputs).values())


def test_both_kinds_of_files_are_decoded(exports):
    files = [log.predict_log.request.inputs.get("image_bytes") for log in logs(exports["translation"])]
    starts = {tf.make_ndarray(value)[0][:3] for value in files if value is not None}
    assert starts == {b"\xff\xd8\xff", b"\x89PN"}


def test_the_encoding_is_that_of_the_official_messages(tmp_path):
    """Also where a length takes more than one byte."""
    path = tmp_path / "requests"
    warmup.write(
        path, "m" * 200, {"s": ("attributes", "images")}, {"image_size": 20, "example": [0.0] * 5, "style_dim": 4}
    )
    (record,) = tf.data.TFRecordDataset(str(path))
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "m" * 200, "s"
    read = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    for name in ("attributes", "images"):
        assert read.predict_log.request.inputs[name].dtype == {"attributes": 1, "images": 4}[name]
        request.inputs[name].CopyFrom(read.predict_log.request.inputs[name])
    assert read == log and len(record.numpy()) == log.ByteSize()
