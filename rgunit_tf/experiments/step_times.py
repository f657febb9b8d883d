"""How long a step of each stage takes here: a few steps of each, on real batches, the first ones not counted."""

from __future__ import annotations

import time
from typing import Any

import ml_collections
import numpy as np
import tensorflow as tf

from rgunit_tf.data import Dataset
from rgunit_tf.retrieval import Gallery
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

WARM_UP, TIMED = 2, 5
GALLERY_IMAGES = 256


class _StepTimer(tf.keras.callbacks.Callback):
    """Keeps the time of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops it, once the step's results are there."""
        self.seconds.append(time.perf_counter() - self._started)


def seconds_per_step(config: ml_collections.ConfigDict, dataset: Dataset) -> dict[str, float]:
    """Median seconds of a step of each stage with a config's models and batches, untrained, on this machine.

    Args:
      config: of a run.
      dataset: its data; a few batches are read.

    Returns:
      {"translation": seconds, "retrieval": seconds, "guided": seconds}.
    """
    seed = config.train.seed
    translation = TranslationModel(dataset.schema, config.data.image_size, seed, **config.model)
    translation.compile(config.translation, config.loss)
    times = {"translation": _time(translation, dataset, config.translation.batch_size, seed)}

    architecture = {key: config.retrieval[key] for key in RetrievalModel.ARCHITECTURE}
    retrieval = RetrievalModel(translation, seed, **architecture)
    retrieval.compile(config.retrieval)
    times["retrieval"] = _time(retrieval, dataset, config.retrieval.batch_size, seed)

    gallery = None
    if config.guided.neighbors:
        count = min(len(dataset.retrieval), max(GALLERY_IMAGES, 2 * config.guided.neighbors))
        gallery = Gallery.build(retrieval, dataset.retrieval.subset(np.arange(count)))
    chosen = {key: config.guided[key] for key in GuidedModel.SETTINGS}
    guided = GuidedModel(translation, retrieval, gallery, **chosen)
    guided.compile(config.guided, config.loss)
    times["guided"] = _time(guided, dataset, config.guided.batch_size, seed)
    return times


def _time(model: tf.keras.Model, dataset: Dataset, batch_size: int, seed: int) -> float:
    timer = _StepTimer()
    batches = dataset.train.stream(batch_size, seed)
    model.fit(batches, steps_per_epoch=WARM_UP + TIMED, callbacks=[timer], verbose=0)
    return float(np.median(timer.seconds[WARM_UP:]))
