"""What was read, in a short table: domains or attributes, images in each part, what was left out and why."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from rgunit_tf.data.records import TEST, TRAIN, VALIDATION, Reader, Records
from rgunit_tf.names import printable

UNEVEN = 3.0
"""How many times the images of the smallest domain the largest one has before that is worth a remedy."""
_SAMPLE = 64
_CELEBA = (178, 218)


def parts_of(records: Records) -> dict[str, np.ndarray]:
    """The rows of each part, by its name."""
    named = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    return {name: np.flatnonzero(records.partition == part) for name, part in named.items()}


def table(records: Records, parts: Mapping[str, np.ndarray], settings: Mapping[str, Any], notes: Sequence[str]) -> str:
    """Lines for a terminal or a log.

    Args:
      records: of the source.
      parts: name -> the rows that are used; those of `train`, `validation` and `test` have labels.
      settings: config group `data`.
      notes: what was left out beside `records.left_out`, a line each.
    """
    schema = records.schema
    root = printable(str(settings["root"])) or "drawn"
    kind = "domains" if schema.categorical else "attributes"
    head = ["domain" if schema.categorical else "attribute", *parts]
    held = [[_held(records.labels[rows, column]) for rows in parts.values()] for column in range(schema.size)]
    rows = [[name, *cells] for name, cells in zip(schema.names, held, strict=True)]
    rows.append(["all", *(str(len(rows)) for rows in parts.values())])
    lines = [f"data: {settings['source']} {root}, {schema.size} {kind}, {settings['image_size']} px"]
    lines += _aligned([head, *rows])
    lines += [f"  {line}" for line in (_domains(records, parts["train"], settings["balance"]), _shape(records))]
    if records.identities is not None:
        lines.append(f"  {_people(records.identities, parts)}")
    lines += [f"  left out: {line}" for line in (*records.left_out, *notes)]
    return "\n".join(lines)


def _held(labels: np.ndarray) -> str:
    """How many images have an attribute, and which share."""
    return f"{int(labels.sum())} ({labels.mean():.0%})" if len(labels) else "0"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        aligned.append("  ".join([f"  {row[0].ljust(widths[0])}", *numbers]))
    return aligned


def _domains(records: Records, rows: np.ndarray, balanced: bool) -> str:
    """How evenly the training images are spread over the domains."""
    if not len(rows):
        return "domains: no training image"
    vectors, counts = np.unique(records.labels[rows], axis=0, return_counts=True)
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    ratio = counts[largest] / counts[smallest]
    if ratio < UNEVEN:
        return f"domains: {len(counts)}, of {counts[smallest]} to {counts[largest]} training images"
    say = records.schema.describe
    remedy = (
        "data.balance repeats those of rare ones" if balanced else "data.balance=True would repeat those of rare ones"
    )
    return (
        f"domains: {len(counts)}, unevenly: {say(vectors[largest])} has {counts[largest]} training images, "
        f"{ratio:.0f} times as many as {say(vectors[smallest])} ({counts[smallest]}); {remedy}"
    )


def _people(identities: np.ndarray, parts: Mapping[str, np.ndarray]) -> str:
    """How many there are, and whether the parts share some: then who is tested was trained on."""
    people, found_in = np.unique(
        np.concatenate([np.unique(identities[rows]) for rows in parts.values()]), return_counts=True
    )
    shared = int((found_in > 1).sum())
    return f"people: {len(people)}, {f'{shared} of them in several parts' if shared else 'each in one part alone'}"


def sample_sizes(reader: Reader) -> list[tuple[int, int]]:
    """Width and height of up to 64 images, spread over the reader; those that cannot be read are passed over."""
    sizes = []
    for row in np.unique(np.linspace(0, len(reader) - 1, min(len(reader), _SAMPLE)).astype(np.int64)):
        try:
            with Image.open(io.BytesIO(reader.read(int(row)))) as image:
                sizes.append(image.size)
        except Exception:
            # Pillow raises all kinds of things on damaged files; who decodes them says what is wrong.
            continue
    return sizes


def _shape(records: Records) -> str:
    """How large the pictures are, and how much of them is seen."""
    sizes = sample_sizes(records.reader)
    if not sizes:
        return "pictures: none of those looked at can be read"
    smallest, largest = (choose(sizes, key=lambda size: size[0] * size[1]) for choose in (min, max))
    said = _size(smallest) if smallest == largest else f"{_size(smallest)} to {_size(largest)}"
    share = records.crop_share
    sides = [max(round(min(size) * share), 1) for size in sizes]
    kept = float(np.mean([side * side / (size[0] * size[1]) for side, size in zip(sides, sizes, strict=True)]))
    square = "the largest centred square" if share >= 1.0 else f"the centre square of {share:.0%} of the shorter side"
    other = ", which is not CelebA's 178x218" if records.crop and set(sizes) != {_CELEBA} else ""
    return f"pictures: {said}{other}; of each {square} is seen, {kept:.0%} of its area"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
