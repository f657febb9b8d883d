"""Any source as sharded TFRecord files, from which training gets the very batches that it gets from the source.

The output folder holds `<part>-00000-of-00004.tfrecord` files and `dataset.json`, the manifest with the checksum of
each shard, which is written last: the data set is whole where it is present. A record is a tf.train.Example with
`image` (the bytes of the original file, so that pixels and the choice of image_size stay those of the source; or its
face, aligned), `id`, `row` (its place in the source, which decides the order of batches) and, where known, `label`,
`content_label` and `identity`.

The parts are train, validation, test, unlabeled (images of the training part without a label) and retrieval (the
images of a folder that data.retrieval_source names; who reads names the output there). data.fraction is left to those
who read.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.data import decoding, tfrecord, worker_pool
from rgunit_tf.data.records import Reader, Records
from rgunit_tf.data.shard_writer import PROGRESS, write_shards
from rgunit_tf.data.worker_pool import Spread
from rgunit_tf.errors import UserError
from rgunit_tf.names import several, to_bytes

SHARD_BYTES = 32 << 20
MAX_UNREADABLE = 0.01


def write_tfrecord(
    records: Records,
    output: str | os.PathLike,
    retrieval: Reader | None = None,
    shards: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    align_faces: bool = False,
    spread: Spread | None = None,
) -> dict[str, Any]:
    """Writes a data set as TFRecord shards; a call that was cut off goes on with the shards that are missing.

    Args:
      records: what to write; unreadable images are left out, named and counted.
      output: folder to fill; made if absent.
      retrieval: unlabelled images of the retrieval set besides, such as `folder.unlabelled_reader` finds.
      shards: files a part; 0: one for each 32 MiB.
      workers: processes that read, check and write.
      progress: called with (images done, images in all) after each shard.
      align_faces: write the largest face of each picture, see `decoding.face_of`, in the place of its own bytes.
      spread: does the work in the place of `workers` processes, such as `pipelines.beam_spread`.

    Returns:
      The manifest.

    Raises:
      UserError: `output` holds another data set, is in use or full, or more than 1 % of the images are unreadable.
    """
    output = pathlib.Path(output).expanduser()
    plan = {"format": tfrecord.FORMAT, "source": _fingerprint(records, retrieval), "shards": shards}
    plan |= {"align_faces": True} if align_faces else {}
    if (output / tfrecord.MANIFEST).exists():
        manifest = tfrecord.read_manifest(output)
        if manifest["plan"] == plan:
            _clean(output)
            return manifest
        raise UserError(f"{output / tfrecord.MANIFEST}: another data set lies there; choose another --output")
    with errors(output), lock(output, "bin/prepare"):
        _start(output, plan)
        jobs = [job for part in _parts(records, retrieval) for job in _jobs(*part, output, shards)]
        jobs = [{**job, "align_faces": True} for job in jobs] if align_faces else jobs
        written = _write(
            jobs,
            _limits(records, retrieval),
            output,
            spread or functools.partial(worker_pool.spread, workers=workers),
            progress,
        )
        manifest = {
            "plan": plan,
            "schema": records.schema.to_dict(),
            "content_names": list(records.content_names),
            "crop": records.crop,
            "crop_share": records.crop_share,
            "left_out": list(records.left_out),
            "splits": written,
        }
        atomic.write_json(output / tfrecord.MANIFEST, manifest)
        _clean(output)
    return manifest


def unreadable(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, reason) of each image that was left out."""
    return [tuple(item) for entries in manifest["splits"].values() for entry in entries for item in entry["unreadable"]]


def _fingerprint(records: Records, retrieval: Reader | None) -> str:
    """Changes whenever the shards might."""
    facts = [records.schema.to_dict(), records.content_names, records.crop, records.reader.key()]
    digest = hashlib.sha256(json.dumps([*facts, retrieval.key() if retrieval else None]).encode())
    digest.update(to_bytes("\0".join(records.ids.tolist())))
    for array in (records.labels, records.partition, records.content_labels, records.identities):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _parts(records: Records, retrieval: Reader | None) -> Iterator[tuple[str, np.ndarray, list[dict[str, Any]]]]:
    """Each part that holds images: its name, their encoded sizes, and what a shard says of each."""
    sizes = records.reader.sizes()
    for name, part in tfrecord.PARTS.items():
        rows = np.flatnonzero(records.partition == part)
        images = [{**_place(records.reader, row), "id": str(records.ids[row]), "row": int(row)} for row in rows]
        if name != "unlabeled":
            for image, row in zip(images, rows, strict=True):
                image["label"] = records.labels[row].tolist()
                if records.content_labels is not None:
                    image["content_label"] = records.content_labels[row].tolist()
                if records.identities is not None:
                    image["identity"] = int(records.identities[row])
        if images:
            yield name, sizes[rows], images
    if retrieval is not None:
        images = [
            {**_place(retrieval, row), "id": f"retrieval/{retrieval.relative_name(row)}", "row": row}
            for row in range(len(retrieval))
        ]
        yield tfrecord.RETRIEVAL, retrieval.sizes(), images


