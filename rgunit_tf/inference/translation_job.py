"""Translates files and folders of pictures, in batches, and goes on where an earlier run of the same was ended."""

from __future__ import annotations

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.errors import UserError
from rgunit_tf.inference import outputs, translation_sheet
from rgunit_tf.inference.description import Description
from rgunit_tf.inference.frames import Frame, read_square, upright
from rgunit_tf.inference.inputs import Picture, read_reference
from rgunit_tf.inference.manifest import Manifest
from rgunit_tf.inference.paste import paste_back
from rgunit_tf.inference.request import Request

# Whether anything is to be done is known without TensorFlow.
if TYPE_CHECKING:
    from rgunit_tf.inference.model import Model, Translation

SHEET = "contact_sheet.png"


@dataclasses.dataclass
class Outcome:
    """What became of the pictures.

    Attributes:
      made: how many were translated now.
      kept: how many had their results already.
      replaced: how many of those made now had results of other settings.
      failed: name of a picture -> what is wrong with it.
      cropped: how many of those made now the model saw only the centre of.
      unlike: names of those made now that are unlike the pictures that the model was trained on.
    """

    made: int = 0
    kept: int = 0
    replaced: int = 0
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    cropped: int = 0
    unlike: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Decoded:
    picture: Picture
    encoded: bytes
    square: np.ndarray
    frame: Frame


@dataclasses.dataclass(frozen=True)
class _Unreadable:
    picture: Picture
    reason: str


_Result = _Decoded | _Unreadable


