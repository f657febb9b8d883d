"""What serving costs: the SavedModel beside the Keras model it was made from, and retrieval inside the guided model.

Models are new and galleries made up, since neither weights nor pictures change the time. Variants are timed in turn,
round after round, and compared within each round: what else the machine does then falls on all of them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.retrieval.gallery import Gallery
from rgunit_tf.retrieval.index import Index
from rgunit_tf.retrieval.indexes import make_index
from rgunit_tf.serving.export import export
from rgunit_tf.serving.signatures import StageGraph
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

_HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair")
_ATTRIBUTES = tf.TensorSpec([None, None], tf.float32)
_PICTURES = 64
_CLUSTERS = 1000
_SPREAD = 0.3


def measure(
    image_size: int = 64,
    width: int = 64,
    gallery_size: int = 20_000,
    index: str = "exact",
    batch: int = 1,
    repeats: int = 15,
    neighbors: int = 3,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[dict[str, Any]]:
    """Times the signature `translate` of a guided model.

    Args:
      image_size: side of the images, pixels.
      width: of the networks.
      gallery_size: images to retrieve from.
      index: `exact` or `scann`.
      batch: images a request.
      repeats: rounds.
      neighbors: images retrieved for each.
      seed: of weights, images and gallery.
      clock: seconds; `time.process_time` counts the processor's time alone, for a machine that is not idle.

    Returns:
      Dicts of name, value and unit: the medians `saved_model`, `keras` (the same in a `tf.function`), `fixed_neighbors`
      (without embedding and search) and `no_neighbors` (the translation model), ms; `saved_model_over_keras`, ratio;
      `retrieval_share`, what embedding and search take of the SavedModel's time; `neighbor_share`, what encoding the
      neighbours and fusing them takes.
    """
    tf.keras.utils.set_random_seed(seed)
    guided = _guided_model(image_size, width, gallery_size, index, neighbors, seed)
    rng = np.random.default_rng(seed)
    images = tf.constant(rng.integers(0, 256, (batch, image_size, image_size, 3), np.uint8))
    attributes = tf.constant(np.eye(guided.schema.size, dtype=np.float32)[np.zeros(batch, int)])

    specs = [tf.TensorSpec([None, image_size, image_size, 3], tf.uint8), _ATTRIBUTES]

    @tf.function(input_signature=specs, autograph=False)
    def keras(images: tf.Tensor, attributes: tf.Tensor) -> Any:
        return guided.translate_with_style(pixels.to_float(images), guided.prior.mean(attributes))

    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(export(guided, folder)))
    functions = {
        "saved_model": lambda: served.signatures["translate_images"](images=images, attributes=attributes),
        "keras": lambda: keras(images, attributes),
    }
    unguided = GuidedModel(guided, guided.retrieval, None, neighbors=0)
    graphs = {"fixed_neighbors": _FixedNeighbors(guided, guided.gallery), "no_neighbors": StageGraph(unguided)}
    for name, graph in graphs.items():
        traced = tf.function(graph.translate_images, input_signature=specs, autograph=False)
        functions[name] = lambda traced=traced: traced(images, attributes)
    seconds = time_in_turn(functions, repeats, clock)
    rounds = [dict(zip(seconds, row, strict=True)) for row in zip(*seconds.values(), strict=True)]
    ratios = {
        "saved_model_over_keras": ("ratio", lambda t: t["saved_model"] / t["keras"]),
        "retrieval_share": ("share", lambda t: 1.0 - t["fixed_neighbors"] / t["saved_model"]),
        "neighbor_share": ("share", lambda t: (t["fixed_neighbors"] - t["no_neighbors"]) / t["saved_model"]),
    }
    found = [(name, 1e3 * statistics.median(values), "ms") for name, values in seconds.items()]
    found += [(name, statistics.median(map(of, rounds)), unit) for name, (unit, of) in ratios.items()]
    return [{"name": name, "value": value, "unit": unit} for name, value, unit in found]


def time_in_turn(
    functions: Mapping[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds that each function takes in each of the rounds, after two that do not count; every round starts later."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for turn in range(-2, repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            functions[name]()
            if turn >= 0:
                seconds[name].append(clock() - start)
    return seconds


class _FixedNeighbors(StageGraph):
    """The first rows of the gallery instead of the nearest."""

    def neighbor_rows(self, content: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
        return tf.tile(tf.range(self.model.neighbors)[tf.newaxis], [tf.shape(content)[0], 1])


class _FewPictures(Gallery):
    """A gallery that shows the same few pictures again and again."""

    def __init__(self, index: Index, pictures: np.ndarray):
        super().__init__(index, [str(row) for row in range(index.size)])
        self.pictures = tf.Variable(pictures, trainable=False)

    def images(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.pictures, rows % self.pictures.shape[0])


def _guided_model(image_size: int, width: int, gallery_size: int, index: str, neighbors: int, seed: int) -> GuidedModel:
    schema = AttributeSchema((*_HAIR, "Male", "Young"), groups=(_HAIR,))
    translation = TranslationModel(schema, image_size, width=width, fixed_mask_strength=1.0)
    retrieval = RetrievalModel(translation)
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(min(_CLUSTERS, gallery_size), retrieval.network.embedding_dim)).astype(np.float32)
    embeddings = centers[rng.integers(0, len(centers), gallery_size)]
    embeddings += _SPREAD * rng.standard_normal(embeddings.shape, np.float32)
    pictures = rng.integers(0, 256, (min(_PICTURES, gallery_size), image_size, image_size, 3), np.uint8)
    return GuidedModel(
        translation, retrieval, _FewPictures(make_index(index, embeddings), pictures), neighbors, content_cache_mb=0
    )
