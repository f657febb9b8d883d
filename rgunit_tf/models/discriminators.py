"""The discriminator that a model's settings ask for."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rgunit_tf.models.discriminator import Discriminator
from rgunit_tf.models.projected_discriminator import ProjectedDiscriminator


def make_discriminator(settings: Any, num_attributes: int, image_size: int) -> Discriminator | ProjectedDiscriminator:
    """D, with its weights, for images of `image_size` pixels; settings are `config.SETTINGS["model"]`."""
    if settings.discriminator == "efficientnet":
        made = ProjectedDiscriminator(num_attributes, settings.discriminator_width, settings.aligned)
        made.build_for(image_size)
        return made
    layers, scales = settings.discriminator_layers, settings.discriminator_scales
    made = Discriminator(num_attributes, settings.discriminator_width, layers, scales, settings.judge_values)
    made(tf.zeros((1, image_size, image_size, 3)))
    return made
