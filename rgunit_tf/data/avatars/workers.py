"""Draws many avatars at once, in processes: rasterising holds Python's lock, so threads would not help."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.data.avatars import drawing
from rgunit_tf.data.avatars.people import Person
from rgunit_tf.data.worker_pool import serve, spread

_CHUNK = 32


def draw_arrays(people: Sequence[Person], size: int, workers: int | None = None, side: int | None = None) -> np.ndarray:
    """Pictures of `people`, drawn `size` pixels wide.

    Args:
      people: N of them.
      size: width of the drawing, pixels.
      workers: processes; all cores by default.
      side: cut out the largest squares and resize them to this side, as the input pipeline does with files.

    Returns:
      uint8 [N, H, W, 3] as they are drawn, or [N, side, side, 3].
    """
    shape = (side, side, 3) if side else (drawing.height_of(size), size, 3)
    jobs = [{"size": size, "people": chunk, "side": side} for chunk in _people(people)]
    drawn = spread(_perform, jobs, workers or os.cpu_count() or 1)
    return np.frombuffer(bytearray().join(drawn), np.uint8).reshape(-1, *shape)


def draw_files(people: Sequence[Person], files: Sequence[str], size: int, workers: int | None = None) -> Iterator[int]:
    """Writes the picture of each person to its PNG file, whole or not at all; yields how many were added, as they are.

    Raises:
      OSError: a file cannot be written.
    """
    jobs = [
        {"size": size, "people": chunk, "files": list(names)}
        for chunk, names in zip(_people(people), _chunks(files), strict=True)
    ]
    for job, _ in zip(jobs, spread(_perform, jobs, workers or os.cpu_count() or 1), strict=True):
        yield len(job["files"])


def _chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]


def _people(people: Sequence[Person]) -> list[list[dict[str, Any]]]:
    return [[person.to_dict() for person in chunk] for chunk in _chunks(people)]


def _perform(job: dict[str, Any]) -> bytes:
    """Does one job: the pixels, or nothing where they went to files."""
    drawn = [drawing.draw(Person.from_dict(record), job["size"]) for record in job["people"]]
    if "files" not in job:
        if job["side"]:
            drawn = [decoding.decode(_png(picture, 0), job["side"]) for picture in drawn]
        return b"".join(picture.tobytes() for picture in drawn)
    for picture, final in zip(drawn, job["files"], strict=True):
        final = pathlib.Path(final)
        partial = final.with_name(f".partial-{os.getpid()}-{final.name}")
        partial.write_bytes(_png(picture, 4))
        os.replace(partial, final)
    return b""


def _png(picture: np.ndarray, compression: int) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG", compress_level=compression)
    return encoded.getvalue()


if __name__ == "__main__":
    serve(_perform)
