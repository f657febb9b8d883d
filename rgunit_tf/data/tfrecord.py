"""Reads what `prepare.write_tfrecord` wrote: every shard verified, then random access to every image."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import struct
from collections.abc import Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from rgunit_tf import atomic
from rgunit_tf.data.decoding import threads
from rgunit_tf.data.records import TEST, TRAIN, UNLABELED, VALIDATION, Records, share_of
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import several, to_text

MANIFEST = "dataset.json"
FORMAT = 1
PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "unlabeled": UNLABELED}
RETRIEVAL = "retrieval"


class RecordReader:
    """Images inside TFRecord shards.

    Args:
      paths: the shards.
      shard: shard of each row, [N].
      offset: where the encoded image begins in its shard, int64 [N].
      length: its length, int64 [N].
      names: ids of the images, [N].
      checksum: hash of the shards' contents.
    """

    def __init__(
        self,
        paths: Sequence[pathlib.Path],
        shard: np.ndarray,
        offset: np.ndarray,
        length: np.ndarray,
        names: Sequence[str],
        checksum: str,
    ):
        self._paths = list(paths)
        self._files = [open(path, "rb") for path in paths]  # noqa: SIM115 - read at random for as long as this lives
        self._shard, self._offset, self._length = shard, offset, length
        self._names, self._checksum = names, checksum

    def __len__(self) -> int:
        return len(self._shard)

    def read(self, row: int) -> bytes:
        """Encoded bytes of one image.

        Raises:
          OSError: the shard was cut off after it was verified.
        """
        wanted = int(self._length[row])
        encoded = os.pread(self._files[self._shard[row]].fileno(), wanted, int(self._offset[row]))
        if len(encoded) < wanted:
            raise OSError(f"{self._paths[self._shard[row]]} was cut off while it was read")
        return encoded

    def name(self, row: int) -> str:
        """The image and its shard."""
        return f"{self._names[row]} in {self._paths[self._shard[row]]}"

    def id(self, row: int) -> str:
        """Id of the image."""
        return str(self._names[row])

    def relative_name(self, row: int) -> str:
        """Id of the image, without the prefix that images of a retrieval folder have."""
        return str(self._names[row]).removeprefix(f"{RETRIEVAL}/")

    def place(self, row: int) -> dict[str, Any]:
        """The encoded image as part of a file: its path, offset and length."""
        path = os.path.abspath(self._paths[self._shard[row]])
        return {"path": path, "offset": int(self._offset[row]), "length": int(self._length[row])}

    def sizes(self) -> np.ndarray:
        """Encoded sizes of the images: int64 [N]."""
        return self._length

    def key(self) -> str:
        """Hash of the shards."""
        return self._checksum


def load_records(root: str | os.PathLike) -> Records:
    """Reads the images of all parts but `retrieval`, in the order of the source.

    Raises:
      UserError: no manifest, a shard that is missing or not as it was written; the message names it.
    """
    root = pathlib.Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root={root}: no such folder; give one that bin/prepare wrote")
    manifest = read_manifest(root)
    schema = AttributeSchema.from_dict(manifest["schema"])
    content_names = tuple(manifest["content_names"])
    reader, rows, parts = _read(root, manifest, list(PARTS))

    def matrix(values: list[tuple[float, ...]], width: int) -> np.ndarray:
        return np.array([value or (0.0,) * width for value in values], np.float32)

    return Records(
        reader,
        np.array([row.id for row in rows], np.str_),
        matrix([row.label for row in rows], schema.size),
        np.array([PARTS[part] for part in parts], np.int8),
        schema,
        matrix([row.content_label for row in rows], len(content_names)) if content_names else None,
        content_names,
        int(manifest["crop"]),
        crop_share(manifest),
        left_out=(*manifest.get("left_out", ()), *_unreadable(manifest)),
        identities=_identities(rows),
    )


def _identities(rows: Sequence[_Row]) -> np.ndarray | None:
    """The person on each image, int64 [N], where it is known; -1 on those without any label."""
    if all(row.identity is None for row in rows):
        return None
    return np.array([-1 if row.identity is None else row.identity for row in rows], np.int64)


def _unreadable(manifest: dict[str, Any]) -> list[str]:
    """What was left out when the records were written, since it could not be read."""
    count = sum(len(entry["unreadable"]) for entries in manifest["splits"].values() for entry in entries)
    return (
        [f"{several(count, 'image')} that could not be read when the records were written, see {MANIFEST}"]
        if count
        else []
    )


def retrieval_images(root: str | os.PathLike) -> tuple[RecordReader, float]:
    """The images that `root` gives as data.retrieval_source, and their centre crop as a share of the shorter side.

    They are those of the folder that data.retrieval_source named when `root` was prepared; where it named none, the
    training images, with labels or without.

    Raises:
      UserError: as `load_records`.
    """
    root = pathlib.Path(root).expanduser()
    files, share = retrieval_files(read_manifest(root))
    return read_images(root, files), share


def retrieval_files(manifest: dict[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], float]:
    """The shards that hold those images, each with its part and what the manifest says of it, and the same share."""
    splits = manifest["splits"]
    parts = [RETRIEVAL] if splits.get(RETRIEVAL) else ["train", "unlabeled"]
    files = [(part, facts) for part in parts for facts in splits.get(part, []) if facts["images"]]
    return files, 1.0 if parts == [RETRIEVAL] else crop_share(manifest)


def read_images(root: pathlib.Path, files: Sequence[tuple[str, dict[str, Any]]]) -> RecordReader:
    """Images of some shards, in the order of the source; errors as `load_records`."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for part, facts in files:
        splits.setdefault(part, []).append(facts)
    return _read(root, {"splits": splits}, list(splits))[0]


