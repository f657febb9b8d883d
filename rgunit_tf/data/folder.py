"""Folders of images: split/domain/*.jpg (the layout of AFHQ), or domain/*.jpg with a seeded split."""

from __future__ import annotations

import os
import pathlib
from typing import NoReturn

import numpy as np

from rgunit_tf.data import partition as partitions
from rgunit_tf.data.records import TEST, TRAIN, VALIDATION, FileReader, Records
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SPLITS = {"train": TRAIN, "val": VALIDATION, "validation": VALIDATION, "test": TEST}


class FolderReader(FileReader):
    """Images below a folder, by their paths relative to it."""

    def relative_name(self, row: int) -> str:
        """Path relative to the folder, with forward slashes."""
        return self._names[row].replace(os.sep, "/")


def image_names(root: str | os.PathLike, seen: set[tuple[int, int]] | None = None) -> list[str]:
    """Relative paths of the images below `root`, sorted.

    Hidden files and folders are passed over. Links are followed; a folder that links lead to twice is read once.

    Args:
      root: where to look.
      seen: filled with the device and inode of each folder that was read.

    Raises:
      UserError: a folder cannot be read.
    """
    root = os.fspath(root)
    names: list[str] = []
    seen = set() if seen is None else seen
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_unreadable_folder):
        found = os.stat(folder)
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = os.path.join(folder, name)
            if not name.startswith(".") and name.lower().endswith(SUFFIXES) and os.path.isfile(path):
                names.append(os.path.relpath(path, root))
    return sorted(names)


def _unreadable_folder(error: OSError) -> NoReturn:
    raise UserError(
        f"{printable(str(error.filename))}: cannot be read ({error.strerror}); make it readable or remove it"
    )


def unlabelled_reader(root: str | os.PathLike) -> FolderReader:
    """All images below a folder.

    Raises:
      UserError: no such folder, or no image in it.
    """
    if not os.path.isdir(root):
        raise UserError(f"data.retrieval_source={root}: no such folder; give `train`, `all` or a folder of images")
    names = image_names(root)
    if not names:
        raise UserError(f"data.retrieval_source={root}: no image ({', '.join(SUFFIXES)}) in this folder")
    return FolderReader(root, names)


def _folders(root: pathlib.Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(root) if not name.startswith(".") and os.path.isdir(root / name))
    except OSError as error:
        _unreadable_folder(error)


def load_records(
    root: str | os.PathLike, test_images: int = 2000, validation_fraction: float = 0.02, seed: int = 0
) -> Records:
    """Reads a folder of domains.

    Where there is no `test` folder, `val` is the test part and validation images are chosen from `train`.

    Args:
      root: holds train/, val/ (or validation/) and test/ of one folder a domain each, or the domains themselves.
      test_images: seeded random test images where the folder has neither test/ nor val/.
      validation_fraction: share of the training images for validation where the folder has none.
      seed: of these choices.

    Raises:
      UserError: no such folder, fewer than two domains, a domain without image, domains that differ by split, or a
        folder that links lead to from two domains.
    """
    root = pathlib.Path(os.path.expanduser(root))
    if not os.path.isdir(root):
        raise UserError(f"data.root={root}: no such folder; give one with train/<domain>/ or <domain>/ folders in it")
    folders = _folders(root)
    if "train" in folders:
        parts = {name: SPLITS[name] for name in folders if name in SPLITS}
        if {"val", "validation"} <= set(parts):
            raise UserError(f"{root}: val/ and validation/ both exist; keep one of them")
        if TEST not in parts.values():
            parts = {name: TEST if part == VALIDATION else part for name, part in parts.items()}
    else:
        parts = {"": TRAIN}
    domains = _domains(root, parts)
    names: list[str] = []
    labels: list[int] = []
    part_of: list[int] = []
    owners: dict[tuple[int, int], str] = {}
    for split, part in parts.items():
        for number, domain in enumerate(domains):
            seen: set[tuple[int, int]] = set()
            found = image_names(root / split / domain, seen)
            for owner in (owners.setdefault(folder, domain) for folder in seen):
                if owner != domain:
                    raise UserError(
                        f"{root / split / domain}: links lead from {owner} and from {domain} to one folder, "
                        "whose images would be of both domains; remove one of the links"
                    )
            if not found:
                raise UserError(
                    f"{root / split / domain}: no image ({', '.join(SUFFIXES)}); add some or remove the folder"
                )
            names += [os.path.join(split, domain, name) for name in found]
            labels += [number] * len(found)
            part_of += [part] * len(found)
    partition = np.array(part_of, np.int8)
    partitions.seeded(partition, test_images, validation_fraction, seed)
    reader = FolderReader(root, names)
    ids = np.array([reader.relative_name(row) for row in range(len(names))], np.str_)
    schema = AttributeSchema(domains, [domains])
    return Records(reader, ids, np.eye(len(domains), dtype=np.float32)[labels], partition, schema)


def _domains(root: pathlib.Path, parts: dict[str, int]) -> list[str]:
    domains = _folders(root / "train") if "train" in parts else _folders(root)
    where = root / "train" if "train" in parts else root
    if len(domains) < 2:
        raise UserError(f"{where}: {len(domains)} domain folders, at least 2 are needed; make a folder a domain")
    for name in domains:
        if not name.isprintable():
            raise UserError(f"{printable(str(where / name))}: a domain's name has to be printable UTF-8; rename it")
        if name.startswith("-") or "," in name:
            raise UserError(f"{where / name}: a domain's name may not hold a comma or start with '-'; rename it")
    for split in parts:
        if split and _folders(root / split) != domains:
            raise UserError(
                f"{root / split}: domains {', '.join(_folders(root / split)) or 'none'} differ from those of train/: "
                f"{', '.join(domains)}; give every split the same folders"
            )
    return domains
