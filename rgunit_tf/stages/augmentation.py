"""What the discriminator sees of an image, altered at random so that gradients still reach the image.

After DiffAugment (Zhao et al. 2020, https://arxiv.org/abs/2006.10738): real and translated images are altered by the
same distribution, so G gains nothing by imitating the alterations, and D cannot learn the training images by heart nor
be satisfied by a patch that holds in one place and at one brightness alone.
"""

from __future__ import annotations

import tensorflow as tf

from rgunit_tf.stages.noise import StepNoise


def augment(images: tf.Tensor, noise: StepNoise, strength: float) -> tf.Tensor:
    """Alters brightness, saturation and contrast of each image, and moves it.

    Args:
      images: float [B, H, W, C] in about [-1, 1].
      noise: of the step; two draws are taken.
      strength: 0 leaves the images as they are; 1 adds up to a half (of 2, the range) to the brightness, scales
        saturation by 0 to 2 and contrast by 0.5 to 1.5, and moves by up to a sixteenth of the side.

    Returns:
      The same shape and dtype; values may lie outside of [-1, 1].
    """
    if not strength:
        return images
    colour = strength * (2.0 * tf.cast(noise.uniform(3, 1, 1, 1), images.dtype) - 1.0)
    images = images + 0.5 * colour[:, 0]
    images = _scaled_about(images, tf.reduce_mean(images, -1, keepdims=True), 1.0 + colour[:, 1])
    images = _scaled_about(images, tf.reduce_mean(images, (1, 2, 3), keepdims=True), 1.0 + 0.5 * colour[:, 2])
    return translate(images, noise.uniform(2), round(strength * images.shape[1] / 16))


def translate(images: tf.Tensor, shares: tf.Tensor, reach: int) -> tf.Tensor:
    """Moves each image by whole pixels; what comes in from outside mirrors the edge.

    Args:
      images: float [B, H, W, C].
      shares: float [B, 2] in [0, 1), down and right: 0 moves by -`reach`, 1 by `reach`.
      reach: pixels, less than H and W.

    Returns:
      The same shape.
    """
    height, width = images.shape[1:3]
    corners = tf.cast(tf.floor(shares * (2 * reach + 1)), tf.int32)
    padded = tf.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), "REFLECT")
    rows = tf.gather(padded, corners[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, corners[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def _scaled_about(images: tf.Tensor, centre: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return centre + factor * (images - centre)
