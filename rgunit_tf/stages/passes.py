"""What the forward passes of one step of a translation model leave for its losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from rgunit_tf.models.discriminator import Verdict


class Passes(NamedTuple):
    """What the forward passes of one step leave for the losses; B images each.

    With `loss.halves`: of `reconstructed`, its style and `own_style` every second image, from the first on; of
    `returned`, `translated_content` and `content` the others.
    """

    content: tf.Tensor
    own_style: tf.Tensor
    target_style: tf.Tensor
    kl: tf.Tensor
    reconstructed: tf.Tensor
    translated: tf.Tensor
    mask: tf.Tensor
    reconstructed_style: tf.Tensor
    translated_style: tf.Tensor
    translated_content: tf.Tensor
    returned: tf.Tensor
    on_real: Sequence[Verdict]
    on_translated: Sequence[Verdict]
    on_real_gradient: Sequence[tf.Tensor]
