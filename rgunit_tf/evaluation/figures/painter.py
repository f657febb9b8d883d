"""What the figures of a translation or guided model share: the model in one traced graph, and the choice of images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.names import to_tensor

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split
    from rgunit_tf.domains import AttributeSchema

BATCH_SIZE = 64
# Masks that are nowhere below this (of 255) are off and show nothing.
MASK_IS_OFF = 252


def spread(split: Split, count: int, seed: int) -> np.ndarray:
    """Rows of `count` random images, of as many different domains as there are; the same for every stage."""
    order = np.random.default_rng([seed, 2]).permutation(len(split))
    if split.labels is None:
        return np.sort(order[:count])
    seen: dict[bytes, int] = {}
    turns = []
    for row in order:
        domain = split.labels[row].tobytes()
        turns.append(seen.get(domain, 0))
        seen[domain] = turns[-1] + 1
    return np.sort(order[np.argsort(turns, kind="stable")][:count])


def changes(schema: AttributeSchema, labels: np.ndarray) -> np.ndarray:
    """One target for each image, float32 [N, K]: another attribute is changed from image to image."""
    targets = []
    for number, label in enumerate(labels):
        for step in range(schema.size):
            target = schema.switched(label, schema.names[(number + step) % schema.size])
            if (target != label).any():
                break
        targets.append(target)
    return np.stack(targets)


class Painter:
    """Translates chosen test images with chosen styles.

    Args:
      model: has `.prior` and `.translate_with_style(images, styles, ids)`.
      dataset: its test images are shown.
      seed: of images, targets and styles.
    """

    def __init__(self, model: Any, dataset: Dataset, seed: int = 0):
        self.model, self.dataset, self.seed = model, dataset, seed
        size = dataset.test.image_size
        self._translate = tf.function(
            model.translate_with_style,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, size, size, 3], tf.float32),
                tf.TensorSpec([None, model.prior.style_dim], tf.float32),
                tf.TensorSpec([None], tf.string),
            ],
        )

    @property
    def schema(self) -> AttributeSchema:
        """The attributes of the data."""
        return self.dataset.schema

    def chosen(self, count: int) -> Split:
        """At most `count` test images to show."""
        return self.dataset.test.subset(spread(self.dataset.test, count, self.seed))

    def noise(self, count: int, sample: int = 0) -> np.ndarray:
        """Standard normal noise float32 [count, S]; another `sample` gives other styles."""
        generator = np.random.default_rng([self.seed, 3, sample])
        return generator.standard_normal((count, self.model.prior.style_dim)).astype(np.float32)

    def styles(self, targets: np.ndarray, sample: int = 0) -> np.ndarray:
        """A style of each target domain: labels [N, K] -> float32 [N, S]."""
        return self.model.prior.sample(np.asarray(targets, np.float32), self.noise(len(targets), sample)).numpy()

    def translate(self, split: Split, styles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Translates all images of `split` to styles [N, S]: uint8 [N, S, S, 3] and masks uint8 [N, S, S, 1]."""
        outputs, masks = [], []
        for start in range(0, len(split), BATCH_SIZE):
            rows = np.arange(start, min(start + BATCH_SIZE, len(split)))
            ids = to_tensor(split.ids[rows])
            images, mask = self._translate(pixels.to_float(split.images(rows)), tf.constant(styles[rows]), ids)
            outputs.append(pixels.to_uint8(images).numpy())
            masks.append(pixels.to_uint8(2.0 * mask - 1.0).numpy())
        return np.concatenate(outputs), np.concatenate(masks)

    @functools.cached_property
    def measured_targets(self) -> np.ndarray:
        """Target of each test image in the evaluation's figures, float32 [N, K]."""
        return draw_targets(self.dataset.test.labels, self.dataset.train.labels, self.seed)

    def measured(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The very translations of test images that the evaluation measured with this seed; as `translate`.

        Args:
          rows: of the test split, in ascending order.
        """
        return self.translate(self.dataset.test.subset(rows), self.measured_styles(rows))

    def measured_styles(self, rows: np.ndarray) -> np.ndarray:
        """The styles asked for in these translations, float32 [N, S]; `rows` as for `measured`."""
        # They are drawn for image after image; see `translate_test_set`.
        generator = np.random.default_rng([self.seed, 1])
        noise = generator.standard_normal((int(rows[-1]) + 1, self.model.prior.style_dim))[rows].astype(np.float32)
        return self.model.prior.sample(self.measured_targets[rows], noise).numpy()


def mask_is_off(masks: np.ndarray) -> bool:
    """Whether masks, uint8, replace every pixel, so that there is nothing to see."""
    return int(masks.min()) >= MASK_IS_OFF


def describe_targets(schema: AttributeSchema, targets: np.ndarray) -> list[str]:
    """`to Blond_Hair, Male` for each target [N, K]."""
    return [f"to {schema.describe(target)}" for target in targets]


def batches_of(rows: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`work` on `BATCH_SIZE` rows at a time, one number an image: float64 [N]."""
    return np.concatenate(
        [np.asarray(work(rows[start : start + BATCH_SIZE]), np.float64) for start in range(0, len(rows), BATCH_SIZE)]
    )
