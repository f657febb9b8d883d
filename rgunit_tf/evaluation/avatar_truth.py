"""True counterfactuals of a data set that the avatars source drew."""

from __future__ import annotations

import io
import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rgunit_tf.data import avatars, decoding
from rgunit_tf.data.avatars.people import DOMAIN_ATTRIBUTES, HAIR_COLOURS, domain_labels
from rgunit_tf.evaluation.metrics.counterfactual import Counterfactuals

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset
    from rgunit_tf.domains import AttributeSchema


def avatars_root(dataset: Dataset) -> pathlib.Path | None:
    """Folder that the avatars source drew the images of `dataset` into; None if they are other images."""
    reader = dataset.test.store.reader
    if not len(reader):
        return None
    root = pathlib.Path(reader.name(0)).parent.parent
    return root if avatars.is_whole(root) else None


def avatar_counterfactuals(
    dataset: Dataset, folder: str | os.PathLike | None = None, workers: int | None = None
) -> Counterfactuals | None:
    """Draws the test images again with other attributes, cropped and resized as `dataset` does it.

    Args:
      dataset: read from a folder that the avatars source drew (as `avatars` or as `celeba`).
      folder: where drawn images are kept; None keeps nothing.
      workers: processes that draw; None leaves it to the source.

    Returns:
      The counterfactuals; None where the images of `dataset` were not drawn.
    """
    root = avatars_root(dataset)
    if root is None or not _drawable(dataset.schema):
        return None
    size, share = dataset.test.image_size, dataset.crop_share

    def draw(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        drawn = avatars.counterfactuals(root, ids, _all_labels(root, dataset.schema, ids, labels), workers=workers)
        return np.stack([decoding.decode(_encoded(image), size, share) for image in drawn])

    return Counterfactuals(draw, folder)


def _drawable(schema: AttributeSchema) -> bool:
    """Whether all labels of `schema` can be drawn: no foreign attribute, and all hair colours or none of them."""
    names = set(schema.names)
    hair = names & set(HAIR_COLOURS)
    return names <= set(DOMAIN_ATTRIBUTES) and len(hair) in (0, len(HAIR_COLOURS))


def _all_labels(root: os.PathLike, schema: AttributeSchema, ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels [N, K] of `schema` -> [N, 5] of the avatars; what `schema` lacks stays as it is drawn."""
    full = np.stack([domain_labels(avatars.person(root, str(name))) for name in ids])
    full[:, [DOMAIN_ATTRIBUTES.index(name) for name in schema.names]] = labels
    return full


def _encoded(image: np.ndarray) -> bytes:
    # The loader's own decoder does crop and resize, so that truth and data differ by nothing but the drawing.
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()
