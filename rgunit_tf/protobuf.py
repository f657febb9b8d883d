"""The wire format of protocol buffers, as far as the package writes messages without their generated classes."""

from __future__ import annotations


def field(number: int, content: bytes) -> bytes:
    """A field whose value has a length (text, a message, packed numbers): its key, the length, the content."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number from 0, seven bits a byte, the lowest first."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
