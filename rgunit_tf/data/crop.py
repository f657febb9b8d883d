"""The centre crop of training as a share of a picture's shorter side, for pictures of any size."""

from __future__ import annotations

import pathlib
from typing import Any

from rgunit_tf.data import tfrecord
from rgunit_tf.data.records import share_of


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
        return tfrecord.crop_share(tfrecord.read_manifest(pathlib.Path(data["root"]).expanduser()))
    return share_of(data["crop"]) if data["source"] in ("avatars", "celeba") else 1.0
