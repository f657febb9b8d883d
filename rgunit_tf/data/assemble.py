"""From the rows of a source to the splits of a data set."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf.data import folder, partition, summary, tfrecord
from rgunit_tf.data.pipeline import Augmentation
from rgunit_tf.data.records import TEST, TRAIN, UNLABELED, VALIDATION, Records
from rgunit_tf.data.split import Dataset, Split
from rgunit_tf.data.store import ImageStore
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, several


def assemble(records: Records, image_size: int, options: dict[str, Any]) -> Dataset:
    """Decodes (or prepares to decode) the images of `records` and cuts them into splits.

    Args:
      records: rows of the source.
      image_size: S, pixels.
      options: the settings of config group `data`.

    Raises:
      UserError: too many unreadable images, or the training images that are left are of fewer than two domains.
    """
    memory = int(options["cache_mb"]) << 20
    stores = _stores(records, image_size, options["resize_margin"], memory)
    store = stores[0]
    augmentation = Augmentation(options["flip"], stores[1])
    usable = store.readable

    def split(rows: np.ndarray, labelled: bool = True) -> Split:
        content = records.content_labels if labelled else None
        return Split(
            store,
            rows,
            records.ids[rows],
            records.schema,
            records.labels[rows] if labelled else None,
            None if content is None else content[rows],
            records.content_names if labelled else (),
            augmentation,
            None if records.identities is None or not labelled else records.identities[rows],
        )

    def rows_of(*parts: int) -> np.ndarray:
        return np.flatnonzero(np.isin(records.partition, parts) & usable)

    training = rows_of(TRAIN)
    if not len(training):
        raise UserError("data: no labelled training image is left; check data.root and data.attributes")
    notes = [f"{(~usable).sum()} files that cannot be decoded, named above"] if not usable.all() else []
    if options["fraction"] < 1.0:
        labelled = partition.labelled_rows(training, options["fraction"], options["seed"])
        notes.append(f"{len(training) - len(labelled)} training images by data.fraction={options['fraction']}")
        training = labelled
    train = split(training)
    if (train.labels == train.labels[0]).all():
        raise UserError(
            f"data: all {len(train)} training images are of one domain, {records.schema.describe(train.labels[0])}; "
            "give images of another, other data.attributes or a larger data.fraction"
        )
    _warn_of_missing(train)
    wanted = options["retrieval_source"]
    if wanted == "train":
        retrieval = train
    elif wanted == "all":
        retrieval = split(rows_of(TRAIN, UNLABELED), labelled=False)
    else:
        retrieval = _unlabelled(os.path.expanduser(wanted), train, memory)
    parts = {"train": training, "validation": rows_of(VALIDATION), "test": rows_of(TEST)}
    table = summary.table(records, parts, options, notes)
    if retrieval is not train:
        table += f"\n  retrieval: {several(len(retrieval), 'image')}, data.retrieval_source={printable(wanted)}"
    held_out = (split(parts[name]) for name in ("validation", "test"))
    return Dataset(train, *held_out, retrieval, records.schema, records.crop, records.crop_share, table)


def _stores(records: Records, image_size: int, margin: float, memory: int) -> tuple[ImageStore, ImageStore | None]:
    """The images as they are and, if training crops from larger ones, those."""
    larger = round(image_size * (1.0 + margin))
    if larger <= image_size:
        return ImageStore(records.reader, image_size, records.crop_share, memory), None
    share = image_size**2 / (image_size**2 + larger**2)
    plain = ImageStore(records.reader, image_size, records.crop_share, int(memory * share))
    return plain, ImageStore(records.reader, larger, records.crop_share, int(memory * (1.0 - share)))


def _warn_of_missing(train: Split) -> None:
    present = train.labels.any(axis=0)
    missing = [name for name, held in zip(train.schema.names, present, strict=True) if not held]
    if missing:
        logging.warning("No training image has %s; it cannot be learnt", ", ".join(missing))


def _unlabelled(root: str, train: Split, memory: int) -> Split:
    """Images of any folder, prepared or not; their ids start with `retrieval/` so that they differ from `train`'s."""
    if os.path.exists(os.path.join(root, tfrecord.MANIFEST)):
        reader, share = tfrecord.retrieval_images(root)
    else:
        reader, share = folder.unlabelled_reader(root), 1.0
    store = ImageStore(reader, train.image_size, share, memory)
    rows = np.flatnonzero(store.readable)
    ids = np.array([f"retrieval/{reader.relative_name(row)}" for row in rows], np.str_)
    return Split(store, rows, ids, train.schema)
