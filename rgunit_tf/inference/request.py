"""What is asked of a translation: the target, and everything else that its results depend on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from rgunit_tf.errors import UserError
from rgunit_tf.faces import alignment
from rgunit_tf.inference.attributes import check_changes, parse_changes
from rgunit_tf.inference.description import Description

if TYPE_CHECKING:
    from rgunit_tf.inference.model import Model, Translation

Changes = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Request:
    """Exactly one of `to`, `references` and `interpolate` is given.

    Attributes:
      to: targets, each as changes by name; a variant each.
      references: pictures whose style is taken; a variant each.
      interpolate: changes at both ends; None at the first: the picture's own style. A variant a step.
      steps: of the interpolation.
      samples: styles drawn of each target of `to`; 0: its mean alone.
      strength: from the picture's own style, 0, to the target's, 1.
      seed: of the drawn styles.
      fit: see `frames.read_square`.
      paste_back: results are full-size photographs; see `paste.paste_back`.
      show_mask: write the masks.
      show_neighbors: write the retrieved images that guided each result.
      animate: `gif` or `webp`: the variants as an animation too.
      align_faces: of each picture, references too, the largest face is taken, see `decoding.face_of`.
    """

    to: tuple[Changes, ...] = ()
    references: tuple[pathlib.Path, ...] = ()
    interpolate: tuple[Changes | None, Changes] | None = None
    steps: int = 8
    samples: int = 0
    strength: float = 1.0
    seed: int = 0
    fit: str = "crop"
    paste_back: bool = False
    show_mask: bool = False
    show_neighbors: bool = False
    animate: str | None = None
    align_faces: bool = False

    def check(self, description: Description) -> None:
        """Checks that a model can do this.

        Raises:
          UserError: it cannot; the message names the flag and the remedy.
        """
        given = [name for name in ("to", "references", "interpolate") if getattr(self, name)]
        if len(given) != 1:
            raise UserError("give one of --to, --reference and --interpolate: it says what to translate to")
        for changes in self.to:
            check_changes(description.schema, changes, "--to")
        for changes in self.interpolate or ():
            check_changes(description.schema, changes or (), "--interpolate")
        if self.align_faces:
            alignment.check()
        if self.align_faces and self.paste_back:
            raise UserError("--align_faces cuts faces out, --paste_back puts squares back; leave one of them out")
        if self.samples and not self.to:
            raise UserError("--samples draws styles of the attributes of --to; leave it out")
        if self.strength != 1.0 and self.interpolate:
            raise UserError("--strength goes with --to and --reference; with --interpolate give --interpolate=..target")
        if self.animate and len(self.variants) < 2:
            raise UserError(f"--animate={self.animate} needs several variants: --interpolate, or --samples=2 and more")
        if not description.translates:
            raise UserError(f"--model={description.path} is an export of the retrieval stage; give another stage's")
        if self.show_neighbors and not description.neighbors:
            raise UserError(
                f"--show_neighbors: the {description.stage} stage has no neighbors; give a guided model as --model"
            )
        if self.show_neighbors and description.kind == "export":
            raise UserError("--show_neighbors: an export does not hold the images; give the run's folder as --model")

    @property
    def variants(self) -> list[str]:
        """A name for each variant, fit for a file's name; one variant alone needs none."""
        if self.interpolate:
            return [f"step-{number}" for number in range(1, self.steps + 1)]
        if self.references:
            count = len(self.references)
            return [f"reference-{number}" for number in range(1, count + 1)] if count > 1 else [""]
        targets = ["+".join(changes) for changes in self.to] if len(self.to) > 1 else [""]
        draws = [f"sample-{number}" for number in range(1, self.samples + 1)] if self.samples > 1 else [""]
        names = [".".join(filter(None, (target, draw))) for target in targets for draw in draws]
        return [re.sub(r"[^\w.+-]", "_", name) for name in names]

    @property
    def target(self) -> str:
        """The target in words: what pictures are translated to, or in which steps."""
        if self.interpolate:
            start, end = self.interpolate
            return f"in {self.steps} steps from {', '.join(start) if start else 'their own style'} to {', '.join(end)}"
        if self.references:
            return f"to the style of {', '.join(path.name for path in self.references)}"
        return " and ".join(f"to {', '.join(changes)}" for changes in self.to)

    def settings(self, description: Description) -> dict[str, Any]:
        """Everything that a result depends on but the picture, JSON-ready: equal settings, equal results."""
        settings = dataclasses.asdict(self)
        settings["references"] = [_hash_of(path) for path in self.references]
        unused = {"steps": not self.interpolate, "seed": not self.samples, "align_faces": not self.align_faces}
        settings = {name: value for name, value in settings.items() if not unused.get(name)}
        return json.loads(json.dumps({**settings, "model": description.fingerprint}))

    def run(self, model: Model, images: np.ndarray, references: list[np.ndarray]) -> Translation:
        """Translates images, uint8 [B, H, W, 3], to all variants.

        Args:
          model: that was checked.
          images: the squares of the pictures.
          references: the squares of `self.references`.
        """
        if self.interpolate:
            return model.interpolate(images, *self.interpolate, self.steps)
        parts = [
            model.translate(images, changes, samples=self.samples, strength=self.strength, seed=self.seed)
            for changes in self.to
        ]
        parts += [model.translate(images, reference=square, strength=self.strength) for square in references]
        joined = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "masks", "styles"))
        return dataclasses.replace(parts[0], **dict(zip(("images", "masks", "styles"), joined, strict=True)))


def parse_interpolation(text: str) -> tuple[Changes | None, Changes]:
    """`"cat..dog"` -> `(("cat",), ("dog",))`; `"..dog"` starts at the picture's own style.

    Raises:
      UserError: it is not of that form.
    """
    start, dots, end = text.partition("..")
    if not dots or not parse_changes(end):
        raise UserError(f"--interpolate={text}: write it as from..to, such as Black_Hair..Blond_Hair")
    return parse_changes(start) or None, parse_changes(end)


def _hash_of(path: pathlib.Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UserError(f"--reference={path}: {error.strerror}; give another picture") from None
