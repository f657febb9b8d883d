"""Generated requests that are wrong in their bytes, numbers, shapes or types; some turn out to be right."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIZE, ATTRIBUTES, GALLERY = 16, 5, 12
_KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")


def _encode(kind: str, width: int = 37, height: int = 29, **options: Any) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


_FILES = {kind: _encode(kind) for kind in _KINDS}
_FILES["progressive"] = _encode("JPEG", 41, 33, progressive=True)
_FILES["large"] = _encode("JPEG", 301, 214)


def _picture(rng: np.random.Generator) -> bytes:
    return _FILES[str(rng.choice(["JPEG", "PNG", "progressive", "large"]))]


def _noise(rng: np.random.Generator) -> bytes:
    start = rng.choice(["", "\xff\xd8\xff", "\x89PNG\r\n\x1a\n"])
    return start.encode("latin-1") + rng.bytes(rng.integers(0, 3000))


def _flipped(rng: np.random.Generator) -> bytes:
    data = bytearray(_picture(rng))
    for _ in range(rng.integers(1, 40)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def _truncated(rng: np.random.Generator) -> bytes:
    data = _picture(rng)
    return data[: rng.integers(0, len(data))]


def _spliced(rng: np.random.Generator) -> bytes:
    """A part left out, repeated, or of another file."""
    data, other = _picture(rng), _picture(rng)
    start, stop = sorted(rng.integers(0, len(data), 2))
    middle = [b"", data[start:stop] * 2, other[start:stop]][rng.integers(3)]
    return data[:start] + middle + data[stop:]


def _other_format(rng: np.random.Generator) -> bytes:
    return _FILES[str(rng.choice(["GIF", "BMP", "WEBP", "TIFF"]))]


def _chunk(named: bytes, length: int) -> bytes:
    return struct.pack(">I", length) + named + struct.pack(">I", zlib.crc32(named))


def _sized_png(rng: np.random.Generator) -> bytes:
    """Claims any size, depth, colour type and filter."""
    sides = [int(rng.choice([0, 1, 255, 7071, 20_000, 2**31 - 1, 2**31, 2**32 - 1])) for _ in range(2)]
    head = b"IHDR" + struct.pack(">II5B", *sides, *(int(value) for value in rng.choice([0, 1, 2, 3, 4, 6, 8, 16], 5)))
    body = b"IDAT" + zlib.compress(bytes(64))
    chunks = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (head, body)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _sized_jpeg(rng: np.random.Generator) -> bytes:
    data = bytearray(_FILES[str(rng.choice(["JPEG", "progressive"]))])
    marker = data.find(b"\xff\xc0")
    start = (marker if marker >= 0 else data.index(b"\xff\xc2")) + 5
    data[start : start + 4] = struct.pack(">HH", *(int(side) for side in rng.choice([0, 1, 100, 30_000, 65_535], 2)))
    return bytes(data)


def _exif(rng: np.random.Generator) -> bytes:
    """Directories whose counts, offsets and types are anything; segments whose lengths lie."""

    def number(limit: int) -> int:
        return int(rng.choice([0, 1, 6, limit, rng.integers(limit)]))

    order = str(rng.choice(["<", ">"]))
    entry = struct.pack(order + "HHII", 0x0112, number(65_535), number(2**32 - 1), number(2**32 - 1))
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, int(rng.choice([8, number(2**32 - 1)])))
    content = tiff + struct.pack(order + "H", number(65_535)) + entry * int(rng.integers(0, 4)) + rng.bytes(9)
    if rng.integers(2):
        length = int(rng.choice([len(content), number(2**32 - 1)]))
        return _FILES["PNG"][:33] + _chunk(b"eXIf" + content, length) + _FILES["PNG"][33:]
    content = b"Exif\0\0" + content
    length = int(rng.choice([len(content) + 2, number(65_535)]))
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", length) + content + _FILES["JPEG"][2:]


_MAKERS = (_noise, _flipped, _truncated, _spliced, _other_format, _sized_png, _sized_jpeg, _exif)


def _files(rng: np.random.Generator) -> np.ndarray:
    found = [_picture(rng) if rng.integers(3) == 0 else _MAKERS[rng.integers(len(_MAKERS))](rng)]
    found += [_picture(rng)] * int(rng.integers(0, 3))
    return np.array(found, object)


def _spoiled(rng: np.random.Generator, value: np.ndarray) -> np.ndarray:
    """Numbers, shape or type changed."""
    choice = rng.integers(6)
    if choice == 0 and value.size and value.dtype == np.float32:
        value = value.copy()
        value.flat[rng.integers(value.size)] = rng.choice([np.nan, np.inf, -np.inf, -1e-3, 2.0, 3e38, -0.0])
        return value
    if choice == 1:
        return np.zeros([int(rng.choice([0, 1, 2, 3, SIZE])) for _ in range(rng.integers(0, 7))], value.dtype)
    if choice == 2:
        return np.zeros([0, *(int(rng.choice([0, 3, 65_536, 2**20])) for _ in range(value.ndim - 1))], value.dtype)
    if choice == 3:
        return value.astype(rng.choice(["int32", "int64", "float32", "float64", "uint8", "bool"]))
    if choice == 4:
        return np.array([b"text"] * max(len(np.atleast_1d(value)), 1), object)
    return np.concatenate([value, value]) if value.ndim else value.reshape(1, 1)


def request(rng: np.random.Generator) -> tuple[str, str, dict[str, np.ndarray]]:
    """Model, signature and inputs of a request to `translate_bytes`, `retrieve` or `retrieve_bytes`."""
    model, signature = [
        ("translation", "translate_bytes"),
        ("guided", "translate_bytes"),
        ("retrieval", "retrieve"),
        ("guided", "retrieve_bytes"),
    ][rng.integers(4)]
    inputs: dict[str, np.ndarray] = {}
    if signature == "retrieve":
        inputs["images"] = rng.integers(0, 256, (rng.integers(0, 4), SIZE, SIZE, 3)).astype(np.uint8)
    else:
        inputs["image_bytes"] = _files(rng)
    count = len(next(iter(inputs.values())))
    inputs["attributes"] = rng.integers(0, 2, (count, ATTRIBUTES)).astype(np.float32)
    if rng.integers(8):
        inputs["attributes"][:, 1:3] = 0.0  # of three that exclude each other the first may hold
    if signature.startswith("retrieve"):
        choices = [1, GALLERY, GALLERY + 1, 0, -1, 2**31 - 1, -(2**31)]
        inputs["k"] = rng.choice(choices, count if rng.integers(2) else ()).astype(np.int32)
    if signature == "retrieve" or rng.integers(2):
        name = str(rng.choice([name for name in inputs if name != "image_bytes"]))
        inputs[name] = _spoiled(rng, np.asarray(inputs[name]))
    if rng.integers(20) == 0:
        del inputs[str(rng.choice(list(inputs)))]
    return model, signature, inputs
