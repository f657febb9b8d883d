"""The training loop of a stage: resumes, answers signals, and goes back to a checkpoint after a numerical fault."""

from __future__ import annotations

import contextlib
import shutil
from typing import Any

import ml_collections
import tensorflow as tf
from absl import logging

from rgunit_tf import cluster
from rgunit_tf.data.balance import balanced
from rgunit_tf.data.split import Dataset, Split
from rgunit_tf.distribution import barrier
from rgunit_tf.errors import RunError, UserError
from rgunit_tf.names import printable, to_array
from rgunit_tf.runs import finished
from rgunit_tf.runs.callbacks import Checkpoints, History, Progress, Scalars
from rgunit_tf.runs.checkpoints import CheckpointFolder, first_line
from rgunit_tf.runs.clock import Clock
from rgunit_tf.runs.events import EventFile
from rgunit_tf.runs.rollbacks import Rollbacks
from rgunit_tf.runs.samples import Samples
from rgunit_tf.runs.stopping import StopRequest
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages.faults import NumericalFault
from rgunit_tf.stages.translation import TranslationModel

SHOWN = {
    "translation": ("generator_loss", "discriminator_loss", "cycle", "domain_g"),
    "retrieval": ("triplet_loss", "satisfied"),
    "guided": ("generator_loss", "discriminator_loss", "cycle", "domain_g"),
}
"""Terms that are shown with the progress."""


def fit(workdir: Workdir, name: str, model: Any, dataset: Dataset) -> None:
    """Trains `model` from its last checkpoint, if it has one, to the last step of its stage, and saves the result.

    Raises:
      UserError: no checkpoint is whole, or there is none of a finished stage that is to be trained on.
      NumericalFault: a loss or a gradient was not finite, and `train.on_nan` asks to stop then.
      RunError: another worker is gone.
    """
    config = workdir.config
    settings, directory = config[name], workdir.stage(name)
    folder = CheckpointFolder(directory / "checkpoints", model.training_state, config.train.keep_checkpoints)
    restored, trained = folder.restore(), name in workdir.finished_stages()
    if trained:
        before = workdir.steps_of(name)
        if restored is None:
            raise UserError(
                f"{name}.steps={settings.steps}: {folder.folder} holds no checkpoint of the {before} steps that are "
                f"trained; start a new run from them with --init_from={workdir.path}"
            )
        logging.info(
            "%s: %d steps are trained; on to %d, by the learning rates and noise of a training of so many", name,
            before, settings.steps,
        )  # fmt: skip
    rollbacks = Rollbacks(directory / "rollbacks.json")
    clock = Clock(directory / "clock.json")
    train = balanced(dataset.train) if config.data.balance and name != "retrieval" else dataset.train
    with StopRequest() as stop, contextlib.ExitStack() as stack:
        checkpoints = Checkpoints(folder, config.train.checkpoint_every, stop, clock)
        samples, callbacks = None, [checkpoints]
        if cluster.is_chief():
            samples, callbacks = _records(workdir, model, dataset, stack)
            callbacks.append(checkpoints)
        for callback in callbacks:  # a run that was stopped after its last step has nothing left for Keras to do
            callback.set_model(model)
        while int(model.step.numpy()) < settings.steps:
            model.reseed(rollbacks.seed_offset)
            try:
                _fit_steps(model, settings, config, train, callbacks)
            except NumericalFault as fault:
                _roll_back(fault, model, folder, rollbacks, config, _ids(train, settings, model, fault.step))
            except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
                stop.leave("the chief has left")
                raise RunError(
                    f"{name}: a worker is gone ({first_line(error)}); start all workers again, they go on from the "
                    "last checkpoint"
                ) from error
        checkpoints.save()
        if samples:
            samples.draw()
        if cluster.is_chief():
            if trained:  # the checkpoint of the last step is there: a command that is killed here has nothing to redo
                shutil.rmtree(directory / "final")
            finished.save(model, directory / "final", {"steps": settings.steps, "seconds": clock.seconds})
        barrier()
        stop.leave(f"the {name} stage is finished")


def _records(
    workdir: Workdir, model: Any, dataset: Dataset, stack: contextlib.ExitStack
) -> tuple[Samples | None, list[tf.keras.callbacks.Callback]]:
    """The grids of samples, if the stage makes pictures, and all callbacks that record the training."""
    config, directory = workdir.config, workdir.stage(model.name)
    settings = config[model.name]
    progress = Progress(settings.steps, settings.batch_size, SHOWN[model.name])
    stack.callback(progress.close)
    callbacks = [History(directory / "history.csv"), progress]
    events = None
    if config.train.tensorboard:
        events = EventFile(directory / "logs")
        stack.callback(events.close)
        callbacks.append(Scalars(events))
    samples = None
    if isinstance(model, TranslationModel):
        split = dataset.validation if len(dataset.validation) else dataset.train
        samples = Samples(split, directory / "samples", config.train.sample_every, events)
        callbacks.append(samples)
    return samples, callbacks


def _fit_steps(
    model: Any,
    settings: ml_collections.ConfigDict,
    config: ml_collections.ConfigDict,
    split: Split,
    callbacks: list[tf.keras.callbacks.Callback],
) -> None:
    """Keras epochs of `log_every` steps up to the stage's last step, the last epoch being shorter where need be."""
    every = config.train.log_every
    while int(model.step.numpy()) < settings.steps:
        step = int(model.step.numpy())
        # After a stop between two logged steps the first epoch is the rest of the one that was broken off.
        count = min(every - step % every, settings.steps - step)
        epochs = (settings.steps - step) // every if count == every else 1
        batches = split.stream(settings.batch_size, model.noise_seed, start_step=step)
        done = step // every
        model.fit(
            batches,
            initial_epoch=done,
            epochs=done + epochs,
            steps_per_epoch=count,
            callbacks=callbacks,
            terms_each_step=False,
            average=False,
            verbose=0,
        )


def _ids(split: Split, settings: ml_collections.ConfigDict, model: Any, step: int) -> list[str]:
    """Names of the images of the batch of a step."""
    batch = next(iter(split.stream(settings.batch_size, model.noise_seed, start_step=step).take(1)))
    return to_array(batch["id"]).tolist()


def _roll_back(
    fault: NumericalFault,
    model: Any,
    folder: CheckpointFolder,
    rollbacks: Rollbacks,
    config: ml_collections.ConfigDict,
    ids: list[str],
) -> None:
    """Goes back to the last checkpoint, or to the step of the fault where there is none yet.

    Raises:
      NumericalFault: the config asks to stop, or there were too many faults.
    """
    what = f"{fault} on the batch of {printable(', '.join(ids))}"
    if config.train.on_nan == "stop" or rollbacks.exhausted:
        last = (
            f"the checkpoint of step {folder.steps()[-1]} is kept" if folder.steps() else "there is no checkpoint yet"
        )
        remedy = (
            f"this was fault {len(rollbacks) + 1}: lower {model.name}.learning_rate and start anew"
            if rollbacks.exhausted
            else "to go on from it with other random numbers, give --config.train.on_nan=rollback"
        )
        raise NumericalFault(model.name, fault.step, fault.terms, f"{what}; the step was not made; {last}; {remedy}")
    if not folder.steps():
        folder.save(fault.step)
    barrier()
    step = folder.restore()
    rollbacks.add(step=fault.step, terms=fault.terms, ids=ids, restored=step)
    logging.warning("%s; rollback %d: on from step %d with other random numbers", what, len(rollbacks), step)
