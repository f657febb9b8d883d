"""CelebA's layout: img_align_celeba/, list_attr_celeba.txt and, optionally, list_eval_partition.txt."""

from __future__ import annotations

import difflib
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from rgunit_tf.data import partition as partitions
from rgunit_tf.data.records import TRAIN, UNLABELED, FileReader, Records, share_of
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, to_text

IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"

# No file system takes longer ones.
_LONGEST_NAME = 255
_VALUES = {"1": 1, "+1": 1, "-1": 2, "0": 0}


def load_records(
    root: str | os.PathLike,
    attributes: Sequence[str],
    groups: Sequence[Sequence[str]] = (),
    crop: int = 178,
    test_images: int = 2000,
    validation_fraction: float = 0.02,
    seed: int = 0,
) -> Records:
    """Reads the lists of a CelebA folder.

    Rows that cannot occur under `groups` (two hair colours; some exist in CelebA) lose their label: of the training
    part they stay as unlabelled images, of the others they are dropped.

    Args:
      root: folder of the three.
      attributes: columns that define the domains; the other columns become content labels.
      groups: attributes that exclude each other.
      crop: see `records.Records`.
      test_images: seeded random test images where the partition is missing.
      validation_fraction: share of the training images for validation where the partition has none.
      seed: of these choices.

    Raises:
      UserError: something is missing or malformed; the message names the file, the line and the remedy.
    """
    root = pathlib.Path(os.path.expanduser(root))
    if not os.path.isdir(root):
        raise UserError(f"data.root={root}: no such folder; give the folder that holds {IMAGES}/ and {ATTRIBUTES}")
    schema = AttributeSchema(attributes, groups)
    names, columns, values = read_attributes(root / ATTRIBUTES)
    wanted = [_column(root / ATTRIBUTES, columns, name) for name in schema.names]
    others = [column for column in range(len(columns)) if column not in set(wanted)]
    _check_files(root, names)
    possible = _possible(schema, values[:, wanted])
    if not possible.any():
        raise UserError(f"{root / ATTRIBUTES}: every row breaks data.groups={schema.groups}; correct data.groups")
    part = np.zeros(len(names), np.int8)
    if (root / PARTITION).exists():
        part = read_partition(root / PARTITION, names)
    part[~possible & (part != TRAIN)] = -1
    part[~possible & (part == TRAIN)] = UNLABELED
    partitions.seeded(part, test_images, validation_fraction, seed, possible)
    left_out = []
    if not possible.all():
        first = printable(names[int(np.argmin(possible))])
        left_out.append(
            f"the labels of {(~possible).sum()} of {len(names)} rows, which data.groups={schema.groups} excludes (the "
            f"first: {first}); those for training serve data.retrieval_source=all"
        )
    return Records(
        FileReader(root / IMAGES, names),
        np.array(names, np.str_),
        values[:, wanted].astype(np.float32),
        part,
        schema,
        values[:, others].astype(np.float32) if others else None,
        tuple(columns[column] for column in others),
        crop,
        share_of(crop),
        left_out=tuple(left_out),
    )


def _short(text: str) -> str:
    """The start of what may be a whole file on one line."""
    return text if len(text) <= 60 else f"{text[:60]}..."


def _lines(path: pathlib.Path) -> list[str]:
    """The lines of a text file with any line ends and with or without a byte order mark.

    What is not UTF-8, as names of files need not be, is kept (see `rgunit_tf.names`).
    """
    try:
        text = to_text(path.read_bytes()).removeprefix("\ufeff")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; put CelebA's {path.name} beside {IMAGES}/") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
    if not text.strip():
        raise UserError(f"{path}: the file is empty; download it again")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_attributes(path: pathlib.Path) -> tuple[list[str], list[str], np.ndarray]:
    """Parses list_attr_celeba.txt: a count (optional), the column names, then a row an image.

    Returns:
      Image names [N], column names [A], and values uint8 [N, A] of 0 and 1 (-1 becomes 0).

    Raises:
      UserError: a malformed line; the message names it.
    """
    lines = _lines(path)
    first = next(number for number, line in enumerate(lines) if line.strip())
    count = None
    if re.fullmatch(r"\s*[0-9]{1,18}\s*", lines[first]):
        count = int(lines[first])
        first += 1
    columns = lines[first].split() if first < len(lines) else []
    if not all(map(str.isprintable, columns)):
        raise UserError(f"{path}:{first + 1}: not a text file of UTF-8 column names; download it again")
    if not columns or any(name in _VALUES for name in columns):
        raise UserError(f"{path}:{first + 1}: no column names; the line after the count has to name the attributes")
    for name in columns:
        if columns.count(name) > 1:
            raise UserError(f"{path}:{first + 1}: column {_short(name)} occurs twice; remove one")
    names: list[str] = []
    numbers: list[int] = []
    rows = bytearray()
    code = _VALUES.__getitem__
    for number, line in enumerate(lines[first + 1 :], first + 2):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != len(columns) + 1:
            raise UserError(
                f"{path}:{number}: {len(fields) - 1} values, but {len(columns)} columns are named; correct this row"
            )
        try:
            rows += bytes(map(code, fields[1:]))
        except KeyError as error:
            column = columns[fields[1:].index(error.args[0])]
            raise UserError(
                f"{path}:{number}: {_short(column)} is {_short(error.args[0])!r}; write 1 or -1 (or 1 or 0 throughout)"
            ) from None
        names.append(fields[0])
        numbers.append(number)
    if not names:
        raise UserError(f"{path}: no image is listed; add a row an image")
    if count is not None and count != len(names):
        raise UserError(
            f"{path}:{first}: announces {count} images, but {len(names)} follow; download it again or correct it"
        )
    values = np.frombuffer(bytes(rows), np.uint8).reshape(len(names), len(columns))
    _check_convention(path, values, numbers)
    _check_names(path, names, numbers)
    return names, columns, (values == 1).astype(np.uint8)


