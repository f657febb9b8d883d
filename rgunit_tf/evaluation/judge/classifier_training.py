"""Trains the attribute classifier on real training images, and keeps it in a workdir."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import classifier_networks
from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
from rgunit_tf.evaluation.metrics import accuracy

if TYPE_CHECKING:
    from rgunit_tf.data import Dataset, Split

# What changes the weights beyond the data; a cached classifier of another recipe is trained anew.
RECIPE = {"width": 32, "batch_size": 64, "steps": 800, "learning_rate": 3e-3, "patience": 3, "seed": 0}
# What the recipe of a ResNet-50 has otherwise, and beyond that when it starts from ImageNet's weights.
RESNET50 = {"architecture": "resnet50", "batch_size": 32, "steps": 1500, "learning_rate": 1e-3}
FINE_TUNING = {"learning_rate": 2e-4}
# Validation rounds a training: often enough that stopping early saves time.
ROUNDS = 20
# A round that lowers the validation loss by less counts as none: the decisions no longer change.
SMALLEST_GAIN = 1e-3


def recipe_of(architecture: str, image_size: int, imagenet: str | os.PathLike | None = None) -> dict[str, Any]:
    """What `load_or_train` takes beyond its defaults for an architecture.

    Args:
      architecture: `small`, `resnet50`, or `auto`: small up to 64 px, ResNet-50 above.
      image_size: side of the images, pixels.
      imagenet: weights file that a ResNet-50 starts from; None: Keras' copy where there is one on this machine, random
        weights otherwise.
    """
    if classifier_networks.choose(architecture, image_size) == "small":
        return {}
    imagenet = imagenet or classifier_networks.cached_resnet50()
    if imagenet is None:
        logging.info("ResNet-50 starts from random weights: no %s on disk", classifier_networks.RESNET_FILE)
        return {**RESNET50, "imagenet": None}
    return {**RESNET50, **FINE_TUNING, "imagenet": str(imagenet)}


def fingerprint(dataset: Dataset, **recipe: Any) -> str:
    """Hash of what the classifier is made of: the data (names, sizes, labels, decoding) and the training recipe."""
    return hashlib.sha256(repr((dataset.fingerprint, sorted({**RECIPE, **recipe}.items()))).encode()).hexdigest()[:32]


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors, shifts by up to 1/16 of the side and brightens or darkens each image; [B, S, S, 3] in [-1, 1].

    The classifier must not hang on exact positions or tones: translated images are not pixel-aligned with real ones.
    """
    batch, size = tf.shape(images)[0], images.shape[1]
    reach = max(1, size // 16)
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    mirrored = tf.random.stateless_uniform([batch, 1, 1, 1], seeds[0]) < 0.5
    images = tf.where(mirrored, tf.reverse(images, axis=[2]), images)
    padded = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]], mode="REFLECT")
    shift = tf.random.stateless_uniform([batch, 2], seeds[1], maxval=2 * reach + 1, dtype=tf.int32)
    span = tf.range(size)
    padded = tf.gather(padded, shift[:, :1] + span, axis=1, batch_dims=1)
    images = tf.gather(padded, shift[:, 1:] + span, axis=2, batch_dims=1)
    images += tf.random.stateless_uniform([batch, 1, 1, 1], seeds[2], minval=-0.15, maxval=0.15)
    return tf.clip_by_value(images, -1.0, 1.0)


class _Training(tf.keras.Model):
    """The network under `fit`: only the logits are trained, the features are read afterwards."""

    def __init__(self, classifier: AttributeClassifier):
        super().__init__()
        self.network = classifier.network

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.network(images, training=training)[0]


