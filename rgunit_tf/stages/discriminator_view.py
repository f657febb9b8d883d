"""What D is shown of an image: noise and a blank square keep it from judging by patches that no eye would notice.

D's own domain head is easily satisfied by a few tell-tale pixels, which G then learns to paint. Noise (Sonderby et al.
2017) hides what is small; blanking a random square (cutout as in DiffAugment, Zhao et al. 2020) makes every region
matter. Real and translated images are treated alike, and the gradient to G passes through both.
"""

from __future__ import annotations

import tensorflow as tf

from rgunit_tf.stages.noise import StepNoise


def view(images: tf.Tensor, noise: StepNoise, deviation: float, cutout: float) -> tf.Tensor:
    """Images as D sees them.

    Args:
      images: float32 [B, H, W, 3] in [-1, 1].
      noise: source of the random numbers.
      deviation: upper end of the noise's standard deviation, which is drawn an image.
      cutout: side of the blank square as a share of the image's; 0 for none.

    Returns:
      Float32 [B, H, W, 3].
    """
    height, width = images.shape[1], images.shape[2]
    if deviation:
        images = images + deviation * noise.uniform(1, 1, 1) * noise.normal(height, width, 3)
    if cutout:
        images = images * (
            1.0 - _square(noise.uniform(1, 1, 1), height, cutout, 1) * _square(noise.uniform(1, 1, 1), width, cutout, 2)
        )
    return images


def _square(place: tf.Tensor, size: int, share: float, axis: int) -> tf.Tensor:
    """1 on a stretch of `share` of `size` centred at `place` along `axis`, 0 elsewhere; place [B, 1, 1, 1]."""
    positions = (tf.range(size, dtype=tf.float32) + 0.5) / size
    positions = tf.reshape(positions, [-1 if index == axis else 1 for index in range(4)])
    return tf.cast(tf.abs(positions - place) < share / 2, tf.float32)