def crop_share(manifest: dict[str, Any]) -> float:
    """The centre crop as a share of a picture's shorter side, in (0, 1]."""
    # Data sets that were prepared before the share was noted say how many pixels of CelebA's it was.
    return float(manifest.get("crop_share") or share_of(manifest["crop"]))


class _Row(NamedTuple):
    """What is known of an image: its row in the source, where it lies in its shard, and its names."""

    row: int
    offset: int
    length: int
    id: str
    label: tuple[float, ...]
    content_label: tuple[float, ...]
    identity: int | None


def _read(
    root: pathlib.Path, manifest: dict[str, Any], wanted: Sequence[str]
) -> tuple[RecordReader, list[_Row], list[str]]:
    """Reader, rows and parts of the images of some parts, in the order of the source."""
    shards = [(part, facts) for part in wanted for facts in manifest["splits"].get(part, [])]
    paths = [root / facts["file"] for _, facts in shards]
    with futures.ThreadPoolExecutor(threads()) as pool:
        scanned = list(pool.map(lambda item: _scan(root / item[1]["file"], item[1]), shards))
    found = [(row, number) for number, rows in enumerate(scanned) for row in rows]
    found.sort(key=lambda item: item[0].row)
    checksum = hashlib.sha256("".join(facts["sha256"] for _, facts in shards).encode()).hexdigest()
    reader = RecordReader(
        paths,
        np.array([number for _, number in found]),
        np.array([row.offset for row, _ in found], np.int64),
        np.array([row.length for row, _ in found], np.int64),
        [row.id for row, _ in found],
        checksum,
    )
    return reader, [row for row, _ in found], [shards[number][0] for _, number in found]


def read_manifest(root: pathlib.Path) -> dict[str, Any]:
    """What `dataset.json` in `root` says.

    Raises:
      UserError: it is missing, damaged or of another format.
    """
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run bin/prepare to the end") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the manifest of a data set ({error}); run bin/prepare again") from None
    needed = {"plan", "schema", "content_names", "crop", "splits"}
    if (
        not isinstance(manifest, dict)
        or not needed <= set(manifest)
        or not set(manifest["splits"]) <= {*PARTS, RETRIEVAL}
    ):
        raise UserError(f"{path}: not the manifest of a data set; run bin/prepare again")
    if manifest["plan"]["format"] != FORMAT:
        raise UserError(f"{path}: format {manifest['plan']['format']}, expected {FORMAT}; run bin/prepare again")
    for entry in (entry for entries in manifest["splits"].values() for entry in entries):
        if not {"file", "images", "bytes", "sha256", "unreadable"} <= set(entry):
            raise UserError(f"{path}: a shard's entry is not whole; run bin/prepare again")
        if os.path.basename(entry["file"]) != entry["file"]:
            raise UserError(f"{path}: {entry['file']!r} is a path; a shard has to lie beside the manifest")
    if not sum(entry["images"] for entry in manifest["splits"].get("train", [])):
        raise UserError(f"{path}: no training images; run bin/prepare again")
    return manifest


def _scan(path: pathlib.Path, facts: dict[str, Any]) -> list[_Row]:
    """Verifies a shard, then finds of each record where its image lies and what else it says."""
    # Not at the top, since bin/prepare does without.
    import tensorflow as tf

    if not path.is_file():
        raise UserError(f"{path}: missing; copy it again or run bin/prepare again")
    if path.stat().st_size != facts["bytes"] or atomic.checksum(path) != facts["sha256"]:
        raise UserError(f"{path}: not as it was written; copy it again or run bin/prepare again")
    rows = []
    with open(path, "rb") as file:
        while header := file.read(12):
            start = file.tell()
            record = file.read(struct.unpack("<Q", header[:8])[0])
            file.seek(4, os.SEEK_CUR)
            feature = tf.train.Example.FromString(record).features.feature
            image = feature["image"].bytes_list.value[0]
            rows.append(
                _Row(
                    row=feature["row"].int64_list.value[0],
                    offset=start + record.index(image),
                    length=len(image),
                    id=to_text(feature["id"].bytes_list.value[0]),
                    label=tuple(feature["label"].float_list.value),
                    content_label=tuple(feature["content_label"].float_list.value),
                    identity=next(iter(feature["identity"].int64_list.value), None),
                )
            )
    if len(rows) != facts["images"]:
        raise UserError(f"{path}: {len(rows)} records, {facts['images']} expected; run bin/prepare again")
    return rows
