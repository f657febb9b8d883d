"""The losses of the paper, one function an equation, and a penalty on D's gradient, which is not the paper's.

Each returns a float32 scalar, the mean over the batch, unless it says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from rgunit_tf.models.discriminator import Verdict


def l1(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of two tensors of one shape; the norm of Eq. 2-5."""
    left.shape.assert_is_compatible_with(right.shape)
    return tf.reduce_mean(tf.abs(tf.cast(left, tf.float32) - tf.cast(right, tf.float32)))


def content_reconstruction(translated_content: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
    """Eq. 2: Ec of the translated image against Ec(x); [B, h, w, C] each."""
    return l1(translated_content, content)


def style_reconstruction(decoded_style: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Eq. 3: Es of a decoded image against the style it was decoded with; [B, S] each."""
    return l1(decoded_style, style)


def image_reconstruction(reconstructed: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Eq. 4: the image decoded from its own content and style against itself; [B, H, W, 3] in [-1, 1]."""
    return l1(reconstructed, images)


def cycle_consistency(returned: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Eq. 5: the image translated there and back against itself; [B, H, W, 3] in [-1, 1]."""
    return l1(returned, images)


def kl_divergence(kl: tf.Tensor) -> tf.Tensor:
    """L_KL: mean of the KL divergences [B] (`StylePrior.kl`) between the posterior and its domain's component."""
    return tf.reduce_mean(kl)


def domain(verdicts: Sequence[Verdict], labels: tf.Tensor, categorical: bool) -> tf.Tensor:
    """L_cls of D (real images, their labels) or of G (translated images, target labels).

    Args:
      verdicts: of D, one a scale; logits [B, K].
      labels: float [B, K] of 0 and 1.
      categorical: softmax over K categories, instead of K sigmoids summed.

    Returns:
      -log D_cls, summed over attributes, averaged over batch and scales.
    """
    if categorical:
        terms = [tf.nn.softmax_cross_entropy_with_logits(labels, verdict.domain) for verdict in verdicts]
    else:
        terms = [
            tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, verdict.domain), -1) for verdict in verdicts
        ]
    return tf.add_n([tf.reduce_mean(term) for term in terms]) / len(terms)


def discriminator_adversarial(real: Sequence[Verdict], fake: Sequence[Verdict]) -> tf.Tensor:
    """Eq. 6: least squares with target 0 for real and 1 for translated images, averaged over scales."""
    terms = [
        tf.reduce_mean(tf.square(on_real.realness)) + tf.reduce_mean(tf.square(on_fake.realness - 1.0))
        for on_real, on_fake in zip(real, fake, strict=True)
    ]
    return tf.add_n(terms) / len(terms)


def generator_adversarial(fake: Sequence[Verdict]) -> tf.Tensor:
    """Eq. 7: least squares with target 0, what D calls real, for translated images, averaged over scales."""
    return tf.add_n([tf.reduce_mean(tf.square(verdict.realness)) for verdict in fake]) / len(fake)


def projected_verdict(
    verdicts: Sequence[Verdict], signs: tf.Tensor, realness_weight: float, domain_weight: float
) -> tf.Tensor:
    """What D says of each image as one number, whose squared gradient is `gradient_penalty` on average over `signs`.

    Args:
      verdicts: of D, one a scale.
      signs: random, -1 or 1, float32 [B, 1 + K].
      realness_weight: of the gradient of the mean real/fake map.
      domain_weight: of the gradient of each domain logit.

    Returns:
      float32 [B]: the outputs' means over scales, times the roots of their weights, added up with the signs.
    """
    realness = tf.add_n([tf.reduce_mean(verdict.realness, (1, 2)) for verdict in verdicts]) / len(verdicts)
    logits = tf.add_n([verdict.domain for verdict in verdicts]) / len(verdicts)
    outputs = tf.concat([math.sqrt(realness_weight) * realness, math.sqrt(domain_weight) * logits], -1)
    return tf.reduce_sum(signs * outputs, -1)


def gradient_penalty(gradients: tf.Tensor) -> tf.Tensor:
    """R1 (Mescheder et al. 2018): the squared length of D's gradient at real images; [B, H, W, 3] of one output.

    Several outputs are added with random signs (`projected_verdict`), which on average gives the sum of their squared
    gradients: products of two outputs cancel out (Hutchinson 1990).
    """
    return tf.reduce_mean(tf.reduce_sum(tf.square(tf.cast(gradients, tf.float32)), (1, 2, 3)))


def triplet(anchor: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float) -> tf.Tensor:
    """Eq. 8 for each triplet: max(0, m + d(a, p) - d(a, n)), d Euclidean; embeddings [B, E] -> float32 [B]."""
    return tf.maximum(0.0, margin + euclidean(anchor, positive) - euclidean(anchor, negative))


def euclidean(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Euclidean distance of rows, [B, E] -> [B]; the gradient is finite at distance 0."""
    return tf.sqrt(tf.reduce_sum(tf.math.squared_difference(left, right), -1) + 1e-12)
