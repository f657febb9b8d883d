"""A finished stage on disk: averaged weights and what the model is built from."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.runs.checkpoints import UNREADABLE, first_line
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

if TYPE_CHECKING:
    from rgunit_tf.runs.workdir import Workdir

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

Stage = TranslationModel | RetrievalModel


def save(model: Stage, directory: pathlib.Path, facts: dict[str, Any]) -> None:
    """Writes `directory`, whole or not at all: the networks' averaged weights and `stage.json`.

    Args:
      model: a compiled and trained stage.
      directory: must not exist.
      facts: what else `stage.json` should say (steps, seconds).
    """
    with atomic.directory(directory) as temporary, model.averaged_weights():
        tf.train.Checkpoint(**model.networks).write(str(temporary / "weights"))
        description = {"format": FORMAT, "stage": model.name, "model": model.get_config(), **facts}
        atomic.write_json(temporary / "stage.json", description)


def load(workdir: Workdir, name: str) -> Stage:
    """The model of a finished stage, with its averaged weights.

    Raises:
      UserError: the stage is not finished, or its files are damaged.
    """
    directory = workdir.stage(name) / "final"
    description = _describe(directory, name)
    try:
        if name == "translation":
            model = TranslationModel.from_config(description["model"])
        elif name == "retrieval":
            model = RetrievalModel(load(workdir, "translation"), **description["model"])
        else:
            retrieval = load(workdir, "retrieval")
            gallery = workdir.gallery() if description["model"]["neighbors"] else None
            model = GuidedModel(retrieval.translation, retrieval, gallery, **description["model"])
        tf.train.Checkpoint(**model.networks).read(str(directory / "weights")).assert_consumed()
    except UNREADABLE as error:
        raise UserError(f"{directory} is damaged ({first_line(error)}); delete it and run bin/train again") from error
    return model


def _describe(directory: pathlib.Path, name: str) -> dict[str, Any]:
    file = directory / "stage.json"
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing: the {name} stage is not finished; run bin/train --stage={name}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        description = None
    if not isinstance(description, dict):
        raise UserError(f"{file} is damaged; delete {directory} and run bin/train --stage={name}")
    if description.get("format") != FORMAT:
        raise UserError(f"{file} has format {description.get('format')}; this version reads format {FORMAT}")
    return description
