"""A guided model with other neighbours than its own, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from rgunit_tf.stages.guided import GuidedModel

Change = Callable[[tf.Tensor], tf.Tensor]

CHANGES: dict[str, tuple[Change, str]] = {
    "swapped_neighbors": (lambda contents: tf.roll(contents, 1, 0), "guided by the neighbours of another test image"),
    "no_neighbors": (tf.zeros_like, "guided by contents of zeros in the neighbours' place"),
}


class Misguided:
    """A guided model whose neighbours' contents are changed before they are fused.

    Args:
      model: with neighbours.
      change: float [B, r, h, w, C] -> the same.
    """

    def __init__(self, model: GuidedModel, change: Change):
        self._model, self._change, self.prior = model, change, model.prior

    def translate_with_style(
        self, images: tf.Tensor, styles: tf.Tensor, ids: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As the model's own."""
        content = self._model.content_encoder(images)
        styles = self._model.target_styles(content, styles, ids, None)
        contents = self._model.contents_of(self._model.neighbor_rows(content, styles, ids))
        return self._model.decode(self._model.fusion(content, self._change(contents), styles), styles, images)
