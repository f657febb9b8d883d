"""What the page asks of a model: to look at a picture, to translate it, and the steps on the way to the target."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from absl import logging

from rgunit_tf.data import decoding
from rgunit_tf.demo.examples import Examples
from rgunit_tf.demo.pictures import Picture, Shelf, data_url, jpeg
from rgunit_tf.errors import UserError
from rgunit_tf.inference import Model, Translation
from rgunit_tf.inference.frames import cut_square, read_square, upright
from rgunit_tf.inference.paste import paste_back
from rgunit_tf.names import printable

_STEPS = (21, 11, 6)
"""Positions of the slider, both ends included: steps of 5, 10 or 20 %."""
_STEPS_SECONDS = 2.0
"""How long computing them may take; a click waits as long at worst."""
_TOGETHER = 8
"""Targets that are decoded together."""
_WHOLE = 1024
"""Longer side of a whole picture that is shown, pixels."""


class Studio:
    """A model, one call at a time, and the pictures it is tried on.

    Args:
      model: can translate.
      examples: pictures to begin with; those that cannot be read are left out, with a warning.
      align_faces: of pictures that are taken in, the largest face is taken, see `decoding.face_of`.

    Attributes:
      shelf: the pictures.
      examples_from: where the examples are from.
      steps: positions of the slider.
    """

    def __init__(self, model: Model, examples: Examples | None = None, align_faces: bool = False):
        self.model, self.description, self.schema = model, model.description, model.schema
        self.shelf = Shelf()
        self.align_faces = align_faces
        self.examples_from = examples.source if examples else ""
        self.steps = _STEPS[0]
        self._lock = threading.Lock()
        read = []
        for name, encoded in examples.pictures if examples else ():
            try:
                read.append((printable(name), encoded, *self._square(encoded)))
            except UserError as error:
                logging.warning("example %s: %s", printable(name), error)
        for picture in self._looked_at(read):
            if examples and examples.of_run:
                picture = dataclasses.replace(picture, id=picture.name)
            self.shelf.put(picture, stays=True)

    def warm_up(self) -> float:
        """Runs everything that the page asks for once, since first calls are slow, and chooses `steps`.

        Returns:
          Seconds that one translation takes, the neighbors' search included.
        """
        picture = next(iter(self.shelf.examples.values()), None)
        if picture is None:
            grey = np.full((self.model.image_size,) * 2 + (3,), 128, np.uint8)
            picture = self._looked_at([("", b"", grey, None)])[0]
        names = picture.seen
        self.translate(picture, names)
        self.translate(picture, names, seed=1)
        started = time.monotonic()
        self.translate(picture, names)
        seconds = time.monotonic() - started
        self.steps = next((steps for steps in _STEPS if steps * seconds < _STEPS_SECONDS), _STEPS[-1])
        self.targets(picture)
        self.way(picture, names)
        return seconds

    def look(self, name: str, encoded: bytes) -> str:
        """Takes in a picture of any kind and size; returns its id.

        Raises:
          UserError: it cannot be read.
        """
        if self.align_faces:
            encoded = self._face(encoded)
        return self.shelf.put(self._looked_at([(name, encoded, *self._square(encoded))])[0])

    def _face(self, encoded: bytes) -> bytes:
        try:
            return decoding.face_of(encoded)
        except decoding.UnreadableImageError as error:
            self._square(encoded)  # says what is wrong with the file, if anything is
            raise UserError("No face was found in this picture; choose another.") from error

    def picture(self, key: Any) -> Picture:
        """The picture of an id.

        Raises:
          UserError: it has made way for others.
        """
        picture = self.shelf.get(key) if isinstance(key, str) else None
        if picture is None:
            raise UserError("This picture is no longer here; choose it again.")
        return picture

    def cut(self, picture: Picture, box: tuple[int, int, int]) -> str:
        """Takes in another square of a picture, (left, upper, side) in its pixels; returns its key."""
        square = cut_square(picture.encoded, self.model.image_size, box)
        return self.shelf.put(self._looked_at([(picture.name, picture.encoded, *square)])[0])

    def whole(self, picture: Picture) -> bytes:
        """All of a picture, upright and no larger than a screen: a JPEG file."""
        shown = upright(picture.encoded)
        shown.thumbnail((_WHOLE, _WHOLE))
        return jpeg(shown)

    def targets(self, picture: Picture) -> dict[str, Any]:
        """The picture with each attribute changed on its own: one of a group is set, another is switched.

        Returns:
          `targets`, each with its `attributes`, and its `image`, a data URL; `boldest`, which of them changes most of
          what the model draws, None where there is none.
        """
        own = self.schema.vector(picture.seen)
        labels = [self.schema.switched(own, name) for name in self.schema.names if not self._is_held(picture, name)]
        styles = [picture.own, *(self.model.prior.mean(label[None]).numpy() for label in labels)]
        images: list[np.ndarray] = []
        for start in range(0, len(styles), _TOGETHER):
            part = np.concatenate(styles[start : start + _TOGETHER])
            count = len(part)
            squares, owns = np.repeat(picture.square[None], count, 0), np.repeat(picture.own, count, 0)
            with self._lock:
                images.extend(self.model.decode(squares, part[None], own=owns, ids=[picture.id] * count).images[0])
        plain = images.pop(0).astype(int)
        changes = [np.abs(image - plain).mean() for image in images]
        return {
            "targets": [
                {"attributes": list(self.schema.names_of(label)), "image": data_url(image)}
                for label, image in zip(labels, images, strict=True)
            ],
            "boldest": int(np.argmax(changes)) if changes else None,
        }

    def _is_held(self, picture: Picture, name: str) -> bool:
        """Whether choosing `name` would change nothing: one of a group that holds already."""
        return name in picture.seen and any(name in group for group in self.schema.groups)

    def translate(self, picture: Picture, names: Iterable[str], seed: int | None = None) -> dict[str, Any]:
        """Translates a picture to a domain.

        Args:
          picture: that was looked at.
          names: the attributes that shall hold, all others shall not.
          seed: of a style drawn of the domain; None: its mean style.

        Returns:
          `image`; `mask`, None where the model draws everywhere, and the share that it draws, `drawn`; `neighbors`,
          what guided the model, nearest first, None where nothing is known of them. Images are data URLs.

        Raises:
          UserError: attributes that exclude each other, or unknown ones.
        """
        with self._lock:
            result = self._translated(picture, names, seed)
            found = None
            # An export searches by attributes alone, and gives ids without images.
            if self.description.neighbors and (self.description.kind == "workdir" or seed is None):
                found = self.model.neighbors(picture.square[None], result.styles[0], _ids(picture))
        mask = result.masks[0, 0, ..., 0]
        neighbors = None
        if found is not None:
            images, seen = [None] * len(found.ids[0]), [None] * len(found.ids[0])
            if found.images is not None:
                with self._lock:
                    labels = self.model.attributes_of(found.images[0])
                images, seen = map(data_url, found.images[0]), [list(self.schema.names_of(label)) for label in labels]
            facts = zip(found.ids[0], found.distances[0], images, seen, strict=True)
            neighbors = [
                {"id": str(name), "distance": float(distance), "image": image, "seen": attributes}
                for name, distance, image, attributes in facts
            ]
        return {
            "image": data_url(result.images[0, 0]),
            "drawn": float(mask.mean()),
            "mask": None if mask.min() >= 1.0 else data_url(np.rint(mask * 255.0).astype(np.uint8)),
            "neighbors": neighbors,
        }

    def way(self, picture: Picture, names: Iterable[str], seed: int | None = None) -> list[str]:
        """The way from a picture's own style to the target's, in `steps` images computed together, as data URLs."""
        with self._lock:
            target = self._translated(picture, names, seed).styles[0]
            shares = np.linspace(0.0, 1.0, self.steps, dtype=np.float32)[:, None]
            styles = picture.own + shares * (target - picture.own)
            squares = np.repeat(picture.square[None], self.steps, 0)
            own, ids = np.repeat(picture.own, self.steps, 0), [picture.id] * self.steps
            result = self.model.decode(squares, styles[None], own=own, ids=ids)
        return [data_url(image) for image in result.images[0]]

    def photograph(self, picture: Picture, names: Iterable[str], seed: int | None, strength: float) -> bytes:
        """The translation put back into the whole picture, at its own size: a JPEG file.

        Raises:
          UserError: as `translate`, or a strength out of [0, 1].
        """
        with self._lock:
            result = self._translated(picture, names, seed, strength)
        pasted = paste_back(
            upright(picture.encoded), picture.square, result.images[0, 0], result.masks[0, 0], picture.frame
        )
        return jpeg(pasted)

    def _translated(
        self, picture: Picture, names: Iterable[str], seed: int | None, strength: float = 1.0
    ) -> Translation:
        labels = self.schema.vector(names)
        samples, ids = 0 if seed is None else 1, _ids(picture)
        return self.model.translate(
            picture.square[None], labels, samples=samples, seed=seed or 0, strength=strength, ids=ids
        )

    def _square(self, encoded: bytes) -> tuple[np.ndarray, Any]:
        try:
            return read_square(encoded, self.model.image_size, crop_share=self.description.crop_share)
        except decoding.UnreadableImageError as error:
            if "pixels are more than" in str(error):
                raise UserError(f"This picture is too large: {error}.") from None
            raise UserError(
                "This file cannot be read as a picture; choose a JPEG, PNG, WebP, GIF, BMP or TIFF file."
            ) from None

    def _looked_at(self, read: list[tuple[str, bytes, np.ndarray, Any]]) -> list[Picture]:
        if not read:
            return []
        squares = np.stack([square for _, _, square, _ in read])
        with self._lock:
            own, unlikeness = self.model.styles_of(squares), self.model.unlikeness_of(squares)
        seen = self.schema.nearest_labels(own)
        unlike = [None] * len(read) if unlikeness is None else unlikeness.tolist()
        return [
            Picture(*facts, own[row : row + 1], self.schema.names_of(seen[row]), unlikeness=unlike[row])
            for row, facts in enumerate(read)
        ]


def _ids(picture: Picture) -> list[str] | None:
    return [picture.id] if picture.id else None
