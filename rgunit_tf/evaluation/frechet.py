"""Frechet and kernel distances between real and translated images, on the features one is given.

Only with Inception-v3 features are they FID and KID. With the attribute classifier's they are called
`frechet_classifier_distance` and `kernel_classifier_distance`, and compare with nothing but each other.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation import bootstrap, tfgan_metrics
from rgunit_tf.evaluation.measurement import measurement


def distances(
    features: np.ndarray, reference: np.ndarray, feature_name: str, seed: int, prefix: str = "", against: str = ""
) -> dict[str, dict[str, Any]]:
    """Both distances between two sets of activations, with intervals.

    Args:
      features: of the images in question, [N, F].
      reference: of real images, [M, F].
      feature_name: what computed the activations.
      seed: of the resamples.
      prefix: put before the names, as in `floor_`.
      against: what the reference images are, for the record.

    Returns:
      Records `<prefix>frechet_classifier_distance` and `<prefix>kernel_classifier_distance`.
    """
    words = f"features of the {feature_name}, {len(reference)} {against or 'real images'} as reference"
    started = time.perf_counter()
    low, high = bootstrap.two_sample_interval(tfgan_metrics.frechet_distance, features, reference, seed)
    frechet = measurement(
        tfgan_metrics.frechet_distance(features, reference),
        (max(low, 0.0), high),
        len(features),
        f"Frechet distance by tensorflow-gan; {words}",
        seed,
        started,
    )
    started = time.perf_counter()
    generator = np.random.default_rng(seed)
    features, reference = generator.permutation(features), generator.permutation(reference)
    value, error = tfgan_metrics.kernel_distance(features, reference)
    kernel = measurement(
        value,
        (value - 1.96 * error, value + 1.96 * error),
        len(features),
        f"unbiased kernel distance (cubic polynomial) by tensorflow-gan; interval from its own error; {words}",
        seed,
        started,
    )
    return {f"{prefix}frechet_classifier_distance": frechet, f"{prefix}kernel_classifier_distance": kernel}
