"""Pictures to begin with: those of a folder, test pictures of the run, or some of its gallery."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rgunit_tf import data
from rgunit_tf.data.records import TEST
from rgunit_tf.demo.pictures import png
from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.inference.inputs import find_pictures
from rgunit_tf.runs.workdir import Workdir

COUNT = 12
"""How many there are at most."""


class Examples(NamedTuple):
    """Name and file of each, in words where they are from, and whether the names are ids of the run's images."""

    pictures: list[tuple[str, bytes]]
    source: str = ""
    of_run: bool = False


def from_files(paths: Sequence[str]) -> Examples:
    """Pictures of files and folders, evenly over them in the order of their names.

    Raises:
      UserError: a path that does not exist, or no picture at all.
    """
    found = [(picture.name, picture.path.read_bytes()) for picture in _spread(find_pictures(paths))]
    return Examples(found)


def from_run(description: Description) -> Examples:
    """Test pictures of a run where its data are at hand, else pictures of its gallery; an export has none."""
    if description.kind != "workdir":
        return Examples([])
    return _of_data(description) or _of_gallery(description) or Examples([])


def _of_data(description: Description) -> Examples | None:
    settings = Workdir(description.path).config.data
    # Avatars that are not there would be drawn, which takes minutes.
    if settings.source == "avatars":
        return None
    try:
        records = data.records_of(settings)
        rows = _spread(np.flatnonzero(records.partition == TEST))
        found = [(str(records.ids[row]), records.reader.read(int(row))) for row in rows]
    except (UserError, OSError) as error:
        logging.info("no test pictures: %s", error)
        return None
    return Examples(found, "test pictures of the run", True) if found else None


def _of_gallery(description: Description) -> Examples | None:
    """The gallery's file is mapped, not read: it may be larger than memory."""
    folder = description.path / "retrieval" / "gallery"
    if not (folder / "images.npy").exists():
        return None
    try:
        ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        found = [(str(ids[row]), png(np.asarray(images[row]))) for row in _spread(range(len(images)))]
    except (OSError, ValueError, IndexError) as error:
        logging.warning("no examples of the gallery: %s", error)
        return None
    return Examples(found, "pictures of the gallery", True)


def _spread(items: Sequence) -> Sequence:
    """Evenly over their order, so that every domain is likely to be among them."""
    return [items[position * len(items) // COUNT] for position in range(COUNT)] if len(items) > COUNT else items
