"""Which pictures a command was given, and under which names their results go."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from rgunit_tf.data import decoding, folder
from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.inference.frames import read_square
from rgunit_tf.names import printable, several

_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Picture:
    """A file, and its name relative to the output folder, with forward slashes."""

    path: pathlib.Path
    name: str


def split_list(values: Iterable[str] | None) -> list[str]:
    """Values of a flag that may be repeated and may hold several, by commas; a file's own commas are left alone."""
    parts: list[str] = []
    for value in values or ():
        whole = os.path.lexists(os.path.expanduser(value))
        parts += [value] if whole else [part.strip() for part in value.split(",") if part.strip()]
    return parts


def find_pictures(values: Sequence[str], *outputs: str | os.PathLike, others: list[str] | None = None) -> list[Picture]:
    """The pictures that `--input` names, in the order of their names, each file once.

    Names are relative to the folder that was given, or to the nearest folder that all inputs lie in where there are
    several. Folders are searched to any depth, links followed, loops of links read once, hidden files passed over;
    `outputs`, which were made from the rest, are no input where they lie in one of them.

    Args:
      values: of the flag.
      *outputs: what the command writes.
      others: filled with the paths of the files in these folders that are no pictures of a kind that is read.

    Raises:
      UserError: a path that does not exist, or no picture at all.
    """
    paths = [pathlib.Path(value).expanduser() for value in split_list(values)]
    made = [pathlib.Path(os.path.abspath(output)) for output in outputs]
    found: dict[str, pathlib.Path] = {}
    others = [] if others is None else others
    for path in paths:
        if path.is_dir():
            top = pathlib.Path(os.path.abspath(path))
            inside = [place for place in made if top in place.parents]
            passed: list[str] = []
            for name in folder.image_names(path, others=passed):
                if not any((top / name).is_relative_to(place) for place in inside):
                    found[str(top / name)] = path / name
            others += [str(path / name) for name in passed if not _is_made(top / name, made)]
        elif path.exists():
            found[os.path.abspath(path)] = path
        else:
            raise UserError(f"--input={path}: no such file or folder; give another")
    if not found:
        raise UserError(
            f"--input={','.join(map(str, paths))}: {folder.none_found(others, 'picture')} in it; give another folder"
        )
    base = _base(paths)
    return [Picture(path, os.path.relpath(place, base).replace(os.sep, "/")) for place, path in sorted(found.items())]


def read_reference(path: pathlib.Path, description: Description, fit: str, align_faces: bool = False) -> np.ndarray:
    """The square of a picture, or of the face in it, whose style is asked for: uint8 [H, W, 3].

    Raises:
      UserError: it cannot be read.
    """
    try:
        encoded = path.read_bytes()
        encoded = decoding.face_of(encoded) if align_faces else encoded
        return read_square(encoded, description.image_size, fit, description.crop_share)[0]
    except (OSError, decoding.UnreadableImageError) as error:
        raise UserError(f"--reference={path}: {error}; give another picture") from None


def passed_over(others: Sequence[str]) -> str:
    """What is to be said of the files of `find_pictures` that are no pictures that can be read; nothing of none."""
    if not others:
        return ""
    unread = [path for path in others if decoding.is_unread_picture(path)]
    named = f"; the first pictures of them: {', '.join(map(printable, unread[:_NAMED]))}" if unread else ""
    return f"{several(len(others), 'file')} passed over, {decoding.counted(others)}{named}"


def _is_made(path: pathlib.Path, made: Sequence[pathlib.Path]) -> bool:
    """Whether a file is a result, or lies beside results."""
    return any(path.is_relative_to(place) or path.name == "manifest.jsonl" for place in made)


def _base(paths: Sequence[pathlib.Path]) -> str:
    """The folder that names are relative to."""
    if len(paths) == 1 and paths[0].is_dir():
        return os.path.abspath(paths[0])
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