def train_classifier(train: Split, validation: Split, classifier: AttributeClassifier, **recipe: Any) -> None:
    """Trains `classifier` in place; keeps the weights that were best on `validation`.

    Args:
      train: real, labelled training images.
      validation: real images that decide when to stop; if empty, the whole schedule is run.
      classifier: fresh classifier.
      **recipe: replaces entries of `RECIPE`.

    Raises:
      UserError: `train` has no images or no labels.
    """
    if not len(train) or train.labels is None:
        raise UserError("the attribute classifier needs labelled training images; this data set has none")
    recipe = {**RECIPE, **recipe}
    schema, seed = classifier.schema, recipe["seed"]
    batch_size = min(recipe["batch_size"], len(train))
    batches = train.batches(batch_size, training=True, seed=seed, drop_remainder=True).repeat().enumerate()
    batches = batches.map(
        lambda index, batch: (augment(batch["image"], tf.stack([seed, tf.cast(index, tf.int32)])), batch["label"]),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(2)

    model = _Training(classifier)
    loss = tf.keras.losses.CategoricalCrossentropy if schema.categorical else tf.keras.losses.BinaryCrossentropy
    schedule = tf.keras.optimizers.schedules.CosineDecay(recipe["learning_rate"], recipe["steps"])
    model.compile(tf.keras.optimizers.Adam(schedule), loss=loss(from_logits=True))
    callbacks: list[tf.keras.callbacks.Callback] = [
        tf.keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logging.info(
                "attribute classifier, round %d of %d: %s", epoch + 1, ROUNDS, logs
            )
        )
    ]
    held_out = None
    if len(validation):
        held_out = validation.batches(256, training=False).map(lambda batch: (batch["image"], batch["label"]))
        callbacks.append(
            tf.keras.callbacks.EarlyStopping(
                "val_loss", min_delta=SMALLEST_GAIN, patience=recipe["patience"], restore_best_weights=True
            )
        )
    model.fit(
        batches,
        steps_per_epoch=max(1, recipe["steps"] // ROUNDS),
        epochs=ROUNDS,
        validation_data=held_out,
        callbacks=callbacks,
        verbose=0,
    )


def accuracy_on(classifier: AttributeClassifier, split: Split, batch_size: int = 256) -> dict[str, Any]:
    """Accuracy and F1 of `classifier` on the real images of `split` (the "real images" row of paper Table 2)."""
    decided = [classifier.decide(classifier(batch["image"])[0]) for batch in split.batches(batch_size, training=False)]
    return accuracy.summary(np.concatenate(decided), split.labels, classifier.schema.names)


def load_or_train(folder: str | os.PathLike, dataset: Dataset, **recipe: Any) -> AttributeClassifier:
    """The classifier kept in `folder`, or a new one where there is none for exactly this data.

    Args:
      folder: usually `<workdir>/evaluation/classifier`.
      dataset: trained on `.train`, stopped by `.validation`, judged on `.test`.
      **recipe: replaces entries of `RECIPE`.

    Returns:
      Classifier whose `info` holds its accuracy on real test images, the fingerprint and the training time.
    """
    folder = pathlib.Path(folder)
    recipe = {**RECIPE, **recipe}
    wanted = fingerprint(dataset, **recipe)
    if folder.exists():
        try:
            classifier = AttributeClassifier.load(folder)
            if classifier.info.get("fingerprint") == wanted:
                return classifier
            logging.info("%s: made for other data or settings; training the attribute classifier anew", folder)
        except UserError as error:
            logging.warning("%s", error)
        shutil.rmtree(folder)

    start = time.perf_counter()
    classifier = AttributeClassifier(
        dataset.schema,
        dataset.train.image_size,
        recipe["width"],
        recipe["seed"],
        architecture=recipe.get("architecture", "small"),
    )
    if recipe.get("imagenet"):
        classifier_networks.load_imagenet(classifier.network, recipe["imagenet"])
    train_classifier(dataset.train, dataset.validation, classifier, **recipe)
    seconds = time.perf_counter() - start
    classifier.info = {
        "fingerprint": wanted,
        "recipe": recipe,
        "seconds": round(seconds, 1),
        "train_images": len(dataset.train),
        "test_images": len(dataset.test),
        "real_test": accuracy_on(classifier, dataset.test),
    }
    with atomic.directory(folder) as temporary:
        classifier.save(temporary)
    logging.info(
        "attribute classifier: %.1f s, accuracy on real test images %.4f",
        seconds,
        classifier.info["real_test"]["accuracy_mean"],
    )
    return classifier
