"""The embedded default data set: cartoon faces with the five domain attributes of the paper, drawn on the spot.

The files are laid out as CelebA's are (img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt), so the same
reader serves both. Two files are added: avatars.json, the manifest (version, number, size and seed), written first,
and avatars.jsonl with every drawn parameter of each image. list_attr_celeba.txt is written last: the set is whole
where it is present.

Unlike photographs, these people can be drawn again with other domain attributes: `counterfactual` is the exact
answer that a translation is after.
"""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import json
import multiprocessing
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from rgunit_tf import atomic
from rgunit_tf.data import avatar_drawing, avatar_people
from rgunit_tf.data.avatar_people import CONTENT_ATTRIBUTES, DOMAIN_ATTRIBUTES, Person
from rgunit_tf.errors import UserError

VERSION = 1
IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
MANIFEST = "avatars.json"
RECORDS = "avatars.jsonl"
MINIMUM_IMAGES = 20

_TEST_SHARE, _VALIDATION_SHARE = 0.20, 0.05
_CHUNK = 32


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
    size: int = avatar_drawing.WIDTH,
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
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    atomic.write_json(root / MANIFEST, manifest)
    present = {entry.name for entry in os.scandir(root / IMAGES)}
    missing = [index for index in range(num_images) if image_name(index) not in present]
    logging.info("drawing %d of %d avatars into %s", len(missing), num_images, root)
    draw = functools.partial(_draw_files, str(root / IMAGES), seed, size)
    done = num_images - len(missing)
    reported = time.monotonic()
    for count in _spread(draw, missing, workers):
        done += count
        if time.monotonic() - reported > 5.0 or done == num_images:
            reported = time.monotonic()
            if progress is None:
                logging.info("%d of %d avatars drawn", done, num_images)
            else:
                progress(done, num_images)
    _write_lists(root, num_images, seed)
    return root


def counterfactual(root: str | os.PathLike, image_id: str, labels: np.ndarray) -> np.ndarray:
    """The person of image `image_id` in the set at `root`, drawn with other domain attributes.

    Pose, background, clothes, skin, eyes, mouth, glasses and so on stay as they are.

    Args:
      root: a set made by `draw_dataset`.
      image_id: file name, as in list_attr_celeba.txt.
      labels: [5] zeros and ones in the order of `DOMAIN_ATTRIBUTES`.

    Returns:
      uint8 [H, W, 3] of the size of the files, uncropped; with the image's own labels exactly the image's file.

    Raises:
      UserError: no such set or image.
      ValueError: labels that cannot be drawn.
    """
    return counterfactuals(root, [image_id], np.asarray(labels)[None], workers=1)[0]


def counterfactuals(
    root: str | os.PathLike, ids: Sequence[str], labels: np.ndarray, workers: int | None = None
) -> np.ndarray:
    """`counterfactual` for N images, drawn in parallel processes: uint8 [N, H, W, 3].

    Args:
      root: a set made by `draw_dataset`.
      ids: N image ids; one may occur several times.
      labels: [N, 5].
      workers: processes; all cores by default.
    """
    people, size = _people(str(root))
    unknown = next((str(name) for name in ids if str(name) not in people), None)
    if unknown is not None:
        raise UserError(f"{root}: no image {unknown!r}; ids are those of {ATTRIBUTES}, e.g. {image_name(0)}")
    wanted = [
        avatar_people.with_labels(people[str(name)], vector) for name, vector in zip(ids, labels, strict=True)
    ]
    drawn = list(_spread(functools.partial(_draw_people, size), wanted, workers))
    if not drawn:
        return np.zeros((0, avatar_drawing.height_of(size), size, 3), np.uint8)
    return np.concatenate(drawn)


def person(root: str | os.PathLike, image_id: str) -> Person:
    """Every drawn parameter of one image of the set at `root`.

    Raises:
      UserError: no such set or image.
    """
    people, _ = _people(str(root))
    if image_id not in people:
        raise UserError(f"{root}: no image {image_id!r}; ids are those of {ATTRIBUTES}, e.g. {image_name(0)}")
    return people[image_id]


@functools.lru_cache(maxsize=4)
def _people(root: str) -> tuple[dict[str, Person], int]:
    folder = pathlib.Path(root)
    if not is_whole(folder):
        raise UserError(f"{root}: not a whole avatars data set; draw it with draw_dataset or data.source=avatars")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    people = {}
    with (folder / RECORDS).open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            people[record.pop("id")] = Person.from_dict(record)
    return people, manifest["size"]


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
    if found != manifest:
        different = sorted(key for key in manifest if found.get(key) != manifest[key])
        text = ", ".join(f"{key} {found.get(key)} (asked: {manifest[key]})" for key in different)
        raise UserError(f"{root} holds avatars with {text}; {remedy}, or ask for these numbers")
    return True


def _spread(draw: Callable[[list], Any], items: list, workers: int | None):
    """Yields `draw(chunk)` for the chunks of `items` in their order, over processes where that pays."""
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    workers = min(workers or os.cpu_count() or 1, len(chunks))
    if workers <= 1:
        yield from map(draw, chunks)
        return
    # Spawned, not forked: the caller may hold TensorFlow's threads, and a fork would copy its locks.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, chunks)


def _draw_files(folder: str, seed: int, size: int, indices: list[int]) -> int:
    for index in indices:
        final = os.path.join(folder, image_name(index))
        partial = os.path.join(folder, f".partial-{os.getpid()}-{image_name(index)}")
        pixels = avatar_drawing.draw(avatar_people.sample_person(seed, index), size)
        Image.fromarray(pixels).save(partial, compress_level=4)
        os.replace(partial, final)
    return len(indices)


def _draw_people(size: int, people: list[Person]) -> np.ndarray:
    return np.stack([avatar_drawing.draw(person, size) for person in people])


def _write_lists(root: pathlib.Path, num_images: int, seed: int) -> None:
    names = DOMAIN_ATTRIBUTES + CONTENT_ATTRIBUTES
    records, rows = [], []
    for index in range(num_images):
        person = avatar_people.sample_person(seed, index)
        records.append(json.dumps({"id": image_name(index), **person.to_dict()}))
        held = [*avatar_people.domain_labels(person), *avatar_people.content_attributes(person).values()]
        rows.append(image_name(index) + " " + " ".join(" 1" if value else "-1" for value in held))
    order = np.random.default_rng([seed, num_images]).permutation(num_images)
    test, validation = round(num_images * _TEST_SHARE), max(1, round(num_images * _VALIDATION_SHARE))
    split = np.zeros(num_images, int)
    split[order[:test]] = 2
    split[order[test : test + validation]] = 1
    for stray in (root / IMAGES).glob(".partial-*"):
        stray.unlink(missing_ok=True)
    _write_lines(root / RECORDS, records)
    _write_lines(root / PARTITION, [f"{image_name(index)} {split[index]}" for index in range(num_images)])
    _write_lines(root / ATTRIBUTES, itertools.chain([str(num_images), " ".join(names)], rows))


def _write_lines(final: pathlib.Path, lines: Any) -> None:
    with atomic.path(final) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
