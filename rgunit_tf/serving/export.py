"""Writes the SavedModel of a stage into a version folder, as TensorFlow Serving wants it."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.serving.image_codec import MAX_PIXELS
from rgunit_tf.serving.signatures import StageGraph
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel
from rgunit_tf.workdir import Workdir

FORMAT = 1
"""Version of `rgunit.json`; a reader refuses a newer one."""

_CELEBA_WIDTH = 178


def export(
    model: TranslationModel | RetrievalModel,
    directory: str | os.PathLike,
    gallery: Gallery | None = None,
    index: str | None = None,
    crop_share: float = 1.0,
) -> pathlib.Path:
    """Writes `<directory>/<version>/saved_model.pb`, whole or not at all; the version is the next free number.

    The SavedModel needs TensorFlow and nothing else, and ScaNN's ops where `index` is `scann`. It holds the weights
    that the model holds now: enter `model.averaged_weights()` to export the averages of a model in training. Beside it
    lies `assets.extra/rgunit.json`, which says what a client has to know: stage, attributes, sizes, gallery.

    Args:
      model: a stage.
      directory: folder of the stage's versions, the base path of a server's model.
      gallery: what `retrieve` searches; None: there is no such signature. A guided model's own gallery has precedence.
      index: `exact` or `scann`; None: the gallery's own.
      crop_share: side of the centre crop of image files as a share of the shorter side, as in training.

    Returns:
      The version folder.

    Raises:
      UserError: an index that cannot be had, or one without a gallery.
    """
    if isinstance(model, GuidedModel) and model.gallery is not None:
        gallery = model.gallery
    if index is not None and gallery is None and not _is_translation(model):
        raise UserError(f"index={index!r} needs a gallery; give the one to search")
    if index is not None and gallery is not None and index != gallery.index.kind:
        gallery = gallery.with_index(index)
    graph = StageGraph(model, None if _is_translation(model) else gallery, crop_share)
    signatures = graph.signatures()
    module = tf.Module(name=model.name)
    # The variables that the signatures read, and no others: neither D nor optimisers.
    read = {id(variable): variable for function in signatures.values() for variable in function.graph.variables}
    module.served = list(read.values())
    return _publish(module, signatures, _description(graph, signatures), pathlib.Path(directory))


def export_stage(
    workdir: Workdir, name: str, index: str | None = None, model: TranslationModel | RetrievalModel | None = None
) -> pathlib.Path:
    """Exports a finished stage of a workdir to `<stage>/export/<version>/`, decoding files as its config does.

    Args:
      workdir: with its config.
      name: the stage.
      index: `exact` or `scann`; None: as `retrieval.index` of the config says.
      model: the stage's model with averaged weights, where the caller has it; otherwise it is loaded.

    Raises:
      UserError: the stage is not finished, its files are damaged, or the index cannot be had.
    """
    if name == "translation":
        gallery, index = None, None
        model = model or workdir.load_stage(name)
    else:
        _rebuild_gallery(workdir)
        model = model or workdir.load_stage(name)
        gallery = getattr(model, "gallery", None) or workdir.gallery()
    return export(model, workdir.stage(name) / "export", gallery, index, _crop_share(workdir.config.data))


def _is_translation(model: TranslationModel | RetrievalModel) -> bool:
    return isinstance(model, TranslationModel) and not isinstance(model, GuidedModel)


def _rebuild_gallery(workdir: Workdir) -> None:
    """Builds the workdir's gallery where it was deleted."""
    if (workdir.stage("retrieval") / "gallery").exists():
        return
    from rgunit_tf.stages import training

    training.gallery_of(workdir, workdir.dataset())


def _crop_share(data: Any) -> float:
    """`data.crop` as a share of the shorter side: it is in pixels of CelebA's 178x218, for the avatars too."""
    if data.source not in ("avatars", "celeba") or not 0 < data.crop < _CELEBA_WIDTH:
        return 1.0
    return data.crop / _CELEBA_WIDTH


def _description(graph: StageGraph, signatures: dict[str, Any]) -> dict[str, Any]:
    """What `rgunit.json` says."""
    guided = isinstance(graph.model, GuidedModel)
    gallery = graph.gallery
    default = next(
        name
        for name, function in signatures.items()
        if function is signatures["serving_default"] and name != "serving_default"
    )
    return {
        "format": FORMAT,
        "stage": graph.model.name,
        "schema": graph.translation.schema.to_dict(),
        "image_size": graph.image_size,
        "style_dim": graph.style_dim,
        "crop_share": graph.crop_share,
        "max_pixels": MAX_PIXELS,
        "neighbors": graph.model.neighbors if guided else 0,
        "mode": graph.model.mode if guided else None,
        "gallery": gallery and {"size": gallery.size, "index": gallery.index.kind},
        "embedding_dim": graph.retrieval.network.embedding_dim if graph.retrieval is not None else None,
        "serving_default": default,
        "signatures": {
            name: {
                "inputs": [spec.name for spec in tf.nest.flatten(function.structured_input_signature)],
                "outputs": sorted(function.structured_outputs),
            }
            for name, function in signatures.items()
            if name != "serving_default"
        },
        "tensorflow": tf.__version__,
    }


def _publish(
    module: tf.Module, signatures: dict[str, Any], description: dict[str, Any], directory: pathlib.Path
) -> pathlib.Path:
    version = _newest_version(directory) + 1
    while True:
        final = directory / str(version)
        try:
            with atomic.directory(final) as temporary:
                with _quiet():
                    tf.saved_model.save(module, str(temporary), signatures)
                atomic.write_json(temporary / "assets.extra" / "rgunit.json", description)
        except OSError:
            # Another export took the number meanwhile.
            if not final.exists():
                raise
            version += 1
            continue
        logging.info("%s exported to %s", description["stage"], final)
        return final


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow tells at length how it renames the captured variables of each signature, which nobody addresses."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _newest_version(directory: pathlib.Path) -> int:
    """The highest version in `directory`; 0 if there is none."""
    return max((int(path.name) for path in directory.glob("[0-9]*") if path.name.isdigit()), default=0)
