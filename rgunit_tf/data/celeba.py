"""CelebA's images and lists, as its authors, Kaggle, torchvision and CelebAMask-HQ lay them out.

img_align_celeba/ list_attr_celeba.txt list_eval_partition.txt     beside each other; the partition may be missing
                  identity_CelebA.txt                              beside the others or in Anno/; may be missing
Img/img_align_celeba/ Anno/list_attr_celeba.txt Eval/...           as published; img_align_celeba_png/ too
img_align_celeba/img_align_celeba/ list_attr_celeba.csv ...csv     Kaggle
CelebA-HQ-img/ CelebAMask-HQ-attribute-anno.txt                    CelebAMask-HQ
celeba/ or CelebA/ with one of these inside                        torchvision
"""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import logging

from rgunit_tf.data import decoding
from rgunit_tf.data import partition as partitions
from rgunit_tf.data.celeba_lists import read_attributes, read_identities, read_partition
from rgunit_tf.data.records import TRAIN, UNLABELED, FileReader, Records, share_of
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, several

IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"

_BASES = ("", "celeba", "CelebA", "CelebAMask-HQ", "celeba-dataset")
_IMAGES = (IMAGES, f"{IMAGES}/{IMAGES}", f"{IMAGES}_png", "CelebA-HQ-img")
_ATTRIBUTES = (ATTRIBUTES, "list_attr_celeba.csv", "CelebAMask-HQ-attribute-anno.txt")
_PARTITIONS = (PARTITION, "list_eval_partition.csv")
_IDENTITIES = ("identity_CelebA.txt", "identity_CelebA.csv")


def load_records(
    root: str | os.PathLike,
    attributes: Sequence[str],
    groups: Sequence[Sequence[str]] = (),
    crop: int = 178,
    test_images: int = 2000,
    validation_fraction: float = 0.02,
    seed: int = 0,
    missing: str = "error",
) -> Records:
    """Reads the lists of a CelebA folder.

    Rows that cannot occur under `groups` (two hair colours; some exist in CelebA) lose their label: of the training
    part they stay as unlabelled images, of the others they are dropped.

    Args:
      root: folder in one of the layouts above.
      attributes: columns that define the domains; the other columns become content labels.
      groups: attributes that exclude each other.
      crop: see `records.Records`.
      test_images: seeded random test images where the partition is missing.
      validation_fraction: share of the training images for validation where the partition has none.
      seed: of these choices.
      missing: `error`, or `skip` the images that are listed and not there, and lines that go with them.

    Raises:
      UserError: something is missing or malformed; the message names the file, the line and the remedy.
    """
    root = pathlib.Path(os.path.expanduser(root))
    if not os.path.isdir(root):
        raise UserError(f"data.root={root}: no such folder; give the folder that holds {IMAGES}/ and {ATTRIBUTES}")
    schema = AttributeSchema(attributes, groups)
    skip = missing == "skip"
    list_file = _find(root, ("", "Anno"), _ATTRIBUTES) or root / ATTRIBUTES
    names, columns, values = read_attributes(list_file, partial=skip)
    wanted = [_column(list_file, columns, name) for name in schema.names]
    others = [column for column in range(len(columns)) if column not in set(wanted)]
    folder, files, left_out = _images(root, list_file.name, names, skip)
    there = np.array([file is not None for file in files])
    names, values = [name for name, known in zip(names, there, strict=True) if known], values[there]
    partition_file = _find(root, ("", "Eval", "Anno"), _PARTITIONS)
    part = np.zeros(len(names), np.int8)
    if partition_file is not None:
        part = read_partition(partition_file, names, partial=skip)
    people_file = _find(root, ("", "Anno"), _IDENTITIES)
    people = None if people_file is None else read_identities(people_file, names, partial=skip)
    possible = _possible(schema, values[:, wanted])
    if not possible.any():
        raise UserError(f"{list_file}: every row breaks data.groups={schema.groups}; correct data.groups")
    part[~possible & (part != TRAIN)] = -1
    part[~possible & (part == TRAIN)] = UNLABELED
    partitions.seeded(part, test_images, validation_fraction, seed, possible)
    if not possible.all():
        first = printable(names[int(np.argmin(possible))])
        left_out.append(
            f"the labels of {(~possible).sum()} of {len(names)} rows, which data.groups={schema.groups} excludes (the "
            f"first: {first}); those for training serve data.retrieval_source=all"
        )
    return Records(
        FileReader(folder, [file for file in files if file is not None]),
        np.array(names, np.str_),
        values[:, wanted].astype(np.float32),
        part,
        schema,
        values[:, others].astype(np.float32) if others else None,
        tuple(columns[column] for column in others),
        crop,
        share_of(crop),
        left_out=tuple(left_out),
        identities=people,
    )