class TranslationJob:
    """Pictures, what to do with them and where the results go.

    The pictures of a batch are the same in every run, done or not, so that a run that was ended and taken up again
    computes exactly what one run would have.

    Args:
      description: of the model.
      request: what to translate to; it is checked here.
      pictures: what to translate.
      folder: of the results.
      batch_size: pictures that go through the networks together.

    Raises:
      UserError: the model cannot do it, two results would have one name, or a result would replace a file that is
        not this command's.
    """

    def __init__(
        self,
        description: Description,
        request: Request,
        pictures: Sequence[Picture],
        folder: pathlib.Path,
        batch_size: int = 16,
    ):
        request.check(description)
        self.description, self.request, self.pictures = description, request, list(pictures)
        self.batch_size = batch_size
        # Results may differ in the last bit with the size of the batch that they were computed in.
        self.manifest = Manifest(folder, {**request.settings(description), "batch_size": batch_size})
        self.outputs = {picture.name: outputs.names_of(picture.name, request) for picture in self.pictures}
        counts = Counter(name for names in self.outputs.values() for name in names)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise UserError(f"--input: two pictures would both give {twice[0]}; rename one of them")
        for names in self.outputs.values():
            self.manifest.check_free(names)

    def is_done(self, picture: Picture) -> bool:
        """Whether a picture's results are there."""
        return self.manifest.is_done(picture.name, picture.path)

    def is_finished(self) -> bool:
        """Whether all results are there, and the contact sheet."""
        return (self.manifest.folder / SHEET).exists() and all(self.is_done(picture) for picture in self.pictures)

    def run(self, model: Model, progress: Callable[[int], object] = lambda count: None) -> Outcome:
        """Translates what is not done yet.

        Args:
          model: the described one.
          progress: is told after every batch how many pictures are through.

        Raises:
          UserError: a reference picture cannot be read, or results cannot be written.
        """
        outcome = Outcome()
        references = [
            read_reference(path, self.description, self.request.fit, self.request.align_faces)
            for path in self.request.references
        ]
        with futures.ThreadPoolExecutor(decoding.threads()) as pool, self.manifest.writing():
            for batch, results in self._decoded_batches(pool):
                if results is None:
                    outcome.kept += len(batch)
                else:
                    self._translate(model, results, references, pool, outcome)
                progress(len(batch))
            sheet = self.manifest.folder / SHEET
            if outcome.made or (outcome.kept and not sheet.exists()):
                self._draw(sheet, references)
        return outcome

    def _decoded_batches(self, pool: futures.Executor) -> Iterator[tuple[list[Picture], list[_Result] | None]]:
        """Batches with their decoded pictures, which are read ahead by one batch; None where nothing is to do."""
        waiting: tuple[list[Picture], list[futures.Future] | None] | None = None
        for start in range(0, len(self.pictures) + self.batch_size, self.batch_size):
            batch = self.pictures[start : start + self.batch_size]
            pending = not all(self.is_done(picture) for picture in batch)
            ahead = [pool.submit(self._decode, picture) for picture in batch] if pending else None
            if waiting is not None:
                yield waiting[0], waiting[1] and [future.result() for future in waiting[1]]
            waiting = (batch, ahead) if batch else None

    def _decode(self, picture: Picture) -> _Result:
        try:
            encoded = picture.path.read_bytes()
            encoded = decoding.face_of(encoded) if self.request.align_faces else encoded
            size, share = self.description.image_size, self.description.crop_share
            square, frame = read_square(encoded, size, self.request.fit, share)
        except (OSError, decoding.UnreadableImageError) as error:
            return _Unreadable(picture, getattr(error, "strerror", None) or str(error))
        return _Decoded(picture, encoded if self.request.paste_back else b"", square, frame)

    def _translate(
        self,
        model: Model,
        results: list[_Result],
        references: list[np.ndarray],
        pool: futures.Executor,
        outcome: Outcome,
    ) -> None:
        readable = [result for result in results if isinstance(result, _Decoded)]
        for result in results:
            if isinstance(result, _Unreadable):
                outcome.failed[result.picture.name] = result.reason
        missing = [row for row, result in enumerate(readable) if not self.is_done(result.picture)]
        outcome.kept += len(readable) - len(missing)
        if not missing:
            return
        squares = np.stack([result.square for result in readable])
        translation = self.request.run(model, squares, references)
        unlikeness = model.unlikeness_of(squares)
        found = []
        if self.request.show_neighbors:
            found = [model.neighbors(squares, styles) for styles in translation.styles]
        jobs = []
        for row in missing:
            decoded = readable[row]
            outcome.made += 1
            outcome.cropped += not decoded.frame.whole
            outcome.replaced += self.manifest.was_done_otherwise(decoded.picture.name)
            self.manifest.started(self.outputs[decoded.picture.name])
            images = [variant.images[row] for variant in found]
            jobs.append(pool.submit(self._write, decoded, translation, row, images))
        for row, job in zip(missing, jobs, strict=True):
            job.result()
            facts = {"seen": self.description.schema.names_of(translation.own[row])}
            if unlikeness is not None:
                facts["unlikeness"] = round(float(unlikeness[row]), 3)
            if unlikeness is not None and unlikeness[row] > 1.0:
                outcome.unlike.append(readable[row].picture.name)
            if found:
                facts["neighbors"] = [variant.ids[row].tolist() for variant in found]
            picture = readable[row].picture
            self.manifest.done(picture.name, picture.path, self.outputs[picture.name], facts)

    def _write(self, decoded: _Decoded, translation: Translation, row: int, neighbors: list[np.ndarray]) -> None:
        """Writes all results of a picture, in the order of `outputs.names_of`."""
        files = iter(self.manifest.folder / name for name in self.outputs[decoded.picture.name])
        photograph = upright(decoded.encoded, alpha=True) if self.request.paste_back else None
        frames = []
        for variant, images in enumerate(translation.images):
            image, mask = images[row], translation.masks[variant, row]
            if photograph is not None:
                frames.append(paste_back(photograph, decoded.square, image, mask, decoded.frame))
            else:
                frames.append(Image.fromarray(decoded.frame.cut(image)))
            outputs.write_picture(next(files), frames[-1])
            if self.request.show_mask:
                outputs.write_mask(next(files), decoded.frame.cut(mask))
            if neighbors:
                outputs.write_strip(next(files), neighbors[variant])
        if self.request.animate:
            outputs.write_animation(next(files), frames, back=self.request.interpolate is not None)

    def _draw(self, sheet: pathlib.Path, references: list[np.ndarray]) -> None:
        """Draws the first results there are, from their files: the same sheet however many runs made them."""
        rows = []
        for picture in self.pictures:
            if len(rows) == translation_sheet.ROWS:
                break
            decoded = self._decode(picture) if self.is_done(picture) else None
            if isinstance(decoded, _Decoded):
                whole = upright(decoded.encoded) if self.request.paste_back else None
                shown = whole or Image.fromarray(decoded.frame.cut(decoded.square))
                files = [self.manifest.folder / name for name in self.outputs[picture.name]]
                facts = self.manifest.facts(picture.name)
                rows.append(translation_sheet.Row(picture.name, shown, files, facts["seen"]))
        if rows:
            translation_sheet.write(sheet, self.request, references, self.description.neighbors, rows)
