"""Writes shards of TFRecords, each image read and checked once, in this process or in several.

The workers are plain Python processes without TensorFlow that read jobs from standard input and end with it, also when
the caller is killed (see `avatars.workers` for why not `multiprocessing`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import queue
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

from rgunit_tf import atomic
from rgunit_tf.data import decoding, record_file
from rgunit_tf.data.records import FileReader
from rgunit_tf.data.worker_process import requests, while_asked, worker_process

PROGRESS = ".progress"
"""Folder, within the output, of what a call that was cut off has finished."""


def write_shards(jobs: Sequence[dict[str, Any]], workers: int) -> Iterator[dict[str, Any]]:
    """Does the jobs and yields what `write_shard` returns of each, in their order.

    Raises:
      OSError: a shard cannot be written.
      RuntimeError: a worker ended early.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(write_shard, jobs)
        return
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(worker_process(__spec__.name)))

        def ask(job: dict[str, Any]) -> dict[str, Any]:
            process = idle.get()
            try:
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            finally:
                idle.put(process)
            if not answer:
                raise RuntimeError("a process that writes shards ended early; what it printed is above")
            answer = json.loads(answer)
            if "errno" in answer:
                raise OSError(answer["errno"], answer["text"], answer["file"])
            return answer

        pool = futures.ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(ask, jobs)


def write_shard(job: dict[str, Any]) -> dict[str, Any]:
    """Writes one shard, whole or not at all, unless an earlier call did.

    Args:
      job: `file`, the path of the shard, and `images`: of each `path`, `offset`, `length` (None: the whole file),
        `id`, `row` and, where known, `label` and `content_label`.

    Returns:
      `file` (its name), `images`, `bytes`, `sha256` and `unreadable`, [name, reason] of each image that is left out.
    """
    final = pathlib.Path(job["file"])
    note = final.parent / PROGRESS / f"{final.name}.json"
    if note.exists() and final.exists():
        facts = json.loads(note.read_text(encoding="utf-8"))
        if sha256(final) == facts["sha256"]:
            return facts
    unreadable: list[tuple[str, str]] = []
    digest, size = hashlib.sha256(), 0
    with atomic.path(final) as temporary, open(temporary, "wb") as file:
        for image in job["images"]:
            try:
                encoded = _read(image)
                # The smallest size lets the JPEG decoder skip most of its work, yet a cut-off file fails.
                decoding.decode(encoded, 1)
            except (OSError, decoding.UnreadableImageError) as error:
                unreadable.append((image["path"], str(error)))
                continue
            framed = record_file.frame(_example(image, encoded))
            digest.update(framed)
            size += file.write(framed)
    facts = {
        "file": final.name,
        "images": len(job["images"]) - len(unreadable),
        "bytes": size,
        "sha256": digest.hexdigest(),
        "unreadable": unreadable,
    }
    atomic.write_json(note, facts)
    return facts


def sha256(path: pathlib.Path) -> str:
    """Checksum of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(image: dict[str, Any]) -> bytes:
    if image["length"] is None:
        return FileReader("", [image["path"]]).read(0)
    with open(image["path"], "rb") as file:
        file.seek(image["offset"])
        return file.read(image["length"])


def _example(image: dict[str, Any], encoded: bytes) -> bytes:
    labels = {name: image[name] for name in ("label", "content_label") if image.get(name) is not None}
    name = image["id"].encode("utf-8", "surrogateescape")
    return record_file.example({"image": encoded, "id": name, "row": image["row"], **labels})


def _serve() -> None:
    for request in requests(sys.stdin.buffer):
        try:
            answer = write_shard(request)
        except OSError as error:
            answer = {"errno": error.errno, "text": error.strerror, "file": error.filename}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with while_asked():
        _serve()
