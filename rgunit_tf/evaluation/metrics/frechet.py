"""Frechet and kernel distances between real and translated images, on the features one is given.

Only with Inception-v3 features are they FID and KID. With the attribute classifier's they are called
`frechet_classifier_distance` and `kernel_classifier_distance`, and compare with nothing but each other.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.distances import frechet_distance, kernel_distance, kernel_distance_of_one_block
from rgunit_tf.evaluation.metrics.measurement import measurement

CLASSIFIER_NAMES = ("frechet_classifier_distance", "kernel_classifier_distance")
# Of the interval: fewer where a distance takes seconds (its time is cubic in the features).
RESAMPLES = 50
RESAMPLES_OF_WIDE = 10
WIDE = 512


def distances(
    features: np.ndarray,
    reference: np.ndarray,
    feature_name: str,
    seed: int,
    prefix: str = "",
    against: str = "",
    names: tuple[str, str] = CLASSIFIER_NAMES,
) -> dict[str, dict[str, Any]]:
    """Both distances between two sets of activations, with intervals.

    Args:
      features: of the images in question, [N, F].
      reference: of real images, [M, F].
      feature_name: what computed the activations.
      seed: of the resamples.
      prefix: put before the names, as in `floor_`.
      against: what the reference images are, for the record.
      names: of the Frechet and the kernel distance.

    Returns:
      Records `<prefix><name>` of both.
    """
    return {
        f"{prefix}{names[0]}": frechet_record(features, reference, feature_name, seed, against),
        f"{prefix}{names[1]}": kernel_record(features, reference, feature_name, seed, against),
    }


def frechet_record(
    features: np.ndarray, reference: np.ndarray, feature_name: str, seed: int, against: str = ""
) -> dict[str, Any]:
    """The Frechet distance alone; arguments as of `distances`."""
    words = _words(feature_name, reference, against)
    started = time.perf_counter()
    value = frechet_distance(features, reference)
    resamples = _resamples(features)
    low, high = bootstrap.two_sample_interval(frechet_distance, features, reference, seed, resamples, value=value)
    return measurement(
        value,
        (max(low, 0.0), high),
        len(features),
        f"Frechet distance, interval from {resamples} resamples; {words}",
        seed,
        started,
    )


def kernel_record(
    features: np.ndarray, reference: np.ndarray, feature_name: str, seed: int, against: str = ""
) -> dict[str, Any]:
    """The kernel distance alone; arguments as of `distances`."""
    words = _words(feature_name, reference, against)
    started = time.perf_counter()
    generator = np.random.default_rng(seed)
    features, reference = generator.permutation(features), generator.permutation(reference)
    value, error = kernel_distance(features, reference)
    interval, origin = (value - 1.96 * error, value + 1.96 * error), "its own error"
    if np.isnan(error):
        # It comes from the blocks, and up to 1,000 images are one block.
        resamples = _resamples(features)
        interval = bootstrap.two_sample_interval(
            kernel_distance_of_one_block, features, reference, seed, resamples, value=value
        )
        origin = f"{resamples} resamples"
    return measurement(
        value,
        interval,
        len(features),
        f"unbiased kernel distance (cubic polynomial), interval from {origin}; {words}",
        seed,
        started,
    )


def _words(feature_name: str, reference: np.ndarray, against: str) -> str:
    return f"features of the {feature_name}, {len(reference)} {against or 'real images'} as reference"


def _resamples(features: np.ndarray) -> int:
    return RESAMPLES if features.shape[1] <= WIDE else RESAMPLES_OF_WIDE
