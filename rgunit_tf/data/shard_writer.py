"""Writes shards of TFRecords, each image read and checked once, in this process or elsewhere."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from rgunit_tf import atomic
from rgunit_tf.data import decoding, record_file
from rgunit_tf.data.records import FileReader
from rgunit_tf.data.worker_pool import Spread, serve
from rgunit_tf.names import to_bytes

PROGRESS = ".progress"
"""Folder, within the output, of what a call that was cut off has finished."""


def write_shards(jobs: Sequence[dict[str, Any]], spread: Spread) -> Iterator[dict[str, Any]]:
    """Has the jobs done and yields what `write_shard` returns of each, in their order.

    Raises:
      OSError: a shard cannot be written.
      RuntimeError: a worker ended early.
    """
    yield from map(json.loads, spread(_perform, jobs))


def write_shard(job: dict[str, Any]) -> dict[str, Any]:
    """Writes one shard, whole or not at all, unless an earlier call did.

    Args:
      job: `file`, the path of the shard, and `images`: of each `path`, `offset`, `length` (None: the whole file),
        `id`, `row` and, where known, `label`, `content_label` and `identity`; `align_faces`, see `decoding.face_of`.

    Returns:
      `file` (its name), `images`, `bytes`, `sha256` and `unreadable`, [name, reason] of each image that is left out.
    """
    final = pathlib.Path(job["file"])
    note = final.parent / PROGRESS / f"{final.name}.json"
    if note.exists() and final.exists():
        facts = json.loads(note.read_text(encoding="utf-8"))
        if atomic.checksum(final) == facts["sha256"]:
            return facts
    unreadable: list[tuple[str, str]] = []
    digest, size = hashlib.sha256(), 0
    with atomic.path(final) as temporary, open(temporary, "wb") as file:
        for image in job["images"]:
            try:
                encoded = decoding.face_of(_read(image)) if job.get("align_faces") else _read(image)
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


def _read(image: dict[str, Any]) -> bytes:
    if image["length"] is None:
        return FileReader("", [image["path"]]).read(0)
    with open(image["path"], "rb") as file:
        file.seek(image["offset"])
        return file.read(image["length"])


def _example(image: dict[str, Any], encoded: bytes) -> bytes:
    known = ("label", "content_label", "identity")
    labels = {name: image[name] for name in known if image.get(name) is not None}
    return record_file.example({"image": encoded, "id": to_bytes(image["id"]), "row": image["row"], **labels})


def _perform(job: dict[str, Any]) -> bytes:
    return json.dumps(write_shard(job)).encode()


if __name__ == "__main__":
    serve(_perform)
