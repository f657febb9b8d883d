"""Finds the real pictures nearest to the content of files in a domain; writes them, their ids and a contact sheet."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np
from PIL import Image

from rgunit_tf import atomic, grid
from rgunit_tf.data import decoding
from rgunit_tf.errors import UserError
from rgunit_tf.inference import outputs
from rgunit_tf.inference.frames import read_square
from rgunit_tf.inference.inputs import Picture
from rgunit_tf.inference.model import Model, Retrieved
from rgunit_tf.inference.places import Places
from rgunit_tf.inference.translation_sheet import ROWS, thumbnail


class RetrievalJob:
    """Pictures, the domain in which to look for their content, and where what is found goes.

    Args:
      model: with a gallery.
      pictures: the questions.
      places: of the results.
      changes: the domain by name, as for `Model.retrieve`.
      reference: a square, uint8 [H, W, 3], whose style is asked for in the place of `changes`; None: `changes`.
      top: how many pictures are to be found for each.
      fit: see `frames.read_square`.
      batch_size: pictures that go through the networks together.
    """

    def __init__(
        self,
        model: Model,
        pictures: Sequence[Picture],
        places: Places,
        changes: Sequence[str],
        reference: np.ndarray | None = None,
        top: int = 10,
        fit: str = "crop",
        batch_size: int = 16,
    ):
        self.model, self.pictures, self.places = model, list(pictures), places
        self.changes, self.reference, self.top, self.fit = tuple(changes), reference, top, fit
        self.batch_size = batch_size
        self.failed: dict[str, str] = {}
        """Name of a picture -> what is wrong with it."""
        self.results: list[dict[str, Any]] = []
        """A record a picture, as in the JSON file."""
        self._rows: list[list[np.ndarray]] = []

    def run(self, progress: Callable[[int], object] = lambda count: None) -> None:
        """Finds and writes; the JSON file comes last.

        Args:
          progress: is told after every batch how many pictures are through.

        Raises:
          UserError: a gallery smaller than `top`, or results that cannot be written.
        """
        try:
            self._remove_former()
            with futures.ThreadPoolExecutor(decoding.threads()) as pool:
                for start in range(0, len(self.pictures), self.batch_size):
                    batch = self.pictures[start : start + self.batch_size]
                    squares = list(pool.map(self._decode, batch))
                    pairs = [pair for pair in zip(batch, squares, strict=True) if pair[1] is not None]
                    if pairs:
                        self._retrieve(*zip(*pairs, strict=True))
                    progress(len(batch))
            if self._rows:
                titles = ["input", *(f"nearest {rank}" for rank in range(1, self.top + 1))]
                heads = [f"{record['input']} (seen as {_words(record['seen'])})" for record in self.results]
                grid.save_grid(self.places.sheet, self._rows, titles, heads[: len(self._rows)], scale=1)
            facts = {"results": self.results, "skipped": self.failed, **self._question()}
            atomic.write_json(self.places.facts, facts)
        except OSError as error:
            raise UserError(f"{self.places.folder}: {error.strerror or error}; choose another --output") from error

    def _question(self) -> dict[str, Any]:
        description = self.model.description
        query = list(self.changes) if self.reference is None else "the style of --reference"
        return {"to": query, "top": self.top, "model": str(description), "distance": "Euclidean, between embeddings"}

    def _decode(self, picture: Picture) -> np.ndarray | None:
        description = self.model.description
        try:
            encoded = picture.path.read_bytes()
            return read_square(encoded, description.image_size, self.fit, description.crop_share)[0]
        except (OSError, decoding.UnreadableImageError) as error:
            self.failed[picture.name] = getattr(error, "strerror", None) or str(error)
            return None

    def _retrieve(self, pictures: Sequence[Picture], squares: Sequence[np.ndarray]) -> None:
        images = np.stack(squares)
        found = self.model.retrieve(images, self.changes, reference=self.reference, k=self.top)
        names_of = self.model.schema.names_of
        own = self.model.attributes_of(images)
        seen = None
        if found.images is not None:
            labels = self.model.attributes_of(found.images.reshape(-1, *images.shape[1:]))
            seen = [names_of(label) for label in labels]
        for row, picture in enumerate(pictures):
            record = {"input": picture.name, "seen": names_of(own[row]), "found": self._write(picture, found, row)}
            if seen is not None:
                for rank, entry in enumerate(record["found"]):
                    entry["seen"] = seen[row * self.top + rank]
                if len(self._rows) < ROWS:
                    cells = [squares[row], *found.images[row]]
                    self._rows.append([thumbnail(Image.fromarray(cell)) for cell in cells])
            self.results.append(record)

    def _write(self, picture: Picture, found: Retrieved, row: int) -> list[dict[str, Any]]:
        """Writes what was found for a picture; returns its records."""
        records = []
        for rank, (identity, distance) in enumerate(zip(found.ids[row], found.distances[row], strict=True), 1):
            records.append({"rank": rank, "id": str(identity), "distance": float(distance)})
            if found.images is not None:
                readable = re.sub(r"[^\w.-]+", "_", os.path.splitext(str(identity))[0])
                file = self.places.folder / picture.name / f"{rank:0{len(str(self.top))}d}_{readable}.png"
                outputs.write_picture(file, Image.fromarray(found.images[row, rank - 1]))
                records[-1]["file"] = file.relative_to(self.places.facts.parent).as_posix()
        return records

    def _remove_former(self) -> None:
        """Removes the pictures that an earlier run found, so that they do not mix with those of this one."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            former = json.loads(self.places.facts.read_text(encoding="utf-8"))
            for record in former["results"]:
                for entry in record["found"]:
                    file = self.places.facts.parent / entry["file"]
                    if self.places.folder in file.parents:
                        file.unlink(missing_ok=True)


def _words(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
