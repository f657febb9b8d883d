"""What a run's stages have left: models with their averaged weights, the gallery, and the data they were trained on."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rgunit_tf import atomic, data, pixels
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import gallery_files, likeness
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.likeness import Likeness
from rgunit_tf.retrieval.sharded import ShardedGallery, shard_folders
from rgunit_tf.runs import contents
from rgunit_tf.runs.checkpoints import UNREADABLE, first_line, recast
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

if TYPE_CHECKING:
    from rgunit_tf.data.split import Dataset, Split

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

COMPACT = "compact"
"""In the `stage.json` of a run's small copy, whose weights are float16."""

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


def load(workdir: Workdir, name: str, inference: bool = False) -> Stage:
    """The model of a finished stage, with its averaged weights.

    Args:
      workdir: with it.
      name: of the stage.
      inference: to be used and not trained: without D, a guided model's networks once, and images and contents in
        their files.

    Raises:
      UserError: the stage is not finished, or its files are damaged.
    """
    directory = workdir.stage(name) / "final"
    description = describe(directory, name)
    if COMPACT in description and not inference:
        raise UserError(f"{workdir.path} is a small copy of a run, to be used and not trained on; name the run itself")
    try:
        if name == "translation":
            model = TranslationModel.from_config({**description["model"], "inference": inference})
        elif name == "retrieval":
            model = RetrievalModel(load(workdir, "translation", inference), **description["model"])
        else:
            gallery = load_gallery(workdir, mapped=inference) if description["model"]["neighbors"] else None
            model = guided(workdir, gallery, inference, **description["model"])
        _restore(model, directory / "weights", inference, COMPACT in description)
    except UNREADABLE as error:
        raise UserError(f"{directory} is damaged ({first_line(error)}); delete it and run bin/train again") from error
    return model


def _restore(model: Stage, weights: pathlib.Path, inference: bool, compact: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if compact:
            weights, stored = pathlib.Path(folder) / "weights", weights
            recast(stored, weights, "float32")
        status = tf.train.Checkpoint(**model.networks).read(str(weights))
        if inference:
            status.expect_partial().assert_existing_objects_matched()
        else:
            status.assert_consumed()


def guided(workdir: Workdir, gallery: Gallery | None, inference: bool = False, **settings: Any) -> GuidedModel:
    """A guided model as it is before its training, over the finished stages before it.

    Args:
      workdir: with them.
      gallery: what it retrieves from; None where `neighbors` is 0.
      inference: see `load`.
      **settings: for `GuidedModel`.
    """
    retrieval = load(workdir, "retrieval", inference)
    known = {kind: contents.read(workdir, kind) for kind in ("contents", "styles") if settings["neighbors"]}
    return GuidedModel(retrieval.translation, retrieval, gallery, inference=inference, **known, **settings)


def load_gallery(workdir: Workdir, mapped: bool = False) -> Gallery:
    """The gallery of the finished retrieval stage; `mapped`: its images stay in their file."""
    return Gallery.load(workdir.stage("retrieval") / "gallery", keep_images="mapped" if mapped else True)


def load_shards(workdir: Workdir, folders: Sequence[str | os.PathLike], mapped: bool = False) -> ShardedGallery:
    """Galleries, or folders of them, in the place of the workdir's own; `mapped` as for `load_gallery`.

    Raises:
      UserError: as `ShardedGallery.load`, or a gallery that another model's embeddings are in.
    """
    for folder in shard_folders(folders):
        check_made_by(workdir, folder)
    return ShardedGallery.load(folders, keep_images="mapped" if mapped else True)


def check_made_by(workdir: Workdir, folder: pathlib.Path) -> None:
    """Checks that a gallery's embeddings, where it says whose they are, are of the workdir's retrieval model.

    Raises:
      UserError: they are another's.
    """
    made_by = gallery_files.read_facts(folder)["metadata"].get("made_by")
    if made_by is not None and made_by != retrieval_key(workdir):
        raise UserError(
            f"{folder}: embedded by another model than {workdir.path}'s; embed the images anew: bin/embed "
            f"--workdir={workdir.path} --records=<folder> --output=<folder>"
        )


def retrieval_key(workdir: Workdir) -> list[str]:
    """What embeddings depend on besides the images: the weights of the encoders and of R.

    Raises:
      UserError: a stage is not finished.
    """
    for name in ("translation", "retrieval"):
        describe(workdir.stage(name) / "final", name)
    return [fingerprint(workdir, name) for name in ("translation", "retrieval")]


def gallery_of(workdir: Workdir, dataset: Dataset) -> Gallery:
    """The workdir's gallery; embeds and indexes the retrieval set where there is none yet."""
    folder = workdir.stage("retrieval") / "gallery"
    if not folder.exists():
        index = workdir.config.retrieval.index
        model = load(workdir, "retrieval")
        Gallery.build(model, dataset.retrieval, index, folder=folder)
        _write_likeness(workdir, dataset, model)
    return load_gallery(workdir)


def likeness_of(workdir: Workdir) -> Likeness | None:
    """What pictures like the gallery's are; None where it is not known, as with runs of earlier versions."""
    try:
        return Likeness.load(workdir.stage("retrieval") / likeness.FILE, " ".join(contents.key(workdir)))
    except OSError:
        return None


def _write_likeness(workdir: Workdir, dataset: Dataset, model: RetrievalModel) -> None:
    """By real test pictures, which are not in the gallery."""

    def cells_of(split: Split, count: int) -> np.ndarray:
        rows = np.random.default_rng(0).permutation(len(split))[:count]
        parts = [split.images(rows[start : start + 32]) for start in range(0, len(rows), 32)]
        return np.concatenate([likeness.cells(encode(pixels.to_float(part))) for part in parts])

    encode = tf.function(model.translation.content_encoder, reduce_retracing=True, autograph=False)
    if len(dataset.test) and len(dataset.retrieval):
        known = cells_of(dataset.retrieval, likeness.GALLERY_COUNT)
        made = Likeness.of(known, cells_of(dataset.test, likeness.TEST_COUNT))
        if made is not None:
            made.save(workdir.stage("retrieval") / likeness.FILE, " ".join(contents.key(workdir)))


def load_dataset(workdir: Workdir, root: str | None = None) -> Dataset:
    """The data that the run's config describes.

    Args:
      workdir: of the run.
      root: where they lie now, if they have moved; the run's config then names it.

    Raises:
      UserError: they are not there, cannot be read, or are other data than the run's.
    """
    config = workdir.config
    if root is not None:
        config = config.copy_and_resolve_references()
        config.data.root = root
        found = data.from_config(config.data)
        workdir.claim(config, found.fingerprint)
        return found
    try:
        data.check_root(config.data)
    except UserError:
        if not config.data.root:
            raise
        raise UserError(
            f"{workdir.path}: its data are not at {config.data.root} any more; say where they are: "
            f"bin/evaluate --workdir={workdir.path} --root=<folder>"
        ) from None
    return data.from_config(config.data)


def fingerprint(workdir: Workdir, name: str) -> str:
    """Changes with the weights of a finished stage: TensorFlow's index holds a checksum of each tensor."""
    return atomic.checksum(workdir.stage(name) / "final" / "weights.index")


def describe(directory: pathlib.Path, name: str) -> dict[str, Any]:
    """What the folder of a finished stage says of it, its `stage.json`.

    Args:
      directory: `<stage>/final` of a run.
      name: of the stage.

    Raises:
      UserError: there is none, it is damaged, or of another format.
    """
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
