"""Requests that a server answers before it lets a version go live, so that the first client does not wait.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `tensorflow.serving.PredictionLog` messages. They are
encoded here by the numbers of their fields (apis/prediction_log.proto, predict.proto, model.proto of TensorFlow
Serving 2.15), so that an export needs nothing but TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.protobuf import field

FILE = "tf_serving_warmup_requests"
# Fields, each a message or text.
_LOG_PREDICT, _PREDICT_REQUEST = 6, 1
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2
_MODEL_NAME, _MODEL_SIGNATURE = 1, 3
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


def write(
    path: str | os.PathLike, model: str, signatures: Mapping[str, tuple[str, ...]], sizes: Mapping[str, Any]
) -> None:
    """Writes one request a signature, of one image; where it takes files, one with a PNG and one with a JPEG.

    Args:
      path: of the file.
      model: name of the served model.
      signatures: names of their inputs.
      sizes: `image_size` and `style_dim` of the model, and `example`, a label vector that can occur.
    """
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for signature, names in signatures.items():
            for inputs in _examples(names, sizes):
                writer.write(_prediction_log(model, signature, inputs))


def _examples(names: tuple[str, ...], sizes: Mapping[str, Any]) -> Iterator[dict[str, tf.Tensor]]:
    side = sizes["image_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    values = {
        "images": pixels[np.newaxis],
        "attributes": np.array([sizes["example"]], np.float32),
        "styles": np.zeros((1, sizes["style_dim"]), np.float32),
        "noise": np.zeros((1, sizes["style_dim"]), np.float32),
        "k": np.ones(1, np.int32),
    }
    for encode in (tf.io.encode_png, tf.io.encode_jpeg):
        values["image_bytes"] = np.array([encode(pixels).numpy()], object)
        yield {name: values[name] for name in names}
        if "image_bytes" not in names:
            return


def _prediction_log(model: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    spec = field(_MODEL_NAME, model.encode()) + field(_MODEL_SIGNATURE, signature.encode())
    request = field(_REQUEST_MODEL, spec)
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += field(_REQUEST_INPUTS, field(_ENTRY_KEY, name.encode()) + field(_ENTRY_VALUE, tensor))
    return field(_LOG_PREDICT, field(_PREDICT_REQUEST, request))