def _find(root: pathlib.Path, folders: Sequence[str], names: Sequence[str]) -> pathlib.Path | None:
    """The first file of one of these names, in one of these folders of one of the bases."""
    places = (root / base / folder / name for base in _BASES for name in names for folder in folders)
    return next((place for place in places if place.exists()), None)


def _images(
    root: pathlib.Path, list_name: str, names: Sequence[str], skip: bool
) -> tuple[pathlib.Path, list[str | None], list[str]]:
    """The folder of the images, the file of each listed one in it, and what is left out.

    Where several folders could be meant, it is the one that holds most of the listed images.

    Raises:
      UserError: no such folder, or a listed image is not there and may not be skipped.
    """
    places = [root / base / above / name for base in _BASES for above in ("", "Img") for name in _IMAGES]
    folders = [place for place in places if os.path.isdir(place)]
    if not folders:
        raise UserError(f"{root / IMAGES}: no such folder; unpack {IMAGES}.zip into {root}")
    found = {folder: _match(names, _listing(folder)) for folder in folders}
    folder = max(folders, key=lambda place: sum(file is not None for file in found[place]))
    files = found[folder]
    missing = [name for name, file in zip(names, files, strict=True) if file is None]
    there = len(names) - len(missing)
    if missing and not (skip and there):
        more = f", or use the {there} that are there with data.missing=skip" if there else ""
        raise UserError(
            f"{printable(str(folder / missing[0]))}: listed in {list_name} but missing ({len(missing)} in all); unpack "
            f"the images again or remove the rows{more}"
        )
    left_out = []
    if missing:
        left_out.append(
            f"{len(missing)} of {len(names)} rows of {list_name}, whose images are not there (the first: "
            f"{printable(missing[0])})"
        )
    unlisted = len({name for name in _listing(folder) if decoding.is_picture(name)}.difference(files))
    if unlisted:
        left_out.append(f"{several(unlisted, 'picture')} in {folder.name}/ that {list_name} does not name")
    renamed = [(name, file) for name, file in zip(names, files, strict=True) if file not in (None, name)]
    if renamed:
        logging.info(
            "%d images have another ending than %s says: %s is %s", len(renamed), list_name, *map(printable, renamed[0])
        )
    return folder, files, left_out


def _listing(folder: pathlib.Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); make it readable") from None


def _match(names: Sequence[str], present: set[str]) -> list[str | None]:
    """The file of each image: that of its name, else one of its name but for the ending (png images, .jpg in lists)."""
    if present.issuperset(names):
        return list(names)
    by_stem = {os.path.splitext(file)[0]: file for file in sorted(present, reverse=True) if decoding.is_picture(file)}
    return [name if name in present else by_stem.get(os.path.splitext(name)[0]) for name in names]


def _column(path: pathlib.Path, columns: list[str], name: str) -> int:
    if name in columns:
        return columns.index(name)
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its columns: {', '.join(columns)}"
    raise UserError(f"data.attributes: {path} has no column {name!r}; {hint}")


def _possible(schema: AttributeSchema, labels: np.ndarray) -> np.ndarray:
    """Which rows can occur: bool [N]."""
    possible = np.ones(len(labels), bool)
    for group in schema.groups:
        held = labels[:, [schema.index(name) for name in group]].sum(axis=1, dtype=np.int64)
        possible &= held == 1 if schema.categorical else held <= 1
    return possible
