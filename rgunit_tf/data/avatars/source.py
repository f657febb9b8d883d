"""The embedded default data set: cartoon faces with the five domain attributes of the paper, drawn on the spot.

The files are laid out as CelebA's are (img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt), so the same
reader serves both. Two files are added: avatars.json, the manifest (version, number, size and seed), written first,
and avatars.jsonl with every drawn parameter of each image. list_attr_celeba.txt is written last: the set is whole
where it is present.

Unlike photographs, these people can be drawn again with other domain attributes: `counterfactual` is the exact
answer that a translation is after.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.data.avatars import drawing
from rgunit_tf.data.avatars.people import (
    CONTENT_ATTRIBUTES,
    DOMAIN_ATTRIBUTES,
    Person,
    content_attributes,
    domain_labels,
    sample_person,
    with_labels,
)
from rgunit_tf.data.avatars.workers import draw_arrays, draw_files
from rgunit_tf.errors import UserError

VERSION = 1
IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
MANIFEST = "avatars.json"
RECORDS = "avatars.jsonl"
MINIMUM_IMAGES = 20

_TEST_SHARE, _VALIDATION_SHARE = 0.20, 0.05


def image_name(index: int) -> str:
    """File name, and id, of image `index` (from 0)."""
    return f"{index + 1:06d}.png"


def is_whole(root: str | os.PathLike) -> bool:
    """Whether `root` holds a set that was drawn to the end."""
    root = pathlib.Path(root)
    return (root / MANIFEST).is_file() and (root / ATTRIBUTES).is_file()


def draw_dataset(
    root: str | os.PathLike,
    num_images: int = 4000,
    size: int = drawing.WIDTH,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pathlib.Path:
    """Draws the data set into `root`, or goes on with one that was cut off; returns `root`.

    A whole set with the same numbers is left as it is. Images drawn before an interruption are kept. The same numbers
    give the same files, whatever `workers` is.

    Args:
      root: folder to fill; made if absent.
      num_images: at least 20. About 20% are test images, 5% validation, the rest training.
      size: width of the images in pixels; they are size x size * 218 / 178, as CelebA's.
      seed: of the people and of the split.
      workers: processes; all cores by default. With 1 everything is drawn in the calling process.
      progress: called with (images done, num_images) now and then; by default a line is logged.

    Raises:
      UserError: `num_images` or `size` too small, or `root` holds something else.
    """
    root = pathlib.Path(root)
    if num_images < MINIMUM_IMAGES:
        raise UserError(f"num_images={num_images}: at least {MINIMUM_IMAGES} are needed for three splits")
    if size < 16:
        raise UserError(f"size={size}: the images must be at least 16 pixels wide")
    manifest = {"version": VERSION, "num_images": num_images, "size": size, "seed": seed}
    if _started(root, manifest) and is_whole(root):
        return root
    atomic.write_json(root / MANIFEST, manifest)  # before any image, so that the next run knows the folder for its own
    (root / IMAGES).mkdir(exist_ok=True)
    present = {entry.name for entry in os.scandir(root / IMAGES)}
    missing = [index for index in range(num_images) if image_name(index) not in present]
    logging.info("drawing %d of %d avatars into %s", len(missing), num_images, root)
    people = [sample_person(seed, index) for index in missing]
    files = [str(root / IMAGES / image_name(index)) for index in missing]
    done = num_images - len(missing)
    reported = time.monotonic()
    for count in draw_files(people, files, size, workers):
        done += count
        if time.monotonic() - reported > 5.0 or done == num_images:
            reported = time.monotonic()
            if progress is None:
                logging.info("%d of %d avatars drawn", done, num_images)
            else:
                progress(done, num_images)
    _write_lists(root, num_images, seed)
    return root


def counterfactuals(
    root: str | os.PathLike,
    ids: Sequence[str],
    labels: np.ndarray,
    size: int | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """The people of N images of the set at `root`, drawn with other domain attributes, in parallel processes.

    Pose, background, clothes, skin, eyes, mouth, glasses and so on stay as they are. With an image's own labels the
    result is exactly what the input pipeline makes of the file.

    Args:
      root: a set made by `draw_dataset`.
      ids: N file names, as in list_attr_celeba.txt; one may occur several times.
      labels: [N, 5] zeros and ones in the order of `DOMAIN_ATTRIBUTES`.
      size: side of the square results, the largest centred square of each; by default they are uncropped.
      workers: processes; all cores by default.

    Returns:
      uint8 [N, size, size, 3], or uncropped [N, H, W, 3] of the size of the files.

    Raises:
      UserError: no such set or image.
      ValueError: labels that cannot be drawn.
    """
    people, width = _people(root)
    wanted = [with_labels(_find(people, root, str(name)), vector) for name, vector in zip(ids, labels, strict=True)]
    return draw_arrays(wanted, width, workers, size)


def counterfactual(root: str | os.PathLike, image_id: str, labels: np.ndarray, size: int | None = None) -> np.ndarray:
    """`counterfactuals` for one image and one label vector [5]: uint8 [size, size, 3], or uncropped [H, W, 3]."""
    return counterfactuals(root, [image_id], np.asarray(labels)[None], size, workers=1)[0]


def person(root: str | os.PathLike, image_id: str) -> Person:
    """Every drawn parameter of one image of the set at `root`.

    Raises:
      UserError: no such set or image.
    """
    people, _ = _people(root)
    return _find(people, root, image_id)


def _find(people: dict[str, Person], root: str | os.PathLike, image_id: str) -> Person:
    if image_id not in people:
        raise UserError(f"{root}: no image {image_id!r}; ids are those of {ATTRIBUTES}, e.g. {image_name(0)}")
    return people[image_id]


def _people(root: str | os.PathLike) -> tuple[dict[str, Person], int]:
    """Everybody in a whole set, by image id, and the width of the images."""
    root = pathlib.Path(root)
    remedy = "draw it with rgunit_tf.data.load('avatars')"
    if not is_whole(root):
        raise UserError(f"{root}: not a whole avatars data set; {remedy}")
    manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    if manifest.get("version") != VERSION:
        raise UserError(f"{root}: avatars of version {manifest.get('version')}, not {VERSION}; delete it and {remedy}")
    return _records(root / RECORDS, (root / RECORDS).stat().st_mtime_ns), manifest["size"]


@functools.lru_cache(maxsize=4)
def _records(path: pathlib.Path, changed: int) -> dict[str, Person]:
    del changed  # only there to read a file again that was drawn anew
    people = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            name = record.pop("id")
            people[name] = Person.from_dict(record)
    return people


def _started(root: pathlib.Path, manifest: dict[str, Any]) -> bool:
    """Whether the drawing of this very set was begun in `root`."""
    remedy = "give another folder, or delete this one"
    try:
        found = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (root / IMAGES).exists() or (root / ATTRIBUTES).exists():
            raise UserError(f"{root} holds images that are not avatars; {remedy}") from None
        return False
    except ValueError:
        raise UserError(f"{root / MANIFEST} is not JSON; {remedy}") from None
    found = found if isinstance(found, dict) else {}
    different = [key for key in manifest if found.get(key) != manifest[key]]
    if different:
        text = ", ".join(f"{key} {found.get(key)} (asked: {manifest[key]})" for key in different)
        raise UserError(f"{root} holds avatars with {text}; {remedy}, or ask for these numbers")
    return True


def _write_lists(root: pathlib.Path, num_images: int, seed: int) -> None:
    names = DOMAIN_ATTRIBUTES + CONTENT_ATTRIBUTES
    records, rows = [], []
    for index in range(num_images):
        person = sample_person(seed, index)
        records.append(json.dumps({"id": image_name(index), **person.to_dict()}))
        held = [*domain_labels(person), *content_attributes(person).values()]
        rows.append(image_name(index) + " " + " ".join(" 1" if value else "-1" for value in held))
    order = np.random.default_rng([seed, num_images]).permutation(num_images)
    test, validation = round(num_images * _TEST_SHARE), max(1, round(num_images * _VALIDATION_SHARE))
    split = np.zeros(num_images, int)
    split[order[:test]] = 2
    split[order[test : test + validation]] = 1
    for stray in (root / IMAGES).glob(".partial-*"):
        if time.time() - stray.stat().st_mtime > 60:  # of a run that was killed, not of one that draws beside this
            stray.unlink(missing_ok=True)
    _write_lines(root / RECORDS, records)
    _write_lines(root / PARTITION, [f"{image_name(index)} {split[index]}" for index in range(num_images)])
    _write_lines(root / ATTRIBUTES, itertools.chain([str(num_images), " ".join(names)], rows))


def _write_lines(final: pathlib.Path, lines: Any) -> None:
    with atomic.path(final) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
