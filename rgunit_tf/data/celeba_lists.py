"""CelebA's lists, as their authors, Kaggle and others write them: attributes, partition and people, spaced or .csv."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from rgunit_tf.errors import UserError
from rgunit_tf.names import printable, to_text

# No file system takes longer ones.
_LONGEST_NAME = 255
_VALUES = {"1": 1, "+1": 1, "-1": 2, "0": 0}
_NAME_CELLS = ("image_id", "image_name", "image", "img", "filename", "file_name", "file", "id", "name")
"""What the column of the images may be called."""


def short(text: str) -> str:
    """The start of what may be a whole file on one line."""
    return text if len(text) <= 60 else f"{text[:60]}..."


def _lines(path: pathlib.Path) -> list[str]:
    """The lines of a text file with any line ends and with or without a byte order mark.

    What is not UTF-8, as names of files need not be, is kept (see `rgunit_tf.names`).
    """
    try:
        text = to_text(path.read_bytes()).removeprefix("\ufeff")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; put CelebA's {path.name} beside its images") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
    if not text.strip():
        raise UserError(f"{path}: the file is empty; download it again")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _cells(line: str, commas: bool) -> list[str]:
    """The cells of a line; none of an empty one."""
    if not commas:
        return line.split()
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    return cells if any(cells) else []


def _has_commas(path: pathlib.Path, line: str) -> bool:
    return path.suffix.lower() == ".csv" or ("," in line and len(line.split()) == 1)


def read_attributes(path: pathlib.Path, partial: bool = False) -> tuple[list[str], list[str], np.ndarray]:
    """Parses CelebA's list of attributes: a count (optional), the column names, then a row an image.

    Cells stand apart by spaces or, in a .csv file, by commas; the column of the images may have a name too.

    Args:
      path: of the list.
      partial: whether fewer rows than the count says are no mistake.

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
    commas = _has_commas(path, lines[first] if first < len(lines) else "")
    columns = _cells(lines[first], commas) if first < len(lines) else []
    if columns and (commas or columns[0].lower() in _NAME_CELLS):
        columns = columns[1:]
    if not all(map(str.isprintable, columns)):
        raise UserError(f"{path}:{first + 1}: not a text file of UTF-8 column names; download it again")
    if not columns or any(name in _VALUES for name in columns):
        raise UserError(f"{path}:{first + 1}: no column names; the line after the count has to name the attributes")
    for name in columns:
        if columns.count(name) > 1:
            raise UserError(f"{path}:{first + 1}: column {short(name)} occurs twice; remove one")
    names: list[str] = []
    numbers: list[int] = []
    rows = bytearray()
    code = _VALUES.__getitem__
    for number, line in enumerate(lines[first + 1 :], first + 2):
        fields = _cells(line, commas)
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
                f"{path}:{number}: {short(column)} is {short(error.args[0])!r}; write 1 or -1 (or 1 or 0 throughout)"
            ) from None
        names.append(fields[0])
        numbers.append(number)
    if not names:
        raise UserError(f"{path}: no image is listed; add a row an image")
    if count is not None and count != len(names) and not partial:
        raise UserError(
            f"{path}:{first}: announces {count} images, but {len(names)} follow; download it again or correct "
            "it, or take what is there with data.missing=skip"
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
            raise UserError(f"{path}:{number}: {short(name)!r} is a path; give the name of a file")
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise UserError(
                f"{path}:{number}: {short(name)!r} has more than {_LONGEST_NAME} bytes; give the name of a file"
            )
        if name in seen:
            raise UserError(
                f"{path}:{number}: {printable(name)} is listed on line {seen[name]} already; remove one of the two"
            )
        seen[name] = number


def read_partition(path: pathlib.Path, names: Sequence[str], partial: bool = False) -> np.ndarray:
    """Parses CelebA's partition (0 training, 1 validation, 2 test), spaced or .csv, for the images `names`: int8 [N].

    Args:
      path: of the list.
      names: of the list of attributes.
      partial: whether lines of other images are no mistake.

    Raises:
      UserError: a malformed line, an image that is not in `names`, or one of `names` without a line.
    """
    values = _values(path, names, partial, "[012]", "0, 1 or 2", "a random partition")
    return values.astype(np.int8)


def read_identities(path: pathlib.Path, names: Sequence[str], partial: bool = False) -> np.ndarray:
    """Parses CelebA's list of people, an image and the number of its person a line, for `names`: int64 [N].

    Arguments and errors are those of `read_partition`.
    """
    return _values(path, names, partial, "[0-9]{1,18}", "the number of a person", "images whose people are not known")


def _values(
    path: pathlib.Path, names: Sequence[str], partial: bool, pattern: str, expected: str, without: str
) -> np.ndarray:
    """The number beside each image, int64 [N], of a list with an image and a number a line.

    Args:
      path: of the list.
      names: of the list of attributes.
      partial: whether lines of other images are no mistake.
      pattern: what a number may be.
      expected: the same in words.
      without: what there would be without the file.
    """
    position = {name: row for row, name in enumerate(names)}
    values = np.full(len(names), -1, np.int64)
    lines = _lines(path)
    commas = _has_commas(path, next(line for line in lines if line.strip()))
    for number, line in enumerate(lines, 1):
        fields = _cells(line, commas)
        if not fields or (number == 1 and fields[0].lower() in _NAME_CELLS):
            continue
        if len(fields) != 2 or not re.fullmatch(pattern, fields[1]):
            raise UserError(f"{path}:{number}: {short(line.strip())!r}; write an image name and {expected}")
        row = position.get(fields[0])
        if row is None and partial:
            continue
        if row is None:
            raise UserError(
                f"{path}:{number}: {printable(short(fields[0]))} is not in the list of attributes; remove the line"
            )
        if values[row] >= 0:
            raise UserError(f"{path}:{number}: {printable(fields[0])} occurs twice; remove one of the two")
        values[row] = int(fields[1])
    if (values < 0).any():
        missing = names[int(np.argmin(values))]
        raise UserError(f"{path}: no line for {printable(missing)}; add it, or delete the file for {without}")
    return values
