"""Diversity of translations: how far apart several translations of one image to one domain are (paper §4.1, LPIPS)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.measurement import measurement
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork
from rgunit_tf.names import to_tensor

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split

# Paper §4.1: 100 input images, 10 translations to each domain.
INPUTS = 100
SAMPLES = 10
# Domains an input. The paper does not say how many; more of them sharpen the mean little, since the inputs vary most.
DOMAINS = 3
# Images at once up to 64 px, fewer above: VGG16's first features of one image of 256 px take 16 MB, several times over.
AT_ONCE = 60


def evaluate_diversity(
    model: Any,
    dataset: Dataset,
    networks: Sequence[PerceptualNetwork],
    seed: int = 0,
    inputs: int = INPUTS,
    domains: int = DOMAINS,
    samples: int = SAMPLES,
) -> dict[str, dict[str, Any]]:
    """Mean perceptual distance between translations of one image to one domain that differ in the sampled style.

    Args:
      model: see `translated.translate_test_set`.
      dataset: random images of its `.test` are translated to other domains that occur in its `.train`.
      networks: each measures the same translations.
      seed: of images, domains, styles and resamples.
      inputs: images, at most.
      domains: an image, at most.
      samples: translations of an image to a domain, at least 2.

    Returns:
      One record (see `measurement`) a network, by its `.metric`. The intervals resample the inputs.
    """
    started = time.perf_counter()
    split = _some(dataset.test, inputs, seed)
    rows, targets = _questions(split.labels, np.unique(dataset.train.labels, axis=0), domains, seed)
    measure = _measure(model, networks, split.image_size, targets.shape[1], samples)
    generator = np.random.default_rng([seed, 5])
    distances = []
    groups = _groups_at_once(split.image_size, samples)
    for start in range(0, len(rows), groups):
        span = rows[start : start + groups]
        noise = generator.standard_normal((len(span) * samples, model.prior.style_dim)).astype(np.float32)
        images, ids = pixels.to_float(split.images(span)), to_tensor(split.ids[span])
        distances.append(np.stack(measure(images, targets[start : start + groups], noise, ids), axis=1))
    # Distances of one input are not independent: the mean over inputs is what is resampled.
    per_input = np.zeros((len(split), len(networks)))
    np.add.at(per_input, rows, np.concatenate(distances))
    per_input /= np.bincount(rows, minlength=len(split))[:, None]
    records = {}
    for column, network in enumerate(networks):
        values = per_input[:, column]
        words = (
            f"mean distance between {samples} translations of an image to a domain, {len(rows)} such pairs; "
            f"{network.words}"
        )
        interval = bootstrap.mean_interval(values, seed)
        records[network.metric] = measurement(values.mean(), interval, len(split), words, seed, started)
    return records


def real_pair_distance(dataset: Dataset, network: PerceptualNetwork, seed: int = 0) -> dict[str, Any]:
    """Mean distance between two real test images of one domain: the scale on which a diversity is to be read.

    It is no diversity in the paper's sense, since the two images show different content.
    """
    started = time.perf_counter()
    generator = np.random.default_rng([seed, 6])
    pairs = [
        generator.permutation(rows)[: len(rows) // 2 * 2].reshape(-1, 2) for rows in dataset.test.domains().values()
    ]
    pairs = generator.permutation(np.concatenate(pairs))[: INPUTS * 5]
    measure = tf.function(lambda images: network.mean_pair_distance(images, 2), reduce_retracing=True, autograph=False)
    groups = _groups_at_once(dataset.test.image_size, 2)
    values = [
        measure(pixels.to_float(dataset.test.images(pairs[start : start + groups].ravel()))).numpy()
        for start in range(0, len(pairs), groups)
    ]
    values = np.concatenate(values) if values else np.zeros(0)
    return measurement(
        values.mean() if len(values) else float("nan"),
        bootstrap.mean_interval(values, seed) if len(values) else None,
        2 * len(values),
        f"mean distance between two real test images of one domain, {len(values)} pairs; {network.words}",
        seed,
        started,
    )


def _groups_at_once(image_size: int, group: int) -> int:
    return max(1, min(AT_ONCE, AT_ONCE * 64**2 // image_size**2) // group)


def _some(split: Split, count: int, seed: int) -> Split:
    rows = np.random.default_rng([seed, 4]).permutation(len(split))[:count]
    return split.subset(np.sort(rows))


def _questions(labels: np.ndarray, domains: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the images and label vectors asked of them, `most` random other domains an image: [Q], [Q, K]."""
    generator = np.random.default_rng([seed, 4])
    rows, targets = [], []
    for row, label in enumerate(labels):
        others = domains[(domains != label).any(axis=1)]
        chosen = generator.permutation(len(others))[:most]
        rows.extend([row] * len(chosen))
        targets.append(others[chosen])
    return np.array(rows, np.int64), np.concatenate(targets).astype(np.float32)


def _measure(model: Any, networks: Sequence[PerceptualNetwork], size: int, attributes: int, samples: int) -> Any:
    """Function from images [G, S, S, 3], labels, noise [G * samples, D] and ids to a distance [G] a network."""

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, size, size, 3], tf.float32),
            tf.TensorSpec([None, attributes], tf.float32),
            tf.TensorSpec([None, model.prior.style_dim], tf.float32),
            tf.TensorSpec([None], tf.string),
        ],
    )
    def measure(images: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor, ids: tf.Tensor) -> list[tf.Tensor]:
        images, labels, ids = (tf.repeat(value, samples, axis=0) for value in (images, labels, ids))
        outputs, _ = model.translate_with_style(images, model.prior.sample(labels, noise), ids)
        return [network.mean_pair_distance(outputs, samples) for network in networks]

    return measure
