"""Folders of images, a folder a domain, in the layouts that people have.

train/cat/*.jpg val/cat/*.jpg test/cat/*.jpg    AFHQ, ImageFolder; training, valid, validation, testing; any case
trainA/*.jpg trainB/*.jpg testA/*.jpg           CycleGAN, MUNIT; train_cat too
cat/*.jpg dog/*.jpg                             a seeded split
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from rgunit_tf.data import decoding
from rgunit_tf.data import partition as partitions
from rgunit_tf.data.records import TEST, TRAIN, VALIDATION, FileReader, Records
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, several

SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
_PAIR = re.compile(rf"({'|'.join(SPLITS)})(?:([a-z0-9])|[ _-]+(.+))", re.IGNORECASE)
_KINDS = ".jpg, .png, .tif, .webp, .avif and whatever else Pillow reads"


class FolderReader(FileReader):
    """Images below a folder, by their paths relative to it."""

    def relative_name(self, row: int) -> str:
        """Path relative to the folder, with forward slashes."""
        return self._names[row].replace(os.sep, "/")


def image_names(
    root: str | os.PathLike, seen: set[tuple[int, int]] | None = None, others: list[str] | None = None
) -> list[str]:
    """Relative paths of the images below `root`, sorted.

    Hidden files and folders are passed over. Links are followed; a folder that links lead to twice is read once.

    Args:
      root: where to look.
      seen: filled with the device and inode of each folder that was read.
      others: filled with the relative paths of the files that are passed over.

    Raises:
      UserError: a folder cannot be read.
    """
    root = os.fspath(root)
    names: list[str] = []
    seen = set() if seen is None else seen
    others = [] if others is None else others
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_unreadable_folder):
        found = os.stat(folder)
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = os.path.join(folder, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            if decoding.is_picture(name):
                names.append(os.path.relpath(path, root))
            else:
                others.append(os.path.relpath(path, root))
    return sorted(names)


def _unreadable_folder(error: OSError) -> NoReturn:
    raise UserError(
        f"{printable(str(error.filename))}: cannot be read ({error.strerror}); make it readable or remove it"
    )


def none_found(others: Sequence[str], what: str = "image") -> str:
    """That a folder has no image, and what it has instead."""
    return f"no {what} ({_KINDS})" + (f" but {decoding.counted(others)}" if others else "")


def unlabelled_reader(root: str | os.PathLike) -> FolderReader:
    """All images below a folder.

    Raises:
      UserError: no such folder, or no image in it.
    """
    if not os.path.isdir(root):
        raise UserError(f"data.retrieval_source={root}: no such folder; give `train`, `all` or a folder of images")
    others: list[str] = []
    names = image_names(root, others=others)
    if not names:
        raise UserError(f"data.retrieval_source={root}: {none_found(others)} in this folder; give another")
    return FolderReader(root, names)


@dataclasses.dataclass
class _Layout:
    """Where the images are.

    Attributes:
      root: folder that all paths are relative to.
      folders: path -> its part and domain.
      left_out: folders that are neither.
    """

    root: pathlib.Path
    folders: dict[str, tuple[int, str]]
    left_out: list[str] = dataclasses.field(default_factory=list)

    @property
    def domains(self) -> list[str]:
        """In the order of the labels."""
        return sorted({domain for _, domain in self.folders.values()})


def load_records(
    root: str | os.PathLike, test_images: int = 2000, validation_fraction: float = 0.02, seed: int = 0
) -> Records:
    """Reads a folder of domains.

    Where there is no test part, the validation part is that and validation images are chosen from the training part.

    Args:
      root: laid out as said above; it may be the only folder inside of the one that is given.
      test_images: seeded random test images where the folder has neither a test nor a validation part.
      validation_fraction: share of the training images for validation where the folder has none.
      seed: of these choices.

    Raises:
      UserError: no such folder, fewer than two domains, a domain without image or with the name of a part, domains that
        differ by part, or a folder that links lead to from two domains.
    """
    root = pathlib.Path(os.path.expanduser(root))
    if not os.path.isdir(root):
        raise UserError(f"data.root={root}: no such folder; give one with train/<domain>/ or <domain>/ folders in it")
    layout = _layout(root)
    root, domains = layout.root, layout.domains
    _check_domains(root, layout)
    has_test = any(part == TEST for part, _ in layout.folders.values())
    names: list[str] = []
    labels: list[int] = []
    part_of: list[int] = []
    owners: dict[tuple[int, int], str] = {}
    others: list[str] = []
    for folder, (part, domain) in layout.folders.items():
        seen: set[tuple[int, int]] = set()
        here: list[str] = []
        found = image_names(root / folder, seen, here)
        for owner in (owners.setdefault(place, domain) for place in seen):
            if owner != domain:
                raise UserError(
                    f"{root / folder}: links lead from {owner} and from {domain} to one folder, "
                    "whose images would be of both domains; remove one of the links"
                )
        if not found:
            raise UserError(f"{root / folder}: {none_found(here)}; add some or remove the folder")
        others += here
        names += [os.path.join(folder, name) for name in found]
        labels += [domains.index(domain)] * len(found)
        part_of += [TEST if part == VALIDATION and not has_test else part] * len(found)
    partition = np.array(part_of, np.int8)
    partitions.seeded(partition, test_images, validation_fraction, seed)
    reader = FolderReader(root, names)
    ids = np.array([reader.relative_name(row) for row in range(len(names))], np.str_)
    schema = AttributeSchema(domains, [domains])
    return Records(
        reader,
        ids,
        np.eye(len(domains), dtype=np.float32)[labels],
        partition,
        schema,
        left_out=_left_out(layout, others),
    )


def _folders(root: pathlib.Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(root) if not name.startswith(".") and os.path.isdir(root / name))
    except OSError as error:
        _unreadable_folder(error)


def _layout(root: pathlib.Path) -> _Layout:
    names = _folders(root)
    if len(names) == 1 and names[0].lower() not in SPLITS and len(_folders(root / names[0])) > 1:
        # What an archive unpacks to: photos/photos/train.
        return _layout(root / names[0])
    parts = {name: SPLITS[name.lower()] for name in names if name.lower() in SPLITS}
    if TRAIN in parts.values():
        for name, part in parts.items():
            twin = next(other for other, its in parts.items() if its == part)
            if twin != name:
                raise UserError(f"{root}: {twin}/ and {name}/ both exist; keep one of them")
        _check_same(root, {name: _folders(root / name) for name in sorted(parts, key=parts.get)})
        # In the order of their names, which is that of the rows.
        folders = {
            os.path.join(name, domain): (part, domain)
            for name, part in parts.items()
            for domain in _folders(root / name)
        }
        return _Layout(root, folders, [name for name in names if name not in parts])
    if parts:
        raise UserError(
            f"{root}: {next(iter(parts))}/ is named like a part of the data, but there is no train/; rename one of them"
        )
    pairs = {name: match for name in names if (match := _PAIR.fullmatch(name))}
    folders = {name: (SPLITS[match[1].lower()], (match[2] or "").upper() or match[3]) for name, match in pairs.items()}
    if any(part == TRAIN for part, _ in folders.values()):
        by_part: dict[int, list[str]] = {}
        for part, domain in folders.values():
            by_part.setdefault(part, []).append(domain)
        first = {part: next(name for name, (its, _) in folders.items() if its == part) for part in sorted(by_part)}
        _check_same(root, {first[part]: sorted(by_part[part]) for part in first})
        return _Layout(root, folders, [name for name in names if name not in pairs])
    for name, match in pairs.items():
        if match[2]:
            raise UserError(f"{root}: {name}/ is named like a part of the data, but there is no train{match[2]}/")
    return _Layout(root, {name: (TRAIN, name) for name in names})


def _check_same(root: pathlib.Path, domains: dict[str, list[str]]) -> None:
    """Checks that each part has the domains of the first."""
    first, *others = domains
    for other in others:
        if domains[other] != domains[first]:
            raise UserError(
                f"{root / other}: domains {', '.join(domains[other]) or 'none'} differ from those of {first}/: "
                f"{', '.join(domains[first])}; give every split the same folders"
            )


def _check_domains(root: pathlib.Path, layout: _Layout) -> None:
    parents = {os.path.dirname(folder) for folder, (part, _) in layout.folders.items() if part == TRAIN}
    where = root / next(iter(parents), "")
    if len(layout.domains) < 2:
        found = f" (found: {', '.join(layout.folders)})" if layout.folders else ""
        raise UserError(
            f"{where}: {len(layout.domains)} domain folders, at least 2 are needed; make a folder a domain{found}"
        )
    for name in layout.domains:
        if not name.isprintable():
            raise UserError(f"{printable(str(where / name))}: a domain's name has to be printable UTF-8; rename it")
        if name.startswith("-") or "," in name:
            raise UserError(f"{where / name}: a domain's name may not hold a comma or start with '-'; rename it")
        if name.lower() in SPLITS:
            raise UserError(f"{where / name}: a domain may not be named like a part of the data; rename it")


def _left_out(layout: _Layout, others: Sequence[str]) -> tuple[str, ...]:
    """What lies in the root and is not read, a line each."""
    said = []
    if layout.left_out:
        said.append(f"{', '.join(f'{printable(name)}/' for name in layout.left_out)}: no part of the data by its name")
    places = {"", *(os.path.dirname(folder) for folder in layout.folders)}
    beside = sum(
        decoding.is_picture(name) and not name.startswith(".")
        for place in places
        for name in os.listdir(layout.root / place)
        if os.path.isfile(layout.root / place / name)
    )
    if beside:
        said.append(f"{several(beside, 'picture')} beside the domains' folders: of no domain")
    if others:
        said.append(f"{several(len(others), 'file')} not read as pictures: {decoding.counted(others)}")
    return tuple(said)