def _check_convention(path: pathlib.Path, values: np.ndarray, numbers: list[int]) -> None:
    minus, zero = (values == 2).any(axis=1), (values == 0).any(axis=1)
    if minus.any() and zero.any():
        line = numbers[max(int(np.argmax(minus)), int(np.argmax(zero)))]
        raise UserError(f"{path}:{line}: 0 and -1 both occur in this file; write all values as 1/-1 or all as 1/0")


def _check_names(path: pathlib.Path, names: list[str], numbers: list[int]) -> None:
    seen: dict[str, int] = {}
    for name, number in zip(names, numbers, strict=True):
        if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
            raise UserError(f"{path}:{number}: {_short(name)!r} is a path; give the name of a file in {IMAGES}/")
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise UserError(
                f"{path}:{number}: {_short(name)!r} has more than {_LONGEST_NAME} bytes; give the name of a file in "
                f"{IMAGES}/"
            )
        if name in seen:
            raise UserError(
                f"{path}:{number}: {printable(name)} is listed on line {seen[name]} already; remove one of the two"
            )
        seen[name] = number


def read_partition(path: pathlib.Path, names: Sequence[str]) -> np.ndarray:
    """Parses list_eval_partition.txt (0 training, 1 validation, 2 test) for the images `names`: int8 [N].

    Raises:
      UserError: a malformed line, an image that is not in `names`, or one of `names` without a line.
    """
    position = {name: row for row, name in enumerate(names)}
    part = np.full(len(names), -1, np.int8)
    for number, line in enumerate(_lines(path), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise UserError(f"{path}:{number}: {_short(line.strip())!r}; write an image name and 0, 1 or 2")
        row = position.get(fields[0])
        if row is None:
            raise UserError(f"{path}:{number}: {printable(_short(fields[0]))} is not in {ATTRIBUTES}; remove the line")
        if part[row] >= 0:
            raise UserError(f"{path}:{number}: {printable(fields[0])} occurs twice; remove one of the two")
        part[row] = int(fields[1])
    if (part < 0).any():
        missing = names[int(np.argmin(part))]
        raise UserError(f"{path}: no line for {printable(missing)}; add it, or delete the file for a random partition")
    return part


def _column(path: pathlib.Path, columns: list[str], name: str) -> int:
    if name in columns:
        return columns.index(name)
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its columns: {', '.join(columns)}"
    raise UserError(f"data.attributes: {path} has no column {name!r}; {hint}")


def _check_files(root: pathlib.Path, names: list[str]) -> None:
    folder = root / IMAGES
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: no such folder; unpack {IMAGES}.zip into {root}")
    try:
        present = set(os.listdir(folder))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); make it readable") from None
    for name in names:
        if name not in present:
            missing = sum(other not in present for other in names)
            raise UserError(
                f"{printable(str(folder / name))}: listed in {ATTRIBUTES} but missing ({missing} in all); unpack the "
                "images again or remove the rows"
            )


def _possible(schema: AttributeSchema, labels: np.ndarray) -> np.ndarray:
    """Which rows can occur: bool [N]."""
    possible = np.ones(len(labels), bool)
    for group in schema.groups:
        held = labels[:, [schema.index(name) for name in group]].sum(axis=1, dtype=np.int64)
        possible &= held == 1 if schema.categorical else held <= 1
    return possible
