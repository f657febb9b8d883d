"""Trains a stage of a workdir from where it stands (paper §3: translation, retrieval, guided)."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import Any

import ml_collections
import tensorflow as tf
from absl import logging

from rgunit_tf.data.split import Dataset
from rgunit_tf.distribution import make_strategy
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.stages import saving
from rgunit_tf.stages.callbacks import Checkpoints, History, Progress
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.samples import Samples
from rgunit_tf.stages.translation import TranslationModel
from rgunit_tf.workdir import STAGES, Workdir

SHOWN = {
    "translation": ("generator_loss", "discriminator_loss", "cycle", "domain_g"),
    "retrieval": ("triplet_loss", "satisfied"),
    "guided": ("generator_loss", "discriminator_loss", "cycle", "domain_g"),
}
"""Terms beside the progress bar."""


def configure(config: ml_collections.ConfigDict) -> None:
    """Sets what holds for the whole process; call it before TensorFlow computes anything."""
    if config.train.deterministic:
        tf.keras.utils.set_random_seed(config.train.seed)
        tf.config.experimental.enable_op_determinism()


def train_stage(workdir: Workdir, name: str, dataset: Dataset) -> None:
    """Trains a stage to its end, from its last checkpoint if it has one; the stages it needs must be finished.

    Args:
      workdir: claimed for its config.
      name: `translation`, `retrieval` or `guided`.
      dataset: what `workdir.dataset()` gives.

    Raises:
      UserError: a stage it needs is missing or damaged, or no checkpoint of it is whole.
    """
    config = workdir.config
    later = [stage for stage in STAGES[STAGES.index(name) + 1 :] if stage in workdir.finished_stages()]
    if later:
        raise UserError(
            f"{workdir.stage(name) / 'final'} is missing, though {' and '.join(later)} was trained from it; "
            f"restore it, or delete {' and '.join(str(workdir.stage(stage)) for stage in later)} as well"
        )
    if name == "retrieval":
        # A gallery that is there before its model was embedded by an earlier training.
        shutil.rmtree(workdir.stage(name) / "gallery", ignore_errors=True)
    # Outside of the strategy's scope: the gallery's variables never change and need no copy a replica.
    guides = name == "guided" and config.guided.neighbors > 0
    gallery = gallery_of(workdir, dataset) if guides else None
    tf.keras.utils.set_random_seed(config.train.seed)
    with make_strategy(config.train.strategy).scope():
        model = _build(workdir, name, dataset.schema, gallery)
    _fit(workdir, name, model, dataset)
    if name == "retrieval":
        gallery_of(workdir, dataset)
    tf.keras.backend.clear_session()


def _build(workdir: Workdir, name: str, schema: AttributeSchema, gallery: Gallery | None) -> Any:
    """The compiled model of a stage, with fresh weights where it does not start from those of another stage."""
    config = workdir.config
    if name == "translation":
        model = TranslationModel(schema, config.data.image_size, config.train.seed, **config.model)
        model.compile(config.translation, config.loss)
    elif name == "retrieval":
        architecture = {key: config.retrieval[key] for key in RetrievalModel.ARCHITECTURE}
        model = RetrievalModel(workdir.load_stage("translation"), config.train.seed, **architecture)
        model.compile(config.retrieval)
    else:
        retrieval, guided = workdir.load_stage("retrieval"), config.guided
        model = GuidedModel(
            retrieval.translation, retrieval, gallery, guided.neighbors, guided.mode, guided.content_cache_mb
        )
        model.compile(guided, config.loss)
    return model


def gallery_of(workdir: Workdir, dataset: Dataset) -> Gallery:
    """The workdir's gallery; embeds and indexes the retrieval set where there is none yet."""
    folder = workdir.stage("retrieval") / "gallery"
    if not folder.exists():
        index = workdir.config.retrieval.index
        Gallery.build(workdir.load_stage("retrieval"), dataset.retrieval, index).save(folder)
    return workdir.gallery()


def _fit(workdir: Workdir, name: str, model: Any, dataset: Dataset) -> None:
    config = workdir.config
    settings, directory = config[name], workdir.stage(name)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(**model.training_state),
        str(directory / "checkpoints"),
        max_to_keep=config.train.keep_checkpoints,
        checkpoint_name="step",
    )
    _restore(manager)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        writer = None
        if config.train.tensorboard:
            writer = tf.summary.create_file_writer(str(directory / "logs" / "samples"))
            stack.callback(writer.close)
        checkpoints = Checkpoints(manager, config.train.checkpoint_every)
        callbacks = [History(directory / "history.csv"), Progress(settings.steps, SHOWN[name]), checkpoints]
        samples = None
        if isinstance(model, TranslationModel):
            split = dataset.validation if len(dataset.validation) else dataset.train
            samples = Samples(split, directory / "samples", config.train.sample_every, writer)
            callbacks.append(samples)
        if config.train.tensorboard:
            callbacks.append(tf.keras.callbacks.TensorBoard(directory / "logs", write_graph=False))
        _fit_steps(model, settings, config, dataset, callbacks)
        checkpoints.save()
        if samples:
            samples.draw()
    saving.save(model, directory / "final", {"steps": settings.steps, "seconds": time.monotonic() - started})


def _fit_steps(
    model: Any,
    settings: ml_collections.ConfigDict,
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    callbacks: list[tf.keras.callbacks.Callback],
) -> None:
    """Keras epochs of `log_every` steps up to the stage's last step, the last epoch being shorter where need be."""
    every = config.train.log_every
    while int(model.step.numpy()) < settings.steps:
        step = int(model.step.numpy())
        # After a stop between two logged steps the first epoch is the rest of the one that was broken off.
        count = min(every - step % every, settings.steps - step)
        epochs = (settings.steps - step) // every if count == every else 1
        batches = dataset.train.stream(settings.batch_size, config.train.seed, start_step=step)
        done = step // every
        model.fit(
            batches,
            initial_epoch=done,
            epochs=done + epochs,
            steps_per_epoch=count,
            callbacks=callbacks,
            verbose=0,
        )


def _restore(manager: tf.train.CheckpointManager) -> None:
    """Restores the newest checkpoint that is whole.

    Raises:
      UserError: there are checkpoints, and none is whole.
    """
    for path in reversed(manager.checkpoints):
        try:
            manager.checkpoint.restore(path).assert_existing_objects_matched()
            logging.info("resuming from %s", path)
            return
        except saving.UNREADABLE as error:
            logging.warning("%s is damaged (%s); trying the one before", path, saving.first_line(error))
    if manager.checkpoints:
        raise UserError(f"{manager.directory}: no checkpoint is whole; delete the folder to train the stage anew")
