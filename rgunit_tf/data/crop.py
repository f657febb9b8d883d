"""The centre crop of training as a share of a picture's shorter side, for pictures of any size."""

from __future__ import annotations

import pathlib
from typing import Any

from rgunit_tf.data import tfrecord

WIDTH = 178
"""Of CelebA's aligned images: `data.crop` is in pixels of these, also where larger avatars are drawn."""


def crop_share(data: Any) -> float:
    """The centre crop as a share of the shorter side.

    Args:
      data: config group `data`, as an object or a mapping.

    Returns:
      In (0, 1]; 1: the largest square.

    Raises:
      UserError: the data are TFRecord files whose `dataset.json` cannot be read.
    """
    data = dict(data)
    if data["source"] == "tfrecord":
        return _prepared_share(tfrecord.read_manifest(pathlib.Path(data["root"]).expanduser()))
    return _share(data["crop"]) if data["source"] in ("avatars", "celeba") else 1.0


def _prepared_share(manifest: dict[str, Any]) -> float:
    # Data sets that were prepared before the share was noted say how many pixels of CelebA's it was.
    return float(manifest.get("crop_share") or _share(manifest["crop"]))


def _share(pixels: int) -> float:
    return pixels / WIDTH if 0 < pixels < WIDTH else 1.0
