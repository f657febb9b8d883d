"""The networks of an export, behind the signatures of its SavedModel."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.inference.networks import Ids, Latest
from rgunit_tf.inference.saved_model import SavedModel
from rgunit_tf.names import to_array
from rgunit_tf.retrieval.likeness import FILE, Likeness
from rgunit_tf.runs.checkpoints import UNREADABLE, first_line

# Under an old name each is in exports of version 0.1.
_SIGNATURES = (("encode",), ("translate_to_style", "translate_with_style"), ("retrieve",))


class ExportNetworks:
    """The signatures of a SavedModel.

    Args:
      description: of the export.

    Raises:
      UserError: the files are damaged, or the export needs ScaNN's ops and ScaNN is not installed.
    """

    def __init__(self, description: Description):
        self._description = description
        try:
            _import_scann_if_there()
            self._ask = SavedModel(description.path, _SIGNATURES)
        except (*UNREADABLE, OSError) as error:
            raise UserError(
                f"--model={description.path} cannot be read ({first_line(error)}); export the model again"
            ) from error
        self._encoded = Latest(lambda images: self._ask("encode", images=images))

    def styles(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._encoded(images)["style_mean"]

    def translate(self, images: np.ndarray, styles: np.ndarray, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`."""
        del ids
        if "translate_to_style" in self._ask:
            outputs = self._ask("translate_to_style", images=images, styles=styles)
            return outputs["translated_images"], outputs["masks"]
        outputs = self._ask("translate_with_style", images=images, styles=styles)
        return outputs["images"], outputs["masks"]

    def search(self, images: np.ndarray, styles: np.ndarray, k: int, ids: Ids = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Networks`; the signature takes attributes, so a style must be the mean of some."""
        del ids
        blocks = styles.reshape(len(styles), self._description.schema.size, -1)
        if (blocks != blocks[..., :1]).any() or (np.abs(blocks) > 1.0).any():
            raise UserError(
                f"--model={self._description.path}: an export retrieves by attributes alone; give --to, "
                "or the run's folder as --model"
            )
        attributes = (blocks[..., 0] + 1.0) / 2.0
        try:
            outputs = self._ask("retrieve", images=images, attributes=attributes, k=k)
        except tf.errors.InvalidArgumentError as error:
            if "size of the gallery" not in error.message:
                raise
            raise UserError(f"k={k} is more than the export's gallery holds; ask for fewer") from None
        return to_array(outputs["ids"]), outputs["distances"]

    def contents(self, images: np.ndarray) -> np.ndarray:
        """See `Networks`."""
        return self._encoded(images)["content"]

    def likeness(self) -> Likeness | None:
        """See `Networks`."""
        return Likeness.load(self._description.path / "assets.extra" / FILE)

    def gallery_images(self, ids: np.ndarray) -> np.ndarray | None:
        """None: an export gives ids alone."""
        return None


def _import_scann_if_there() -> None:
    """ScaNN registers the ops that an export with its index needs; the others do without."""
    try:
        import scann  # noqa: F401
    except ImportError:
        return