def _place(reader: Reader, row: int) -> dict[str, Any]:
    """Where the encoded image lies."""
    if isinstance(reader, tfrecord.RecordReader):
        return reader.place(row)
    return {"path": reader.name(row), "offset": 0, "length": None}


def _jobs(name: str, sizes: np.ndarray, images: list[dict[str, Any]], output: pathlib.Path, shards: int) -> list[dict]:
    count = max(1, min(shards or -(-int(sizes.sum()) // SHARD_BYTES), len(images)))
    edges = [number * len(images) // count for number in range(count + 1)]
    return [
        {
            "part": name,
            "file": os.fspath(output / f"{name}-{number:05d}-of-{count:05d}.tfrecord"),
            "images": images[edges[number] : edges[number + 1]],
        }
        for number in range(count)
    ]


def _limits(records: Records, retrieval: Reader | None) -> dict[str, int]:
    """Images of each source that are to be written."""
    counts = {"data": int((records.partition >= 0).sum())}
    return counts if retrieval is None else {**counts, tfrecord.RETRIEVAL: len(retrieval)}


def _write(
    jobs: list[dict[str, Any]],
    counts: dict[str, int],
    output: pathlib.Path,
    spread: Spread,
    progress: Callable[[int, int], None] | None,
) -> dict[str, list[dict[str, Any]]]:
    """Writes the shards; returns the manifest's entries by part."""
    written: dict[str, list[dict[str, Any]]] = {}
    bad: dict[str, list[tuple[str, str]]] = {source: [] for source in counts}
    done = 0
    with contextlib.closing(write_shards(jobs, spread)) as results:
        for job, facts in zip(jobs, results, strict=True):
            source = job["part"] if job["part"] in counts else "data"
            bad[source] += facts["unreadable"]
            if len(bad[source]) > MAX_UNREADABLE * counts[source]:
                _refuse(bad[source], counts[source], output)
            written.setdefault(job["part"], []).append(facts)
            done += len(job["images"])
            if progress is not None:
                progress(done, sum(counts.values()))
    _tell([item for items in bad.values() for item in items])
    return written


def _refuse(bad: list[tuple[str, str]], count: int, output: pathlib.Path) -> None:
    """Ends, and leaves nothing that would be in the way once the images are replaced."""
    for shard in output.glob("*-of-*.tfrecord"):
        shard.unlink()
    shutil.rmtree(output / PROGRESS)
    raise UserError(
        f"at least {len(bad)} of {count} images cannot be read, more than {MAX_UNREADABLE:.0%}: "
        f"{decoding.listed(bad)}; replace or remove them, then start again"
    )


def _tell(bad: list[tuple[str, str]]) -> None:
    if bad:
        logging.warning(
            "Skipped %s, see %s: %s", several(len(bad), "unreadable image"), tfrecord.MANIFEST, decoding.listed(bad)
        )


def _start(output: pathlib.Path, plan: dict[str, Any]) -> None:
    """Checks that the call that began to fill the folder had the same plan, or notes this one's."""
    started = output / PROGRESS / "plan.json"
    if started.exists():
        if json.loads(started.read_text(encoding="utf-8")) != plan:
            raise UserError(f"{output}: another data set was begun there; choose another --output or delete it")
        return
    if any(entry.name != PROGRESS for entry in output.iterdir()):
        raise UserError(f"{output}: the folder is not empty; choose another --output")
    atomic.write_json(started, plan)


@contextlib.contextmanager
def lock(output: pathlib.Path, command: str) -> Iterator[None]:
    """Held while a call of `command` writes; a crash leaves it free."""
    output.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(output, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{output}: another {command} writes there; wait for it or choose another --output") from None
    else:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def errors(output: pathlib.Path) -> Iterator[None]:
    """Turns a full disk or a folder that cannot be written into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"--output={output}: cannot be written ({error.strerror or error}); make room or choose another folder, "
            "what is finished is kept"
        ) from error


def _clean(output: pathlib.Path) -> None:
    """Removes the notes on progress and what a killed call left half-written."""
    atomic.clear(output.glob(".partial-*"))
    shutil.rmtree(output / PROGRESS, ignore_errors=True)
