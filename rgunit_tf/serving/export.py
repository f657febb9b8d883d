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
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.serving import warmup
from rgunit_tf.serving.half_precision import DTYPES, half_gallery
from rgunit_tf.serving.image_codec import MAX_PIXELS
from rgunit_tf.serving.signatures import StageGraph

FORMAT = 1
"""Version of `rgunit.json`; a reader refuses a newer one."""


def export(
    model: Any,
    directory: str | os.PathLike,
    gallery: Gallery | None = None,
    index: str | None = None,
    crop_share: float = 1.0,
    gallery_dtype: str = "float32",
    max_pixels: int = MAX_PIXELS,
    origin: str | None = None,
) -> pathlib.Path:
    """Writes `<directory>/<version>/saved_model.pb`, whole or not at all; the version is the next free number.

    The SavedModel needs TensorFlow and nothing else, and ScaNN's ops where `index` is `scann`. It holds the weights
    that the model holds now: enter `model.averaged_weights()` to export the averages of a model in training. Beside it
    lie `assets.extra/rgunit.json`, which says what a client has to know (stage, attributes, sizes, gallery), and the
    requests with which a server warms up.

    Args:
      model: a stage, as `StageGraph` takes it.
      directory: folder of the stage's versions, the base path of a server's model.
      gallery: what `retrieve` searches; None: there is no such signature. A guided model's own gallery has precedence.
      index: `exact` or `scann`; None: the gallery's own.
      crop_share: side of the centre crop of image files as a share of the shorter side, as in training.
      gallery_dtype: `float32` or `float16`, which embeddings and contents of the gallery are stored as.
      max_pixels: image files of more are refused before they are decoded.
      origin: noted in `rgunit.json`: what the weights came from, for those who ask later whether they still do.

    Returns:
      The version folder.

    Raises:
      UserError: an index that cannot be had, or one without a gallery.
    """
    if gallery_dtype not in DTYPES:
        raise UserError(f"gallery_dtype={gallery_dtype!r} must be one of {', '.join(DTYPES)}")
    contents_of = model.contents_of
    if model.retrieval is None:
        gallery = None
    else:
        gallery = gallery if model.gallery is None else model.gallery
        if index is not None and gallery is None:
            raise UserError(f"index={index!r} needs a gallery; give the one to search")
        if index is not None and index != gallery.index.kind:
            gallery = gallery.with_index(index)
        if gallery is not None and gallery_dtype == "float16":
            gallery = half_gallery(gallery)
            contents_of = contents_of and contents_of.as_dtype("float16")
    graph = StageGraph(model, gallery, crop_share, max_pixels, contents_of)
    signatures = graph.signatures()
    module = tf.Module(name=model.name)
    # The variables that the signatures read, and no others: neither D nor optimisers.
    read = {id(variable): variable for function in signatures.values() for variable in function.graph.variables}
    module.served = list(read.values())
    description = {**_description(graph, signatures), "origin": origin}
    return _publish(module, signatures, description, pathlib.Path(directory))


def _description(graph: StageGraph, signatures: dict[str, Any]) -> dict[str, Any]:
    """What `rgunit.json` says."""
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
        "neighbors": graph.model.neighbors,
        "mode": graph.model.mode,
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


def _example(schema: dict[str, Any]) -> list[float]:
    """A label vector that can occur."""
    known = AttributeSchema.from_dict(schema)
    return known.vector(known.names[:1] if known.categorical else ()).tolist()


def _input_names(function: Any) -> list[str]:
    return [spec.name for spec in tf.nest.flatten(function.structured_input_signature)]


def _publish(
    module: tf.Module, signatures: dict[str, Any], description: dict[str, Any], directory: pathlib.Path
) -> pathlib.Path:
    version = newest_version(directory) + 1
    while True:
        final = directory / str(version)
        try:
            with atomic.directory(final) as temporary:
                with _quiet():
                    tf.saved_model.save(module, str(temporary), signatures)
                extra = temporary / "assets.extra"
                atomic.write_json(extra / "rgunit.json", description)
                inputs = {name: _input_names(function) for name, function in signatures.items()}
                sizes = {**description, "example": _example(description["schema"])}
                warmup.write(extra / warmup.FILE, description["stage"], inputs, sizes)
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


def newest_version(directory: pathlib.Path) -> int:
    """The highest version in `directory`; 0 if there is none."""
    return max((int(path.name) for path in directory.glob("[0-9]*") if path.name.isdigit()), default=0)
