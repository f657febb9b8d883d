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


def change(translated: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """How much of its input a translation changes; not of the paper, whose mask is to hold what need not change.

    Both [B, H, W, 3] in [-1, 1]. Once D is satisfied, this takes back what it is not asked for.
    """
    return l1(translated, images)


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


def error(said: tf.Tensor, fake: bool, hinge: bool) -> tf.Tensor:
    """How wrong D is in each of its outputs, of the same shape.

    By least squares with target 0 for real and 1 for translated images (Eq. 6), or by the hinge (Lim and Ye 2017): what
    is beyond 1 on the side of translated images, or beyond -1 on that of real ones, is right enough.
    """
    if hinge:
        return tf.nn.relu(1.0 - said if fake else 1.0 + said)
    return tf.square(said - (1.0 if fake else 0.0))


def deceived(said: tf.Tensor, hinge: bool) -> tf.Tensor:
    """What G lowers in each of D's outputs on translated images: its distance from 0 (Eq. 7), or itself."""
    return said if hinge else tf.square(said)


def discriminator_adversarial(real: Sequence[Verdict], fake: Sequence[Verdict], hinge: bool = False) -> tf.Tensor:
    """Eq. 6: the error on real and on translated images, averaged over scales."""
    terms = [
        tf.reduce_mean(error(on_real.realness, False, hinge)) + tf.reduce_mean(error(on_fake.realness, True, hinge))
        for on_real, on_fake in zip(real, fake, strict=True)
    ]
    return tf.add_n(terms) / len(terms)


def generator_adversarial(fake: Sequence[Verdict], hinge: bool = False) -> tf.Tensor:
    """Eq. 7: D should call translated images real; averaged over scales."""
    return tf.add_n([tf.reduce_mean(deceived(verdict.realness, hinge)) for verdict in fake]) / len(fake)


def values_of(verdict: Verdict, labels: tf.Tensor) -> tf.Tensor:
    """What D says of the values that `labels` [B, K] name: of its [B, 2K] those K, float32 [B, K]."""
    holds, lacks = tf.split(verdict.values, 2, -1)
    return labels * holds + (1.0 - labels) * lacks


def discriminator_values(
    real: Sequence[Verdict], fake: Sequence[Verdict], labels: tf.Tensor, targets: tf.Tensor, hinge: bool = False
) -> tf.Tensor:
    """Eq. 6 for each attribute apart: of a real image with its value, and of a translated one with the asked value.

    As in StarGAN v2 (Choi et al. 2020) D judges whether this is a real smile, not whether it is more of a smile than
    not. A classifier that is trained on real images alone, as in the domain loss, knows nothing of what G draws, and is
    satisfied by patterns.

    Args:
      real: of D on real images, one a scale.
      fake: of D on translated images.
      labels: float [B, K], of the real images.
      targets: float [B, K], what the translated images were asked for.
      hinge: see `error`.

    Returns:
      Summed over attributes, averaged over batch and scales.
    """
    terms = [
        tf.reduce_mean(
            tf.reduce_sum(
                error(values_of(on_real, labels), False, hinge) + error(values_of(on_fake, targets), True, hinge), -1
            )
        )
        for on_real, on_fake in zip(real, fake, strict=True)
    ]
    return tf.add_n(terms) / len(terms)


def generator_values(fake: Sequence[Verdict], targets: tf.Tensor, hinge: bool = False) -> tf.Tensor:
    """Eq. 7 for each attribute apart: D should call the asked values [B, K] of translated images real."""
    terms = [tf.reduce_mean(tf.reduce_sum(deceived(values_of(each, targets), hinge), -1)) for each in fake]
    return tf.add_n(terms) / len(terms)


def projected_verdict(
    verdicts: Sequence[Verdict], signs: tf.Tensor, realness_weight: float, domain_weight: float
) -> tf.Tensor:
    """What D says of each image as one number, whose squared gradient is `gradient_penalty` on average over `signs`.

    Args:
      verdicts: of D, one a scale.
      signs: random, -1 or 1, float32 [B, 1 + K], or [B, 1 + 3 K] of a D that judges values.
      realness_weight: of the gradient of the mean real/fake map.
      domain_weight: of the gradient of each domain logit, and of what D says of each value.

    Returns:
      float32 [B]: the outputs' means over scales, times the roots of their weights, added up with the signs.
    """
    realness = tf.add_n([tf.reduce_mean(verdict.realness, (1, 2)) for verdict in verdicts]) / len(verdicts)
    logits = tf.add_n([verdict.domain for verdict in verdicts]) / len(verdicts)
    if verdicts[0].values is not None:
        logits = tf.concat([logits, tf.add_n([verdict.values for verdict in verdicts]) / len(verdicts)], -1)
    outputs = tf.concat([math.sqrt(realness_weight) * realness, math.sqrt(domain_weight) * logits], -1)
    return tf.reduce_sum(signs * outputs, -1)


def gradient_penalty(*gradients: tf.Tensor) -> tf.Tensor:
    """R1 (Mescheder et al. 2018): the squared length of D's gradient at real images; [B, H, W, C] each, of one output.

    Where D looks at several tensors of features their squares add up.

    Several outputs are added with random signs (`projected_verdict`), which on average gives the sum of their squared
    gradients: products of two outputs cancel out (Hutchinson 1990).
    """
    return tf.add_n(
        [tf.reduce_mean(tf.reduce_sum(tf.square(tf.cast(each, tf.float32)), (1, 2, 3))) for each in gradients]
    )


def triplet(anchor: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float) -> tf.Tensor:
    """Eq. 8 for each triplet: max(0, m + d(a, p) - d(a, n)), d Euclidean; embeddings [B, E] -> float32 [B]."""
    return tf.maximum(0.0, margin + euclidean(anchor, positive) - euclidean(anchor, negative))


def euclidean(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Euclidean distance of rows, [B, E] -> [B]; the gradient is finite at distance 0."""
    return tf.sqrt(tf.reduce_sum(tf.math.squared_difference(left, right), -1) + 1e-12)
