"""Tensors as JSON, for the processes in which the tests run SavedModels; numpy only."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def pack(value: Any) -> dict[str, Any]:
    """A number, array or (nested) list of bytes as plain JSON."""
    array = np.asarray(value)
    if array.dtype.kind in "OS":
        # numpy cuts the zero bytes at the end of fixed-size strings.
        array = np.array(value, dtype=object)
        data = [base64.b64encode(item).decode() for item in array.ravel()]
        return {"dtype": "string", "shape": array.shape, "data": data}
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": array.shape, "data": data}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Inverse of `pack`; strings become an object array of bytes."""
    if packed["dtype"] == "string":
        array = np.empty(len(packed["data"]), dtype=object)
        array[:] = [base64.b64decode(item) for item in packed["data"]]
        return array.reshape(packed["shape"])
    data = np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"])
    return data.reshape(packed["shape"])
