"""Seconds an image of the translation and the guided training step, and their share of the machine's peak."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf.benchmarks import multiplications
from rgunit_tf.benchmarks.timing import (
    Recorder,
    interleaved,
    matmul_peak,
    peak_device_memory_mib,
    peak_memory_mib,
    seconds_of,
)
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.models.convolutions import as_written
from rgunit_tf.retrieval import Gallery
from rgunit_tf.stages import precision
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

SCHEMA = AttributeSchema(
    ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young"), (("Black_Hair", "Blond_Hair", "Brown_Hair"),)
)
MASK_ON = {"mask_warmup": 0}
PENALTIES = {"gradient_penalty": 160.0, "domain_gradient_penalty": 0.2}


@dataclasses.dataclass(frozen=True)
class Size:
    """What is trained: one image side, width and batch; the rest as in the paper (4 residual blocks, D as wide).

    `precision` and `jit_compile` are those of `config.train`.
    """

    image_size: int = 128
    width: int = 64
    batch_size: int = 1
    repeats: int = 10
    precision: str = "float32"
    jit_compile: bool = False

    def translation(self, **loss: float) -> TranslationModel:
        """A compiled translation model, its mask on, with further settings of the loss."""
        with precision.policy(self.precision):
            model = TranslationModel(SCHEMA, self.image_size, width=self.width, discriminator_width=self.width)
        model.compile(loss={**MASK_ON, **loss}, jit_compile=self.jit_compile)
        return model

    def matmul_peak(self) -> float:
        """The machine's peak in the precision of the networks, GFLOP/s."""
        return matmul_peak(self.precision.removeprefix("mixed_"))

    def batch(self, seed: int = 0) -> dict[str, tf.Tensor]:
        """A training batch of random pixels; a step takes as long on them as on pictures."""
        random = np.random.default_rng(seed)
        shape = (self.batch_size, self.image_size, self.image_size, 3)
        labels = np.zeros((self.batch_size, SCHEMA.size), np.float32)
        labels[np.arange(self.batch_size), random.integers(0, 3, self.batch_size)] = 1.0
        return {
            "image": tf.constant(random.uniform(-1, 1, shape), tf.float32),
            "label": tf.constant(labels),
            "target": tf.constant(labels[:, [2, 0, 1, 3, 4]]),
            "id": tf.constant([f"image{row}" for row in range(self.batch_size)]),
        }

    def step_of(self, model: Any) -> Callable[[], Any]:
        """Takes one training step of `fit` and waits for it."""
        batch = model.without_names(self.batch()) if self.jit_compile else self.batch()
        batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
        function = model.make_train_function()
        return lambda: {name: value.numpy() for name, value in function(batches).items()}


def train_step(size: Size) -> Iterator[dict[str, Any]]:
    """Records of the translation step: one update of D and one of the generator side.

    Yields:
      matmul_peak; train_step_s_per_image; the same times the peak, which does not depend on the machine's speed;
      the multiplications of the mathematics as written and as computed, and what share of the peak they reach.
    """
    model = size.translation()
    step = size.step_of(model)
    step()
    peak = size.matmul_peak()
    seconds = seconds_of(step, size.repeats) if size.repeats else []
    peak = max(peak, size.matmul_peak())
    recorder = Recorder(dataclasses.asdict(size), peak)
    per_image = statistics.median(seconds) / size.batch_size
    counts, unknown = multiplications.count(_traced_step(model, size))
    computed = multiplications.gflop(counts) / size.batch_size
    with as_written():
        counts, unknown_as_written = multiplications.count(_traced_step(model, size))
    written = multiplications.gflop(counts) / size.batch_size
    spread = {"fastest": min(seconds) / size.batch_size, "slowest": max(seconds) / size.batch_size}
    yield recorder.record("matmul_peak", peak, "GFLOP/s")
    yield recorder.record("train_step_s_per_image", per_image, "s", **spread)
    yield recorder.record("train_step_s_per_image_x_peak", per_image * peak, "GFLOP/image")
    yield recorder.record(
        "train_step_useful_gflop_per_image", written, "GFLOP", operations_not_counted=unknown_as_written
    )
    yield recorder.record("train_step_computed_gflop_per_image", computed, "GFLOP", operations_not_counted=unknown)
    yield recorder.record("train_step_useful_share_of_peak", written / per_image / peak, "1")
    yield recorder.record("train_step_computed_share_of_peak", computed / per_image / peak, "1")
    yield from _peak_memory(recorder)


