"""Decoded images on disk, so that the second start of a run does not decode again.

An entry is `<key>.npy` with the pixels and `<key>.json` with their checksum. The key holds everything the pixels depend
on, so an entry is never stale; one that is damaged is rebuilt. The folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import zlib
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf import atomic, cache
from rgunit_tf.data import decoding
from rgunit_tf.data.records import Reader

# Part of the name of an entry: raise it whenever what an entry holds changes.
_FORMAT = 2
# Below this size decoding is as quick as reading.
SMALLEST_BYTES = 16 << 20
# The least recently used entries go when the folder grows beyond this.
LARGEST_TOTAL_BYTES = 16 << 30


def _entry(reader: Reader, size: int, crop_share: float) -> pathlib.Path:
    facts = f"{_FORMAT}/{decoding.VERSION}/{reader.key()}/{size}/{float(crop_share)}"
    return cache.user_folder() / "decoded" / hashlib.sha256(facts.encode()).hexdigest()[:32]


def _checksum(unreadable: dict[str, str], images: np.ndarray | None = None) -> int:
    pixels = 0 if images is None else zlib.crc32(memoryview(np.ascontiguousarray(images)).cast("B"))
    return zlib.crc32(json.dumps(sorted(unreadable.items())).encode(), pixels)


def _facts(unreadable: dict[int, str], images: np.ndarray | None = None) -> dict[str, Any]:
    named = {str(row): why for row, why in unreadable.items()}
    return {"crc32": _checksum(named, images), "unreadable": named}


def _unreadable(facts: dict[str, Any], images: np.ndarray | None = None) -> dict[int, str]:
    if _checksum(facts["unreadable"], images) != facts["crc32"]:
        raise ValueError("its checksum is not what was written")
    return {int(row): str(reason) for row, reason in facts["unreadable"].items()}


def load(reader: Reader, size: int, crop_share: float) -> tuple[np.ndarray, dict[int, str]] | None:
    """The images as `decoding.decode_rows` returned them, or None if they are not held or damaged."""
    shape = (len(reader), size, size, 3)
    if np.prod(shape, dtype=np.int64) < SMALLEST_BYTES:
        return None
    entry = _entry(reader, size, crop_share)
    pixels = entry.with_suffix(".npy")
    try:
        facts = json.loads(entry.with_suffix(".json").read_text(encoding="utf-8"))
        images = np.load(pixels, allow_pickle=False)
        if images.shape != shape or images.dtype != np.uint8:
            raise ValueError("its shape is not what was written")
        unreadable = _unreadable(facts, images)
        os.utime(pixels)
        return images, unreadable
    except FileNotFoundError:
        return None
    except Exception as error:
        # A damaged header makes NumPy raise anything from a SyntaxError to a MemoryError.
        logging.warning("Decoding again: the cache %s is damaged (%s)", pixels, error)
        return None


def save(reader: Reader, size: int, crop_share: float, images: np.ndarray, unreadable: dict[int, str]) -> None:
    """Writes the images; a folder that cannot be written is no error."""
    if images.nbytes < SMALLEST_BYTES:
        return
    entry = _entry(reader, size, crop_share)
    try:
        with atomic.path(entry.with_suffix(".npy")) as temporary:
            np.save(temporary, images, allow_pickle=False)
        atomic.write_json(entry.with_suffix(".json"), _facts(unreadable, images))
        _prune(entry.parent, keep=entry.with_suffix(".npy"))
    except OSError as error:
        logging.warning("The decoded images are not kept for the next start: %s", error)


def load_unreadable(reader: Reader) -> dict[int, str] | None:
    """What `save_unreadable` kept for these images; None if they were not checked."""
    try:
        return _unreadable(json.loads(_entry(reader, 0, 0).with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save_unreadable(reader: Reader, unreadable: dict[int, str]) -> None:
    """Keeps which images of a data set that is too large to hold are unreadable."""
    try:
        atomic.write_json(_entry(reader, 0, 0).with_suffix(".json"), _facts(unreadable))
    except OSError as error:
        logging.warning("The check of the images is not kept for the next start: %s", error)


def _prune(folder: pathlib.Path, keep: pathlib.Path) -> None:
    entries = sorted(folder.glob("*.npy"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = keep.stat().st_size
    for path in entries:
        if path == keep:
            continue
        total += path.stat().st_size
        if total > LARGEST_TOTAL_BYTES:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
