"""Runs the same steps of stages on one device and on two logical CPU devices; prints what differs, as JSON.

A process of its own, since the devices must be set up before TensorFlow starts:

    python two_replicas.py <stage>:<sgd|adamw> ...
"""

# ruff: noqa: E402 (the devices are set up before anything else is imported)

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from rgunit_tf.distribution import make_strategy
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.retrieval import STRATEGIES, Gallery
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel
from tests import small_models as small

BATCH, STEPS = 8, 3
NAMES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
OPTIMIZER = {"steps": 100, "learning_rate": 1e-3, "learning_rate_warmup": 0, "clip_norm": 2.0}
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer", "network_optimizer")
LOSS = {"mask_warmup": 0, "kl_warmup": 0, "noise": 0.2, "gradient_penalty": 2.0, "domain_gradient_penalty": 0.5}

PHOTOGRAPHS = (
    {"discriminator": "efficientnet", "drawing": "change", "colors": "grey"},
    {"real_values": 2.0, "domain": 2.0, "hinge": True, "augment": 0.5, "halves": True},
)


GUIDANCE = {
    "retrieved": {},
    "random": {"mode": "random"},
    "attention": {"fusion": "attention", "content_target": "fused", "style": "neighbors"},
}


def batches() -> tf.data.Dataset:
    """Three global batches; the ids of the first are in the gallery."""
    labels = small.label_vectors(STEPS * BATCH)
    images = small.pictures(STEPS * BATCH, labels).astype(np.float32) / 127.5 - 1.0
    columns = {
        "image": images,
        "label": labels,
        "target": np.roll(labels, 1, axis=0),
        "id": np.array([str(index) for index in range(STEPS * BATCH)]),
    }
    return tf.data.Dataset.from_tensor_slices(columns).batch(BATCH, drop_remainder=True)


def build(stage: str) -> Any:
    """A compiled model of the stage, the same one each time; call it under a strategy's scope."""
    tf.keras.utils.set_random_seed(0)
    translation = TranslationModel(AttributeSchema(NAMES, [NAMES[:3]]), small.SIZE, **small.ARCHITECTURE)
    if stage == "translation":
        translation.compile(OPTIMIZER, LOSS)
        return translation
    if stage == "photographs":
        translation = TranslationModel(
            AttributeSchema(NAMES, [NAMES[:3]]), small.SIZE, **{**small.ARCHITECTURE, **PHOTOGRAPHS[0]}
        )
        translation.compile(OPTIMIZER, {**LOSS, **PHOTOGRAPHS[1]})
        return translation
    retrieval = RetrievalModel(translation, **small.RETRIEVAL)
    if stage == "retrieval":
        retrieval.compile({**OPTIMIZER, "negatives": STRATEGIES})
        return retrieval
    gallery = Gallery.build(retrieval, batches().take(2))
    guided = GuidedModel(translation, retrieval, gallery, 2, **GUIDANCE[stage.partition("_")[2]])
    guided.compile(OPTIMIZER, {**LOSS, "halves": True})
    return guided


def trained(model: Any) -> list[tf.Variable]:
    discriminator = [] if isinstance(model, RetrievalModel) else model.discriminator.trainable_variables
    return [*model.trained_variables, *discriminator]


def run(stage: str, strategy: tf.distribute.Strategy, optimizer: str) -> dict[str, Any]:
    """Fits with SGD or with the stage's own AdamW; returns by what the weights changed, and what fit reported."""
    with strategy.scope():
        model = build(stage)
        rates = []
        for name in OPTIMIZERS if optimizer == "sgd" else ():
            if hasattr(model, name):
                setattr(model, name, tf.keras.optimizers.SGD(1.0))
                rates.append(getattr(model, name).learning_rate)
    before = [variable.numpy() for variable in trained(model)]
    report = {"replicas": strategy.num_replicas_in_sync}
    if rates:
        # With a learning rate of 1 the change of one step is the clipped gradient.
        model.fit(batches().take(1), verbose=0, average=False)
        report["gradient"] = changes(model, before)
        for variable, value in zip(trained(model), before, strict=True):
            variable.assign(value)
        for rate in rates:
            rate.assign(1e-3)
        model.step.assign(0)
    history = model.fit(batches(), verbose=0, average=False).history
    copies = [strategy.experimental_local_results(variable) for variable in trained(model)]
    return {
        **report,
        "weights": changes(model, before),
        "terms": {name: values[0] for name, values in history.items()},
        "copies_equal": all(np.array_equal(copy[0], other) for copy in copies for other in copy[1:]),
        "copies": len(copies[0]),
        "step": int(model.step.numpy()),
    }


def changes(model: Any, before: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(v.numpy() - old) for v, old in zip(trained(model), before, strict=True)])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def noise_differs(strategy: tf.distribute.Strategy) -> float:
    """Largest difference between what two replicas draw together and what one draws."""

    def draw(batch: int) -> list[tf.Tensor]:
        noise = StepNoise(3, tf.constant(5, tf.int64), tf.constant(batch))
        return [noise.normal(4), noise.uniform(2), tf.cast(noise.seeds(batch), tf.float32)]

    alone = draw(BATCH)
    together = tf.function(lambda: strategy.run(draw, (BATCH // 2,)))()
    together = [tf.concat(strategy.experimental_local_results(value), 0) for value in together]
    return max(float(tf.reduce_max(tf.abs(x - y))) for x, y in zip(alone, together, strict=True))


def compare(stage: str, optimizer: str) -> dict[str, Any]:
    alone, together = (run(stage, make_strategy(name), optimizer) for name in ("one_device", "auto"))
    return {
        "differences": {
            name: difference(alone[name], together[name]) for name in ("gradient", "weights") if name in alone
        },
        "norms": {name: float(np.linalg.norm(alone[name])) for name in ("gradient", "weights") if name in alone},
        "terms": {name: [value, together["terms"][name]] for name, value in alone["terms"].items()},
        "copies_equal": together["copies_equal"],
        "copies": [alone["copies"], together["copies"]],
        "steps": [alone["step"], together["step"]],
    }


if __name__ == "__main__":
    report: dict[str, Any] = {"noise": noise_differs(make_strategy("auto"))}
    for case in sys.argv[1:]:
        report[case] = compare(*case.split(":"))
        tf.keras.backend.clear_session()
    print(json.dumps(report))
