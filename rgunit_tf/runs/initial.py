"""Weights of another run as the start of a stage, on other data: fine-tuning."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from absl import logging

from rgunit_tf.errors import UserError
from rgunit_tf.runs import finished
from rgunit_tf.runs.checkpoints import UNREADABLE, first_line
from rgunit_tf.runs.workdir import Workdir

_OF_THE_DATA = ("schema", "image_size", "seed", "fixed_mask_strength", "colors")


def check(origin: Workdir) -> None:
    """Checks that a run can be started from.

    Raises:
      UserError: it has no finished translation stage.
    """
    if "translation" not in origin.finished_stages():
        raise UserError(f"--init_from={origin.path}: no run with a finished translation stage; give another")


def start_from(model: Any, origin: Workdir) -> None:
    """Gives a fresh model of a stage the averaged weights of that stage of another run; before it is compiled.

    Arrays whose shape the number of attributes decides start anew where that differs. The guided stage starts from its
    own run's translation model, as always, and takes the fusion alone. A stage that the other run has not finished
    starts anew. All of this is said.

    Args:
      model: a stage that was not compiled.
      origin: the other run.

    Raises:
      UserError: the other run's networks are built otherwise, or its files are damaged.
    """
    name = model.name
    if name == "translation":
        check(origin)
    if name not in origin.finished_stages():
        logging.info("%s: starts anew; %s has not finished that stage", name, origin.path)
        return
    if name == "guided":
        _take_fusion(model, origin)
        return
    source = finished.load(origin, name)
    mine, theirs = (_plain(each.get_config()) for each in (model, source))
    different = [
        f"{key}: {theirs.get(key)} there, {value} here" for key, value in mine.items() if theirs.get(key) != value
    ]
    if different:
        raise UserError(
            f"--init_from={origin.path}: its {name} stage is built otherwise ({'; '.join(different)}); give the same "
            "settings of `model` and `retrieval`"
        )
    taken, fresh = 0, 0
    for key, network in model.networks.items():
        for variable, value in zip(network.weights, source.networks[key].weights, strict=True):
            if variable.shape == value.shape:
                variable.assign(value)
                taken += 1
            else:
                fresh += 1
    names = getattr(source, "schema", None) or source.translation.schema
    said = f"; {fresh} start anew, being of other shapes" if fresh else ""
    logging.info("%s: starts from %d arrays of %s (%s)%s", name, taken, origin.path, ", ".join(names.names), said)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _OF_THE_DATA}


def _take_fusion(model: Any, origin: Workdir) -> None:
    if "fusion" not in model.networks:
        return
    path = origin.stage("guided") / "final" / "weights"
    known = tf.train.load_checkpoint(str(path)).get_variable_to_shape_map()
    if not any(key.startswith("fusion/") for key in known):
        logging.info("guided: the fusion starts anew; that of %s had no neighbours", origin.path)
        return
    try:
        tf.train.Checkpoint(fusion=model.networks["fusion"]).read(
            str(path)
        ).expect_partial().assert_existing_objects_matched()
    except UNREADABLE as error:
        raise UserError(
            f"--init_from={origin.path}: the fusion of its guided stage does not fit ({first_line(error)}); give the "
            "same guided.neighbors, guided.fusion and model.width"
        ) from error
    logging.info("guided: starts from the fusion of %s", origin.path)
