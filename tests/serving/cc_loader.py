"""Answers requests, one JSON object a line, through the C++ SavedModel loader that TensorFlow Serving uses.

TensorFlow's Python is not imported: its C library is called by ctypes (tensorflow/c/c_api.h).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import wire

_DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "string": 7, "int64": 9, "bool": 10}
_NAMES = {value: key for key, value in _DTYPES.items()}
_STRING_BYTES = 24
_P = ctypes.c_void_p


class Output(ctypes.Structure):
    _fields_ = [("operation", _P), ("index", ctypes.c_int)]


def load_library() -> ctypes.CDLL:
    folder = pathlib.Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
    ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"), mode=ctypes.RTLD_GLOBAL)
    for name, result, arguments in (
        ("TF_NewStatus", _P, []),
        ("TF_DeleteStatus", None, [_P]),
        ("TF_GetCode", ctypes.c_int, [_P]),
        ("TF_Message", ctypes.c_char_p, [_P]),
        ("TF_NewGraph", _P, []),
        ("TF_NewSessionOptions", _P, []),
        ("TF_LoadLibrary", _P, [ctypes.c_char_p, _P]),
        ("TF_LoadSessionFromSavedModel", _P, [_P, _P, ctypes.c_char_p, _P, ctypes.c_int, _P, _P, _P]),
        ("TF_GraphOperationByName", _P, [_P, ctypes.c_char_p]),
        ("TF_AllocateTensor", _P, [ctypes.c_int, _P, ctypes.c_int, ctypes.c_size_t]),
        ("TF_DeleteTensor", None, [_P]),
        ("TF_TensorData", _P, [_P]),
        ("TF_TensorType", ctypes.c_int, [_P]),
        ("TF_NumDims", ctypes.c_int, [_P]),
        ("TF_Dim", ctypes.c_int64, [_P, ctypes.c_int]),
        ("TF_TensorByteSize", ctypes.c_size_t, [_P]),
        ("TF_StringInit", None, [_P]),
        ("TF_StringCopy", None, [_P, ctypes.c_char_p, ctypes.c_size_t]),
        ("TF_StringGetDataPointer", _P, [_P]),
        ("TF_StringGetSize", ctypes.c_size_t, [_P]),
        ("TF_SessionRun", None, [_P, _P, _P, _P, ctypes.c_int, _P, _P, ctypes.c_int, _P, ctypes.c_int, _P, _P]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Model:
    def __init__(self, library: ctypes.CDLL, path: str):
        self._c, self._graph = library, library.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = self._checked(
            library.TF_LoadSessionFromSavedModel,
            library.TF_NewSessionOptions(), None, path.encode(), tags, 1, self._graph, None,
        )  # fmt: skip

    def _checked(self, function: Any, *arguments: Any) -> Any:
        status = self._c.TF_NewStatus()
        try:
            result = function(*arguments, status)
            if self._c.TF_GetCode(status):
                raise RuntimeError(f"code {self._c.TF_GetCode(status)}: {self._c.TF_Message(status).decode()}")
            return result
        finally:
            self._c.TF_DeleteStatus(status)

    def _output(self, name: str) -> Output:
        operation, _, index = name.partition(":")
        found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise RuntimeError(f"no operation {operation}")
        return Output(found, int(index))

    def _tensor(self, packed: dict[str, Any]) -> int:
        value, shape = wire.unpack(packed), packed["shape"]
        is_string = packed["dtype"] == "string"
        size = value.size * (_STRING_BYTES if is_string else value.itemsize)
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        tensor = self._c.TF_AllocateTensor(_DTYPES[packed["dtype"]], dimensions, len(shape), size)
        data = self._c.TF_TensorData(tensor)
        if not is_string:
            if size:
                ctypes.memmove(data, np.ascontiguousarray(value).tobytes(), size)
            return tensor
        for position, item in enumerate(value.ravel()):
            self._c.TF_StringInit(data + position * _STRING_BYTES)
            self._c.TF_StringCopy(data + position * _STRING_BYTES, item, len(item))
        return tensor

    def _array(self, tensor: int) -> np.ndarray:
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        name, data = _NAMES[self._c.TF_TensorType(tensor)], self._c.TF_TensorData(tensor)
        if name != "string":
            size = self._c.TF_TensorByteSize(tensor)
            return np.frombuffer(ctypes.string_at(data, size) if size else b"", name).reshape(shape)
        items = np.empty(int(np.prod(shape)), dtype=object)
        for position in range(items.size):
            string = data + position * _STRING_BYTES
            size = self._c.TF_StringGetSize(string)
            items[position] = ctypes.string_at(self._c.TF_StringGetDataPointer(string), size)
        return items.reshape(shape)

    def run(self, inputs: dict[str, dict[str, Any]], tensors: dict[str, dict[str, str]]) -> dict[str, np.ndarray]:
        names = list(tensors["outputs"])
        feeds = (Output * len(inputs))(*(self._output(tensors["inputs"][name]) for name in inputs))
        values = (_P * len(inputs))(*(self._tensor(packed) for packed in inputs.values()))
        fetches = (Output * len(names))(*(self._output(tensors["outputs"][name]) for name in names))
        results = (_P * len(names))()
        try:
            self._checked(
                self._c.TF_SessionRun,
                self._session, None, feeds, values, len(inputs), fetches, results, len(names), None, 0, None,
            )  # fmt: skip
            return {name: self._array(result) for name, result in zip(names, results, strict=True)}
        finally:
            for tensor in [*values, *results]:
                if tensor:
                    self._c.TF_DeleteTensor(tensor)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    library, models, op_libraries = load_library(), {}, set()
    for line in sys.stdin:
        request = json.loads(line)
        path, op_library = request["model"], request["op_library"]
        try:
            if op_library and op_library not in op_libraries:
                status = library.TF_NewStatus()
                library.TF_LoadLibrary(op_library.encode(), status)
                op_libraries.add(op_library)
            if path not in models:
                models[path] = Model(library, path)
            outputs = models[path].run(request["inputs"], request["tensors"])
            answer = {"outputs": {name: wire.pack(value) for name, value in outputs.items()}}
        except RuntimeError as error:
            answer = {"error": str(error)}
        answer["modules"] = sorted({name.partition(".")[0] for name in sys.modules} & {"tensorflow", "rgunit_tf"})
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
