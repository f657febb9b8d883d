"""SavedModels as ONNX or TFLite files, for clients without TensorFlow.

They hold the signatures of numbers alone (`signatures.CONVERTIBLE`), under the same names of inputs and outputs, with
any number of rows. The checks of requests are left out.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.serving.export import newest_version
from rgunit_tf.serving.signatures import CONVERTIBLE

FORMATS = ("savedmodel", "onnx", "tflite")
TFLITE_FILE = "model.tflite"
_OPSET = 17


def check(form: str) -> None:
    """Checks that a format can be written here.

    Raises:
      UserError: what converts is not installed.
    """
    if form == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise UserError("--format=onnx needs tf2onnx; install it with pip install 'rgunit_tf[onnx]'")


def convert(saved_model: pathlib.Path, directory: pathlib.Path, form: str) -> pathlib.Path:
    """Writes `<directory>/<version>/`, whole or not at all; the version is the next free number.

    Args:
      saved_model: an export.
      directory: folder of the versions.
      form: `onnx`, a file `<signature>.onnx` each, or `tflite`, `model.tflite` with all signatures. `rgunit.json`
        beside them is that of the export.

    Returns:
      The version folder.

    Raises:
      UserError: what converts is not installed, or the gallery's index is ScaNN's, whose ops neither format has.
    """
    check(form)
    facts = saved_model / "assets.extra" / "rgunit.json"
    description = json.loads(facts.read_text(encoding="utf-8"))
    if description["neighbors"] and description["gallery"]["index"] != "exact":
        raise UserError(
            f"--format={form}: the index {description['gallery']['index']} has ops of its own; --index=exact"
        )
    names = [name for name in CONVERTIBLE if name in description["signatures"]]
    final = directory / str(newest_version(directory) + 1)
    with atomic.directory(final) as temporary:
        if form == "onnx":
            _write_onnx(saved_model, names, temporary)
        else:
            converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=names)
            (temporary / TFLITE_FILE).write_bytes(converter.convert())
        shown = {**description, "signatures": {name: description["signatures"][name] for name in names}}
        atomic.write_json(temporary / "rgunit.json", {**shown, "serving_default": None})
    return final


def _write_onnx(saved_model: pathlib.Path, names: list[str], folder: pathlib.Path) -> None:
    import tf2onnx

    loaded = tf.saved_model.load(str(saved_model))
    for name in names:
        signature = loaded.signatures[name]
        specs = signature.structured_input_signature[1]
        tf2onnx.convert.from_function(
            _positional(signature, list(specs)),
            input_signature=[tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in specs.items()],
            opset=_OPSET,
            output_path=str(folder / f"{name}.onnx"),
        )


def _positional(signature: Callable[..., dict[str, tf.Tensor]], keys: list[str]) -> Any:
    """A signature as a function of its inputs in order, which is what tf2onnx takes; outputs keep their names."""

    def call(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return signature(**dict(zip(keys, inputs, strict=True)))

    return tf.function(call, autograph=False)
