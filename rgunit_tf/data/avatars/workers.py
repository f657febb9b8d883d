"""Draws many avatars at once, in worker processes.

The workers are plain Python processes that read jobs from standard input, not `multiprocessing` children: those would
import the caller's script again, and with it TensorFlow, and fail where the script has no `__main__` guard. Rasterising
holds Python's lock, so threads would not help. A worker ends with its input, also when the caller is killed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import queue
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.data.avatars import drawing
from rgunit_tf.data.avatars.people import Person
from rgunit_tf.data.worker_process import requests, while_asked, worker_process

_CHUNK = 32
_HEADER = struct.Struct("<?q")  # whether it went well, length of what follows


def draw_arrays(
    people: Sequence[Person], size: int, workers: int | None = None, side: int | None = None, crop: int = 178
) -> np.ndarray:
    """Pictures of `people`, drawn `size` pixels wide.

    Args:
      people: N of them.
      size: width of the drawing, pixels.
      workers: processes; all cores by default.
      side: crop and resize the drawings to squares of this side, as the input pipeline does with files.
      crop: side of that centre crop, as `rgunit_tf.data.decoding.decode` has it.

    Returns:
      uint8 [N, H, W, 3] as they are drawn, or [N, side, side, 3].
    """
    shape = (side, side, 3) if side else (drawing.height_of(size), size, 3)
    jobs = [{"size": size, "people": chunk, "side": side, "crop": crop} for chunk in _chunks(people)]
    return np.frombuffer(bytearray().join(_spread(jobs, workers)), np.uint8).reshape(-1, *shape)


def draw_files(people: Sequence[Person], files: Sequence[str], size: int, workers: int | None = None) -> Iterator[int]:
    """Writes the picture of each person to its PNG file, whole or not at all; yields how many were added, as they are.

    Raises:
      RuntimeError: a worker could not write (in the calling process, with one worker: OSError).
    """
    jobs = [
        {"size": size, "people": chunk, "files": list(names)}
        for chunk, names in zip(_chunks(people), _chunks(files), strict=True)
    ]
    for job, _ in zip(jobs, _spread(jobs, workers), strict=True):
        yield len(job["files"])


def _chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]


def _perform(job: dict[str, Any]) -> bytes:
    """Does one job: the pixels, or nothing where they went to files."""
    drawn = [drawing.draw(person, job["size"]) for person in job["people"]]
    if "files" not in job:
        if job["side"]:
            drawn = [decoding.decode(_png(picture, 0), job["side"], job["crop"]) for picture in drawn]
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


def _spread(jobs: list[dict[str, Any]], workers: int | None) -> Iterator[bytes]:
    """Yields the answers to `jobs` in their order."""
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        yield from map(_perform, jobs)
        return
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(worker_process(__spec__.name)))

        def ask(job: dict[str, Any]) -> bytes:
            process = idle.get()
            try:
                people = [person.to_dict() for person in job["people"]]
                process.stdin.write(json.dumps({**job, "people": people}).encode() + b"\n")
                process.stdin.flush()
                return _answer(process.stdout)
            finally:
                idle.put(process)

        pool = futures.ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(ask, jobs)


def _answer(stream: BinaryIO) -> bytes:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise RuntimeError("a process that draws avatars ended early; what it printed is above")
    well, length = _HEADER.unpack(header)
    content = stream.read(length)
    if not well:
        raise RuntimeError(f"drawing avatars failed: {content.decode()}")
    return content


def _serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    for job in requests(jobs):
        try:
            well, content = True, _perform({**job, "people": [Person.from_dict(record) for record in job["people"]]})
        except Exception as error:
            well, content = False, f"{type(error).__name__}: {error}".encode()
        answers.write(_HEADER.pack(well, len(content)) + content)
        answers.flush()


if __name__ == "__main__":
    with while_asked():
        _serve(sys.stdin.buffer, sys.stdout.buffer)
