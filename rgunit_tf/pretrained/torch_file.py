"""Reads the tensors of a PyTorch file (.pth) without PyTorch, and without running anything the file asks for.

A .pth is a pickle, and a pickle can call any function. This reader knows the few names that a dictionary of tensors
needs and refuses every other. Both layouts are read: the zip archive of PyTorch 1.6 and later, and the one before.
"""

from __future__ import annotations

import collections
import io
import os
import pathlib
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

from rgunit_tf.errors import UserError

# The number that the older layout begins with.
_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Tensors of a state dictionary by name; float16 to float64, integers and booleans.

    Raises:
      UserError: there is no such file, it is no dictionary of tensors, or it asks for anything beyond one.
    """
    path = pathlib.Path(path)
    try:
        tensors = _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(path)
    except (
        OSError,
        EOFError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        pickle.UnpicklingError,
    ) as e:
        raise UserError(f"{path}: no PyTorch file of tensors ({e})") from e
    if not isinstance(tensors, Mapping) or not all(isinstance(value, np.ndarray) for value in tensors.values()):
        raise UserError(f"{path}: no dictionary of tensors; save a model's state_dict()")
    return {str(name): np.array(value) for name, value in tensors.items()}


class _Restricted(pickle.Unpickler):
    """Unpickles containers, numbers, strings and tensors; refuses every other name."""

    def __init__(self, file: IO[bytes], storage: Callable[[Any, str, int], np.ndarray] | None = None):
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        if module == "torch" and name in _TYPES:
            return np.dtype(_TYPES[name])
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no tensor needs")

    def persistent_load(self, identity: Any) -> np.ndarray:
        kind, dtype, key, _, count = identity[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype) or self._storage is None:
            raise pickle.UnpicklingError("it holds something else than tensors")
        return self._storage(key, dtype, int(count))


def _tensor(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    """A view of `storage` as the file describes it, checked to lie inside."""
    if len(size) != len(stride) or min((offset, *size, *stride)) < 0:
        raise ValueError("a tensor of impossible shape")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and last >= len(storage):
        raise ValueError("a tensor beyond its data")
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


def _parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data


def _read_zip(path: pathlib.Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise ValueError("the archive has no data.pkl")
        folder = pickled[: -len("data.pkl")]
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("written on a big-endian machine")
        kept: dict[str, np.ndarray] = {}

        def storage(key: Any, dtype: np.dtype, count: int) -> np.ndarray:
            if key not in kept:
                kept[key] = np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)
            if len(kept[key]) < count:
                raise ValueError(f"the data of storage {key} is cut short")
            return kept[key]

        return _Restricted(io.BytesIO(archive.read(pickled)), storage).load()


def _read_stream(path: pathlib.Path) -> Any:
    """The older layout: five pickles in a row, then the data of each storage, in the order of the last pickle."""
    kept: dict[str, np.ndarray] = {}
    room = path.stat().st_size

    def storage(key: Any, dtype: np.dtype, count: int) -> np.ndarray:
        if key not in kept:
            if not 0 <= count * dtype.itemsize <= room:
                raise ValueError(f"the data of storage {key} is cut short")
            kept[key] = np.zeros(count, dtype)
        return kept[key]

    with open(path, "rb") as file:
        if _Restricted(file).load() != _MAGIC:
            raise ValueError("an unknown layout")
        for _ in ("protocol", "machine"):
            _Restricted(file).load()
        tensors = _Restricted(file, storage).load()
        for key in _Restricted(file).load():
            count = int.from_bytes(file.read(8), "little")
            block = file.read(count * kept[key].itemsize)
            kept[key][:] = np.frombuffer(block, kept[key].dtype)
    return tensors
