"""Trains a stage of a workdir from where it stands (paper §3: translation, retrieval, guided)."""

from __future__ import annotations

import os
import shutil
from typing import Any

import ml_collections
import tensorflow as tf
from absl import logging

from rgunit_tf import cluster
from rgunit_tf.config import STAGES
from rgunit_tf.data.split import Dataset
from rgunit_tf.distribution import barrier, chief_first, make_strategy
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.runs import architecture, contents, finished, fitting, initial
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages import precision
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

_THREADS = "TF_NUM_INTRAOP_THREADS"
_SMALL, _FEW_CORES = 32, 4


def configure(config: ml_collections.ConfigDict) -> None:
    """Sets what holds for the whole process; call it before TensorFlow computes anything.

    Raises:
      UserError: TF_CONFIG is missing or cannot be read.
    """
    if config.train.deterministic:
        tf.keras.utils.set_random_seed(config.train.seed)
        tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(config.train.tensor_float_32)
    if config.data.image_size <= _SMALL and (os.cpu_count() or 1) <= _FEW_CORES and not os.environ.get(_THREADS):
        # Operations on so little take less time than sharing them out: cores do better with one operation each.
        tf.config.threading.set_intra_op_parallelism_threads(1)
    if cluster.workers() > 1:
        # Waits for the other workers, and must come before TensorFlow computes anything.
        make_strategy(config.train.strategy)


def in_use(config: ml_collections.ConfigDict) -> str:
    """What a training computes with, in a line; after `configure`."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    kind = _count(len(devices), devices[0].device_type)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kernels = "oneDNN's kernels" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1" else "TensorFlow's kernels"
    others = f", {_count(cluster.workers(), 'worker')}" if cluster.workers() > 1 else ""
    compiled = ", XLA" if by_xla(config) else ""
    used = [kind + others, _count(cores or 1, "core"), config.train.precision, kernels + compiled]
    return ", ".join([*used, f"TensorFlow {tf.__version__}"])


def by_xla(config: ml_collections.ConfigDict) -> bool:
    """Whether XLA is to compile the training steps."""
    if config.train.jit_compile != "auto":
        return config.train.jit_compile == "True"
    return len(tf.config.list_logical_devices("GPU")) == 1 and cluster.workers() == 1


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def train_stage(workdir: Workdir, name: str, dataset: Dataset) -> None:
    """Trains a stage to its end, from its last checkpoint if it has one; the stages it needs must be finished.

    Args:
      workdir: claimed for its config.
      name: `translation`, `retrieval` or `guided`.
      dataset: what `finished.load_dataset` gives.

    Raises:
      UserError: a stage it needs is missing or damaged, no checkpoint of it is whole, or the data have changed.
    """
    barrier()  # what the chief has written is read by all
    config = workdir.config
    workdir.claim_data(dataset.fingerprint)
    later = [stage for stage in STAGES[STAGES.index(name) + 1 :] if stage in workdir.finished_stages()]
    if later:
        raise UserError(
            f"{workdir.stage(name) / 'final'} is missing, though {' and '.join(later)} was trained from it; "
            f"restore it, or delete {' and '.join(str(workdir.stage(stage)) for stage in later)} as well"
        )
    if name == "retrieval" and cluster.is_chief():
        # A gallery that is there before its model was embedded by an earlier training.
        shutil.rmtree(workdir.stage(name) / "gallery", ignore_errors=True)
    # Outside of the strategy's scope: the gallery's variables never change and need no copy a replica.
    guides = name == "guided" and config.guided.neighbors > 0
    gallery = chief_first(lambda: finished.gallery_of(workdir, dataset)) if guides else None
    tf.keras.utils.set_random_seed(config.train.seed)
    with make_strategy(config.train.strategy).scope(), precision.policy(config.train.precision):
        model = _build(workdir, name, dataset, gallery)
    fitting.fit(workdir, name, model, dataset)
    if name == "retrieval":
        chief_first(lambda: finished.gallery_of(workdir, dataset))
    tf.keras.backend.clear_session()


def _build(workdir: Workdir, name: str, dataset: Dataset, gallery: Gallery | None) -> Any:
    """The compiled model of a stage, with fresh weights where it starts from none of another stage or run."""
    config = workdir.config
    if name == "translation":
        model = TranslationModel(
            dataset.schema,
            config.data.image_size,
            config.train.seed,
            **architecture.resolved(config.model, dataset.train),
        )
    elif name == "retrieval":
        chosen = {key: config.retrieval[key] for key in RetrievalModel.ARCHITECTURE}
        model = RetrievalModel(finished.load(workdir, "translation"), config.train.seed, **chosen)
    else:
        model = finished.guided(workdir, gallery, **{key: config.guided[key] for key in GuidedModel.SETTINGS})
        if model.neighbors and cluster.is_chief():
            contents.write(workdir, model.contents_of, model.styles_of)
    if workdir.origin and not workdir.stage_has_begun(name):
        # Before the optimisers, which keep averages of the weights, are made.
        initial.start_from(model, Workdir(workdir.origin))
    losses, compiled = () if name == "retrieval" else (config.loss,), by_xla(config)
    if compiled and name == "guided" and (why := model.why_not_compiled()):
        logging.info("guided: not by XLA, which compiles no step %s", why)
        compiled = False
    at_once = config.train.steps_per_execution
    model.compile(config[name], *losses, jit_compile=compiled, steps_per_execution=at_once)
    return model
