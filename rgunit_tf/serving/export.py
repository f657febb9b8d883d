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
from rgunit_tf.data.crop import crop_share
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.runs import server_config
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.serving import warmup
from rgunit_tf.serving.half_precision import DTYPES, half_contents, half_gallery
from rgunit_tf.serving.image_codec import MAX_PIXELS
from rgunit_tf.serving.signatures import StageGraph
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

FORMAT = 1
"""Version of `rgunit.json`; a reader refuses a newer one."""

# As much as a guided model keeps of its gallery's contents, unless told otherwise.
_CONTENTS_MB = 1024


def export(
    model: TranslationModel | RetrievalModel,
    directory: str | os.PathLike,
    gallery: Gallery | None = None,
    index: str | None = None,
    crop_share: float = 1.0,
    gallery_dtype: str = "float32",
    max_pixels: int = MAX_PIXELS,
) -> pathlib.Path:
    """Writes `<directory>/<version>/saved_model.pb`, whole or not at all; the version is the next free number.

    The SavedModel needs TensorFlow and nothing else, and ScaNN's ops where `index` is `scann`. It holds the weights
    that the model holds now: enter `model.averaged_weights()` to export the averages of a model in training. Beside it
    lie `assets.extra/rgunit.json`, which says what a client has to know (stage, attributes, sizes, gallery), and the
    requests with which a server warms up.

    Args:
      model: a stage.
      directory: folder of the stage's versions, the base path of a server's model.
      gallery: what `retrieve` searches; None: there is no such signature. A guided model's own gallery has precedence.
      index: `exact` or `scann`; None: the gallery's own.
      crop_share: side of the centre crop of image files as a share of the shorter side, as in training.
      gallery_dtype: `float32` or `float16`, which embeddings and contents of the gallery are stored as.
      max_pixels: image files of more are refused before they are decoded.

    Returns:
      The version folder.

    Raises:
      UserError: an index that cannot be had, or one without a gallery.
    """
    if gallery_dtype not in DTYPES:
        raise UserError(f"gallery_dtype={gallery_dtype!r} must be one of {', '.join(DTYPES)}")
    if isinstance(model, GuidedModel) and model.gallery is not None:
        gallery = model.gallery
    if index is not None and gallery is None and not _is_translation(model):
        raise UserError(f"index={index!r} needs a gallery; give the one to search")
    if index is not None and gallery is not None and index != gallery.index.kind:
        gallery = gallery.with_index(index)
    if _is_translation(model):
        gallery = None
    contents_of = None
    if gallery is not None and gallery_dtype == "float16":
        gallery = half_gallery(gallery)
        if isinstance(model, GuidedModel) and model.neighbors:
            contents_of = half_contents(model, _CONTENTS_MB)
    graph = StageGraph(model, gallery, crop_share, max_pixels, contents_of)
    signatures = graph.signatures()
    module = tf.Module(name=model.name)
    # The variables that the signatures read, and no others: neither D nor optimisers.
    read = {id(variable): variable for function in signatures.values() for variable in function.graph.variables}
    module.served = list(read.values())
    return _publish(module, signatures, _description(graph, signatures), pathlib.Path(directory))


def export_stage(
    workdir: Workdir,
    name: str,
    index: str | None = None,
    model: TranslationModel | RetrievalModel | None = None,
    gallery_dtype: str = "float32",
    models_root: str = server_config.MODELS_ROOT,
) -> pathlib.Path:
    """Exports a finished stage of a workdir to `<stage>/export/<version>/`, decoding files as its config does.

    The workdir's `serving/models.config` then lists it.

    Args:
      workdir: with its config.
      name: the stage.
      index: `exact` or `scann`; None: as `retrieval.index` of the config says.
      model: the stage's model with averaged weights, where the caller has it; otherwise it is loaded.
      gallery_dtype: `float32` or `float16`.
      models_root: absolute path at which a server sees the workdir.

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
    share = crop_share(workdir.config.data)
    final = export(model, workdir.stage(name) / "export", gallery, index, share, gallery_dtype)
    server_config.write(workdir, models_root)
    return final


def _is_translation(model: TranslationModel | RetrievalModel) -> bool:
    return isinstance(model, TranslationModel) and not isinstance(model, GuidedModel)


def _rebuild_gallery(workdir: Workdir) -> None:
    """Builds the workdir's gallery where it was deleted."""
    if (workdir.stage("retrieval") / "gallery").exists():
        return
    from rgunit_tf.runs import training

    training.gallery_of(workdir, workdir.dataset())


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
        "attributes": graph.attributes,
        "style_dim": graph.style_dim,
        "crop_share": graph.crop_share,
        "max_pixels": graph.max_pixels,
        "neighbors": graph.model.neighbors if guided else 0,
        "mode": graph.model.mode if guided else None,
        "gallery": gallery
        and {"size": gallery.size, "index": gallery.index.kind, "dtype": gallery.embeddings.dtype.name},
        "embedding_dim": graph.retrieval.network.embedding_dim if graph.retrieval is not None else None,
        "serving_default": default,
        "signatures": {
            name: {
                "inputs": _input_names(function),
                "outputs": sorted(function.structured_outputs),
            }
            for name, function in signatures.items()
            if name != "serving_default"
        },
        "tensorflow": tf.__version__,
    }


def _input_names(function: Any) -> list[str]:
    return [spec.name for spec in tf.nest.flatten(function.structured_input_signature)]


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
                extra = temporary / "assets.extra"
                atomic.write_json(extra / "rgunit.json", description)
                inputs = {name: _input_names(function) for name, function in signatures.items()}
                warmup.write(extra / warmup.FILE, description["stage"], inputs, description)
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
