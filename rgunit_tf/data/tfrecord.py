"""Sharded TFRecord files: written from any data set, read back with random access to every image.

A folder holds `<split>-00000-of-00004.tfrecord` files and `dataset.json`, which is written last: the data set is whole
where it is present. A record is a tf.train.Example with `image` (the bytes of the original file, so that pixels and
the choice of image_size stay those of the source), `id` and, where known, `label` and `content_label`.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import struct
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.data.decoding import threads
from rgunit_tf.data.records import TEST, TRAIN, UNLABELED, VALIDATION, Records
from rgunit_tf.data.split import Dataset, Split
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError

MANIFEST = "dataset.json"
FORMAT = 1
_PROGRESS = ".progress"
_PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "unlabeled": UNLABELED}
_SHARD_BYTES = 64 << 20


def write_tfrecord(
    dataset: Dataset,
    output: str | os.PathLike,
    shards: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pathlib.Path:
    """Writes a data set as TFRecord shards, several at a time; a call that was cut off goes on where it stopped.

    Images of `dataset.retrieval` that are not in `dataset.train` become the split `unlabeled`.

    Args:
      dataset: what to write; unreadable images are left out.
      output: folder to fill; made if absent.
      shards: files a split; 0: one for each 64 MiB.
      progress: called with (shards done, shards in all) after each shard.

    Returns:
      The manifest's path.

    Raises:
      UserError: `output` holds another data set, or an image has become unreadable.
    """
    output = pathlib.Path(output).expanduser()
    plan = {"format": FORMAT, "fingerprint": dataset.fingerprint, "shards": shards}
    if (output / MANIFEST).exists():
        if _read_manifest(output).get("plan") == plan:
            return output / MANIFEST
        raise UserError(f"{output / MANIFEST}: another data set lies there; choose another --output")
    _start(output, plan)
    work = [
        (split, rows, output / f"{name}-{number:05d}-of-{len(pieces):05d}.tfrecord")
        for name, split in _splits(dataset).items()
        for pieces in [np.array_split(np.arange(len(split)), _shard_count(split, shards))]
        for number, rows in enumerate(pieces)
    ]
    with futures.ThreadPoolExecutor(threads()) as pool:
        written = []
        for number, facts in enumerate(pool.map(lambda item: _write_shard(*item), work), 1):
            written.append(facts)
            logging.info("%s: shard %d of %d", facts["file"], number, len(work))
            if progress is not None:
                progress(number, len(work))
    manifest = {
        "plan": plan,
        "schema": dataset.schema.to_dict(),
        "content_names": list(dataset.train.content_names),
        "crop": dataset.crop,
        "splits": {
            name: [facts for facts in written if facts["file"].startswith(f"{name}-")] for name in _splits(dataset)
        },
    }
    atomic.write_json(output / MANIFEST, manifest)
    _clean(output)
    return output / MANIFEST


def _splits(dataset: Dataset) -> dict[str, Split]:
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    if dataset.retrieval is not dataset.train:
        splits["unlabeled"] = dataset.retrieval.subset(~np.isin(dataset.retrieval.ids, dataset.train.ids))
    return {name: split for name, split in splits.items() if len(split)}


def _shard_count(split: Split, shards: int) -> int:
    total = int(split.store.reader.sizes()[split.rows].sum())
    return max(1, min(shards or -(-total // _SHARD_BYTES), len(split)))


def _start(output: pathlib.Path, plan: dict[str, Any]) -> None:
    """Makes the folder, or checks that the call that began to fill it had the same plan."""
    started = output / _PROGRESS / "plan.json"
    if started.exists():
        if json.loads(started.read_text(encoding="utf-8")) != plan:
            raise UserError(f"{output}: another data set was begun there; choose another --output or delete it")
        return
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"{output}: the folder is not empty; choose another --output")
    atomic.write_json(started, plan)


def _write_shard(split: Split, indices: np.ndarray, final: pathlib.Path) -> dict[str, Any]:
    """Writes one shard unless it is there; returns its entry in the manifest."""
    note = final.parent / _PROGRESS / f"{final.name}.json"
    if note.exists() and final.exists():
        facts = json.loads(note.read_text(encoding="utf-8"))
        if _sha256(final) == facts["sha256"]:
            return facts
    with atomic.path(final) as temporary:
        with tf.io.TFRecordWriter(os.fspath(temporary)) as writer:
            for index in indices:
                writer.write(_example(split, int(index)))
        facts = {
            "file": final.name,
            "images": len(indices),
            "bytes": temporary.stat().st_size,
            "sha256": _sha256(temporary),
        }
    atomic.write_json(note, facts)
    return facts


def _example(split: Split, index: int) -> bytes:
    try:
        encoded = split.encoded(index)
    except OSError as error:
        raise UserError(f"{split.ids[index]}: no longer readable ({error}); put the image back") from error
    features = {"image": _bytes(encoded), "id": _bytes(str(split.ids[index]).encode("utf-8", "surrogateescape"))}
    if split.labels is not None:
        features["label"] = _floats(split.labels[index])
    if split.content_labels is not None:
        features["content_label"] = _floats(split.content_labels[index])
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _floats(values: np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values.tolist()))


def _clean(output: pathlib.Path) -> None:
    """Removes the notes on progress and what a killed call left half-written."""
    for path in [*(output / _PROGRESS).iterdir(), *output.glob(".partial-*")]:
        path.unlink(missing_ok=True)
    (output / _PROGRESS).rmdir()


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class RecordReader:
    """Images inside TFRecord shards.

    Args:
      paths: the shards.
      shard: shard of each row, [N].
      offset: where the row's Example begins in its shard, int64 [N].
      length: its length, int64 [N].
      checksum: hash of the shards' contents.
    """

    def __init__(
        self, paths: Sequence[pathlib.Path], shard: np.ndarray, offset: np.ndarray, length: np.ndarray, checksum: str
    ):
        self._paths = list(paths)
        self._files = [open(path, "rb") for path in paths]  # noqa: SIM115 - read at random for as long as this lives
        self._shard, self._offset, self._length, self._checksum = shard, offset, length, checksum

    def __len__(self) -> int:
        return len(self._shard)

    def read(self, row: int) -> bytes:
        """Encoded bytes of one image."""
        descriptor = self._files[self._shard[row]].fileno()
        record = os.pread(descriptor, int(self._length[row]), int(self._offset[row]))
        return tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0]

    def name(self, row: int) -> str:
        """Shard and position of the record."""
        return f"{self._paths[self._shard[row]]} at byte {self._offset[row]}"

    def sizes(self) -> np.ndarray:
        """Sizes of the records: int64 [N]."""
        return self._length

    def key(self) -> str:
        """Hash of the shards."""
        return self._checksum


def load_records(root: str | os.PathLike) -> Records:
    """Reads what `write_tfrecord` wrote.

    Raises:
      UserError: no manifest, a shard that is missing or not as it was written; the message names it.
    """
    root = pathlib.Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root={root}: no such folder; give one that bin/prepare wrote")
    manifest = _read_manifest(root)
    shards = [(name, facts) for name, entries in manifest["splits"].items() for facts in entries]
    paths = [root / facts["file"] for _, facts in shards]
    with futures.ThreadPoolExecutor(threads()) as pool:
        list(pool.map(lambda item: _verify(root, item[1]), shards))
    schema = AttributeSchema.from_dict(manifest["schema"])
    content_names = tuple(manifest["content_names"])
    rows = []
    for number, (name, facts) in enumerate(shards):
        found = _scan(paths[number], number, schema.size, len(content_names))
        if len(found) != facts["images"]:
            raise UserError(f"{paths[number]}: {len(found)} records, {facts['images']} expected; run bin/prepare again")
        rows += [(*row, _PARTS[name]) for row in found]
    shard, offset, length, ids, labels, contents, parts = zip(*rows, strict=True)
    checksum = hashlib.sha256("".join(facts["sha256"] for _, facts in shards).encode()).hexdigest()
    return Records(
        RecordReader(paths, np.array(shard), np.array(offset, np.int64), np.array(length, np.int64), checksum),
        np.array(ids, np.str_),
        np.array(labels, np.float32),
        np.array(parts, np.int8),
        schema,
        np.array(contents, np.float32) if content_names else None,
        content_names,
        int(manifest["crop"]),
    )


def _read_manifest(root: pathlib.Path) -> dict[str, Any]:
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run bin/prepare to the end") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the manifest of a data set ({error}); run bin/prepare again") from None
    needed = {"plan", "schema", "content_names", "crop", "splits"}
    if not isinstance(manifest, dict) or not needed <= set(manifest) or not set(manifest["splits"]) <= set(_PARTS):
        raise UserError(f"{path}: not the manifest of a data set; run bin/prepare again")
    if manifest["plan"]["format"] != FORMAT:
        raise UserError(f"{path}: format {manifest['plan']['format']}, expected {FORMAT}; run bin/prepare again")
    for entry in (entry for entries in manifest["splits"].values() for entry in entries):
        if not {"file", "images", "bytes", "sha256"} <= set(entry):
            raise UserError(f"{path}: a shard's entry is not whole; run bin/prepare again")
        if os.path.basename(entry["file"]) != entry["file"]:
            raise UserError(f"{path}: {entry['file']!r} is a path; a shard has to lie beside the manifest")
    if not manifest["splits"].get("train"):
        raise UserError(f"{path}: no training images; run bin/prepare again")
    return manifest


def _verify(root: pathlib.Path, facts: dict[str, Any]) -> None:
    path = root / facts["file"]
    if not path.is_file():
        raise UserError(f"{path}: missing; copy it again or run bin/prepare again")
    if path.stat().st_size != facts["bytes"] or _sha256(path) != facts["sha256"]:
        raise UserError(f"{path}: not as it was written; copy it again or run bin/prepare again")


def _scan(path: pathlib.Path, shard: int, labels: int, contents: int) -> list[tuple]:
    """Where the records of a shard lie and what they say besides their pixels."""
    rows = []
    with open(path, "rb") as file:
        while header := file.read(12):
            (length,) = struct.unpack("<Q", header[:8])
            feature = tf.train.Example.FromString(file.read(length)).features.feature
            label = list(feature["label"].float_list.value) or [0.0] * labels
            content = list(feature["content_label"].float_list.value) or [0.0] * contents
            name = feature["id"].bytes_list.value[0].decode("utf-8", "surrogateescape")
            rows.append((shard, file.tell() - length, length, name, label, content))
            file.seek(4, os.SEEK_CUR)
    return rows
