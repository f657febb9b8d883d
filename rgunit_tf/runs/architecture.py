"""Settings of a model that the data and what is installed decide."""

from __future__ import annotations

from typing import Any

import ml_collections
import numpy as np
from absl import logging

from rgunit_tf.data.split import Split
from rgunit_tf.models import frozen_features

_SAMPLE = 256


def resolved(settings: ml_collections.ConfigDict, train: Split) -> dict[str, Any]:
    """`config.SETTINGS["model"]` of a fresh translation model.

    Colours that are to be found out become `grey` or `rgb`; a projected discriminator whose network is not installed
    becomes one of convolutions, which is said in the log.

    Args:
      settings: of the config.
      train: the training images.
    """
    found = dict(settings)
    if found["colors"] == "auto":
        found["colors"] = "grey" if is_grey(train) else "rgb"
        logging.info(
            "the training images are %s", "grey, so are translations" if found["colors"] == "grey" else "in colour"
        )
    if found["discriminator"] == "efficientnet" and not frozen_features.available():
        logging.warning(
            "model.discriminator=efficientnet: %s; the discriminator is one of convolutions, and learns more slowly",
            frozen_features.MISSING,
        )
        found["discriminator"] = "convolutional"
    return found


def is_grey(split: Split) -> bool:
    """Whether the channels of each of up to 256 images, spread over the split, are equal."""
    images = split.images(np.linspace(0, len(split) - 1, min(len(split), _SAMPLE)).astype(np.int64))
    return bool((images == images[..., :1]).all())