def _peak_memory(recorder: Recorder) -> Iterator[dict[str, Any]]:
    yield recorder.record("peak_memory", peak_memory_mib(), "MiB")
    on_device = peak_device_memory_mib()
    if on_device is not None:
        yield recorder.record("peak_device_memory", on_device, "MiB")


def _traced_step(model: TranslationModel, size: Size) -> Any:
    specs = {name: tf.TensorSpec(value.shape, value.dtype) for name, value in size.batch().items()}
    return tf.function(model.train_step, autograph=False).get_concrete_function(specs)


def penalty_step(size: Size) -> Iterator[dict[str, Any]]:
    """Records of the translation step with D's gradient penalty beside the step without, both in the same run.

    Yields:
      train_step_s_per_image, penalty_step_s_per_image and their ratio.
    """
    models = {"without": size.translation(), "with": size.translation(**PENALTIES)}
    peak = size.matmul_peak()
    seconds = interleaved({name: size.step_of(model) for name, model in models.items()}, size.repeats)
    peak = max(peak, size.matmul_peak())
    recorder = Recorder(dataclasses.asdict(size), peak)
    yield recorder.record("matmul_peak", peak, "GFLOP/s")
    yield recorder.record("train_step_s_per_image", seconds["without"] / size.batch_size, "s")
    yield recorder.record("penalty_step_s_per_image", seconds["with"] / size.batch_size, "s")
    yield recorder.record("penalty_step_over_train_step", seconds["with"] / seconds["without"], "1")
    yield from _peak_memory(recorder)


def guided_step(size: Size, neighbors: int = 3, gallery_size: int = 1000) -> Iterator[dict[str, Any]]:
    """Records of the guided step beside the translation step, with the gallery's contents cached and without.

    XLA compiles what finds its contents cached alone.

    Args:
      size: of model and batch.
      neighbors: r.
      gallery_size: images to retrieve from.

    Yields:
      guided_step_s_per_image with its cache and without, and their ratios to the translation step of the same run.
    """
    translation = size.translation()
    with precision.policy(size.precision):
        retrieval = RetrievalModel(translation)
    retrieval.compile()
    gallery = Gallery.build(retrieval, _gallery_batches(size, gallery_size))
    models = {"translation": translation}
    budgets = {"cached": 1 << 20} if size.jit_compile else {"cached": 1 << 20, "uncached": 0}
    for name, budget in budgets.items():
        with precision.policy(size.precision):
            models[name] = GuidedModel(translation, retrieval, gallery, neighbors, content_cache_mb=budget)
        models[name].compile(loss=MASK_ON, jit_compile=size.jit_compile)
    peak = size.matmul_peak()
    seconds = interleaved({name: size.step_of(model) for name, model in models.items()}, size.repeats)
    peak = max(peak, size.matmul_peak())
    settings = {**dataclasses.asdict(size), "neighbors": neighbors, "gallery_size": gallery_size}
    recorder = Recorder(settings, peak)
    base = seconds["translation"]
    yield recorder.record("matmul_peak", peak, "GFLOP/s")
    yield recorder.record("train_step_s_per_image", base / size.batch_size, "s")
    for name in budgets:
        mine = seconds[name]
        yield recorder.record(f"guided_step_s_per_image_{name}", mine / size.batch_size, "s")
        yield recorder.record(f"guided_step_over_train_step_{name}", mine / base, "1")
    yield from _peak_memory(recorder)


def _gallery_batches(size: Size, count: int) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(1)
    for start in range(0, count, 100):
        rows = range(start, min(start + 100, count))
        shape = (len(rows), size.image_size, size.image_size, 3)
        yield {"image": random.integers(0, 256, shape, np.uint8), "id": tf.constant([f"g{row}" for row in rows])}
