"""The TFRecord format and tf.train.Example, written without TensorFlow, so that a process that writes starts at once.

A record is its length (uint64), a checksum of that, its bytes, a checksum of those; little-endian throughout. The
checksum is CRC-32C, rotated by 15 bits and moved by a constant. Written after TensorFlow's documentation of the format
and the wire format of protocol buffers.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from rgunit_tf.protobuf import field, varint

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_BLOCK = 256
_SHORT = 64


def frame(record: bytes) -> bytes:
    """`record` as it stands in a TFRecord file."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, struct.pack("<I", masked_crc(length)), record, struct.pack("<I", masked_crc(record))))


def masked_crc(data: bytes) -> int:
    """The checksum that TFRecord files hold."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4).

    The remainder is linear: that of a block is the exclusive or of one table entry a byte, chosen by its value and its
    distance from the end. numpy looks all of them up at once; what is left of earlier blocks goes into the first four
    bytes of the next.
    """
    if len(data) < _SHORT:
        table, crc = _tables()[0].tolist(), 0xFFFFFFFF
        for byte in data:
            crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    tables, first = _tables(), _first_bytes()
    # Zeros in front change nothing; the initial register of ones is what the first four bytes are mixed with.
    padded = np.zeros(-(-len(data) // _BLOCK) * _BLOCK, np.uint8)
    start = len(padded) - len(data)
    padded[start:] = np.frombuffer(data, np.uint8)
    padded[start : start + 4] ^= 255
    places = padded.reshape(-1, _BLOCK) + (np.arange(_BLOCK - 1, -1, -1, dtype=np.int32) * 256)
    crc = 0
    for block in np.bitwise_xor.reduce(np.take(tables.reshape(-1), places), axis=1).tolist():
        crc = block ^ first[0][crc & 255] ^ first[1][crc >> 8 & 255] ^ first[2][crc >> 16 & 255] ^ first[3][crc >> 24]
    return crc ^ 0xFFFFFFFF


@functools.cache
def _tables() -> np.ndarray:
    """What byte b, with d bytes after it in the block, adds to the remainder: uint32 [d, b]."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    rows = [table]
    for _ in range(_BLOCK - 1):
        rows.append(table[rows[-1] & 255] ^ (rows[-1] >> 8))
    return np.stack(rows)


@functools.cache
def _first_bytes() -> list[list[int]]:
    """The tables of the first four bytes of a block."""
    return [_tables()[_BLOCK - 1 - place].tolist() for place in range(4)]


def example(features: Mapping[str, bytes | int | Sequence[float]]) -> bytes:
    """A serialised tf.train.Example: bytes, an integer or floats a feature, in the order of their names."""
    entries = b""
    for name, value in sorted(features.items()):
        if isinstance(value, bytes):
            feature = field(1, field(1, value))
        elif isinstance(value, int):
            feature = field(3, field(1, varint(value)))
        else:
            feature = field(2, field(1, struct.pack(f"<{len(value)}f", *value)))
        entries += field(1, field(1, name.encode()) + field(2, feature))
    return field(1, entries)
