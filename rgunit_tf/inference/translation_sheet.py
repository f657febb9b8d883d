"""The contact sheet of a translation: a row a picture, from the files of its results."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from rgunit_tf import grid
from rgunit_tf.data import decoding
from rgunit_tf.inference.request import Request

ROWS = 24
"""Pictures on a sheet at most; a folder of any size has one sheet, of its first pictures."""


class Row(NamedTuple):
    """A picture: its name, itself, the files of its results as `outputs.names_of` orders them, its attributes."""

    name: str
    picture: Image.Image
    files: Sequence[pathlib.Path]
    seen: Sequence[str]


def write(
    path: pathlib.Path, request: Request, references: Sequence[np.ndarray], neighbors: int, rows: Sequence[Row]
) -> None:
    """Writes the sheet: inputs, references, then each variant with its mask and neighbors where those are asked for.

    Args:
      path: PNG.
      request: what was asked.
      references: squares of its references, uint8 [H, W, 3].
      neighbors: how many are in a strip of neighbors.
      rows: at least one.
    """
    titles = ["input", *(f"reference {reference.name}" for reference in request.references)]
    for variant in request.variants:
        titles.append(variant or request.target)
        titles += ["mask"] if request.show_mask else []
        titles += [f"neighbor {rank + 1}" for rank in range(neighbors)] if request.show_neighbors else []
    examples = [thumbnail(Image.fromarray(square)) for square in references]
    cells = []
    for row in rows:
        cells.append([thumbnail(row.picture), *examples])
        for file in row.files[: len(row.files) - bool(request.animate)]:
            with Image.open(file) as image:
                strip = file.name.endswith(".neighbors.png")
                parts = [thumbnail(part) for part in (_parts(image, neighbors) if strip else [image])]
                cells[-1] += [_framed(part) for part in parts] if file.name.endswith(".mask.png") else parts
    heads = [f"{row.name} (seen as {', '.join(row.seen) or 'none'})" for row in rows]
    grid.save_grid(path, cells, titles, heads, scale=1)


def thumbnail(image: Image.Image, side: int = grid.CELL) -> np.ndarray:
    """A picture for a cell: uint8 [h, w, 3] whose longer side is `side`; small ones are enlarged by whole pixels."""
    scale = side / max(image.size)
    size = tuple(max(round(length * scale), 1) for length in image.size)
    image = decoding.to_rgb(image)
    if scale >= 1.0:
        return np.asarray(image.resize(size, Image.Resampling.NEAREST))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))


def _framed(image: np.ndarray) -> np.ndarray:
    """With a grey edge: a mask that is on everywhere is as white as the sheet."""
    framed = np.full_like(image, 160)
    framed[1:-1, 1:-1] = image[1:-1, 1:-1]
    return framed


def _parts(strip: Image.Image, count: int) -> list[Image.Image]:
    side = strip.width // count
    return [strip.crop((side * rank, 0, side * (rank + 1), strip.height)) for rank in range(count)]
