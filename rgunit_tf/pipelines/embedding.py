"""Prepared images as a gallery in shards, embedded side by side and each written once it is whole.

    shards/00000-of-00008/    a gallery of its own, with its index; see `retrieval.gallery_files`

A job is one shard: the images of some TFRecord files that `bin/prepare` wrote, in the order of their source. Whoever
does it verifies and reads those files alone. A call that was cut off goes on with the shards that are missing.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rgunit_tf.data import decoding, prepare, tfrecord, worker_pool
from rgunit_tf.data.worker_pool import Spread, serve
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import gallery_files
from rgunit_tf.retrieval.embedding import embedded
from rgunit_tf.retrieval.sharded import shard_name
from rgunit_tf.runs import finished
from rgunit_tf.runs.workdir import Workdir

# Images embedded at a time.
_BATCH = 64


def embed(
    workdir: Workdir,
    records: str | os.PathLike,
    output: str | os.PathLike,
    shards: int = 0,
    index: str = "exact",
    keep_images: bool = True,
    workers: int = 1,
    spread: Spread | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[pathlib.Path]:
    """Embeds prepared images by a run's retrieval model into a folder of gallery shards.

    Args:
      workdir: with a finished retrieval stage.
      records: a folder that `bin/prepare` wrote. Its images are those of a retrieval folder, where it has them, else
        the training images, with labels or without.
      output: folder of the shards; made if absent.
      shards: how many, at most one a TFRecord file; 0: one a file.
      index: `exact` or `scann`, built for each shard.
      keep_images: hold the images too, at the size of the model.
      workers: processes that embed; each loads the model.
      spread: does the work in the place of `workers` processes, such as `beam.spread`.
      progress: called with (images done, images in all) after each shard.

    Returns:
      The folders of the shards.

    Raises:
      UserError: the stage is not finished, files are missing or damaged, or `output` holds other shards.
    """
    records, output = (pathlib.Path(path).expanduser().absolute() for path in (records, output))
    files, crop_share = tfrecord.retrieval_files(tfrecord.read_manifest(records))
    count = min(shards or len(files), len(files))
    edges = [number * len(files) // count for number in range(count + 1)]
    names = [shard_name(number, count) for number in range(count)]
    common = {
        "workdir": os.path.abspath(workdir.path),
        "records": os.fspath(records),
        "crop_share": crop_share,
        "metadata": {"made_by": finished.retrieval_key(workdir)},
        "index": index,
        "keep_images": keep_images,
    }
    strangers = sorted({path.parent.name for path in output.glob(f"*/{gallery_files.MANIFEST}")} - set(names))
    if strangers:
        raise UserError(f"{output / strangers[0]}: a shard of another gallery; choose another --output")
    jobs = [
        {**common, "files": files[start:stop], "folder": os.fspath(output / name)}
        for name, (start, stop) in zip(names, itertools.pairwise(edges), strict=True)
    ]
    spread = spread or functools.partial(worker_pool.spread, workers=workers)
    done, total = 0, sum(facts["images"] for _, facts in files)
    with (
        prepare.errors(output),
        prepare.lock(output, "bin/embed"),
        contextlib.closing(spread(_embed_shard, jobs)) as answers,
    ):
        for answer in answers:
            done += json.loads(answer)["images"]
            if progress is not None:
                progress(done, total)
    shutil.rmtree(output / prepare.PROGRESS, ignore_errors=True)
    return [pathlib.Path(job["folder"]) for job in jobs]


def _embed_shard(job: dict[str, Any]) -> bytes:
    """Writes one shard, whole or not at all, unless an earlier call did."""
    folder, root = pathlib.Path(job["folder"]), pathlib.Path(job["records"])
    source = [facts["sha256"] for _, facts in job["files"]]
    metadata = {**job["metadata"], "records": source, "keep_images": job["keep_images"]}
    if folder.exists():
        held = gallery_files.read_facts(folder)
        if held["metadata"] != metadata or held["index"]["kind"] != job["index"]:
            raise UserError(f"{folder}: a shard of another gallery; choose another --output, or delete it")
        return json.dumps({"images": held["count"]}).encode()
    reader, model = tfrecord.read_images(root, job["files"]), _model(job["workdir"], *job["metadata"]["made_by"])
    batches = _batches(reader, model.translation.image_size, job["crop_share"])
    gallery_files.write(folder, embedded(model, batches, job["keep_images"]), job["index"], metadata)
    return json.dumps({"images": len(reader)}).encode()


@functools.lru_cache(maxsize=1)
def _model(workdir: str, *key: str) -> Any:
    """The retrieval model, loaded once a process; `key` changes with its weights."""
    del key
    return finished.load(Workdir(workdir), "retrieval", inference=True)


def _batches(reader: tfrecord.RecordReader, size: int, crop_share: float) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(reader), _BATCH):
        rows = range(start, min(start + _BATCH, len(reader)))
        images, unreadable = decoding.decode_rows(reader, rows, size, crop_share)
        for row, reason in unreadable.items():
            raise UserError(f"{reader.name(row)}: no longer readable ({reason}); run bin/prepare again")
        yield {"image": images, "id": np.array([reader.id(row) for row in rows], object)}


if __name__ == "__main__":
    serve(_embed_shard)
