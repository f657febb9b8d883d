"""Queries a second and recall of ScaNN beside exact search, on embeddings of augmented avatars."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from rgunit_tf import atomic, cache, data
from rgunit_tf.benchmarks.timing import Recorder, interleaved, matmul_peak, peak_memory_mib
from rgunit_tf.data import Dataset, Split
from rgunit_tf.evaluation.metrics.precision_at_k import recall_at_k
from rgunit_tf.evaluation.outputs.neighbors import embed_queries
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.retrieval import ScannIndex, make_index
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel

K = 10
AVATARS = {"num_images": 2000, "test_images": 500}
TRAINING_STEPS = {"translation": 300, "retrieval": 600}
"""Where no trained run is given. Fewer leave embeddings that fill more dimensions than those of a finished run do."""


def retrieval(
    gallery_size: int, batch_size: int = 64, repeats: int = 60, workdir: str | None = None, leaves: int | None = None
) -> Iterator[dict[str, Any]]:
    """Records of the search of the 10 nearest among `gallery_size` embeddings.

    Args:
      gallery_size: embeddings searched; of distinct augmentations of drawn faces.
      batch_size: queries a call.
      repeats: rounds; in each the exact and the approximate index answer the same batch.
      workdir: a run whose retrieval model embeds; None: one that is trained for a few steps.
      leaves: of ScaNN's tree; None: by the rule of `retrieval.scann_index`.

    Yields:
      matmul_peak, queries a second of both, their ratio, recall at 10, seconds to embed and to build, memory.
    """
    embeddings, queries, seconds = _embeddings(gallery_size, workdir)
    peak = matmul_peak()
    exact = make_index("exact", embeddings)
    started = time.perf_counter()
    scann = ScannIndex(embeddings, leaves=leaves)
    built = time.perf_counter() - started
    batches = [tf.constant(queries[start : start + batch_size]) for start in range(0, len(queries), batch_size)]
    batches = [batch for batch in batches if len(batch) == batch_size]
    search = {name: tf.function(index.search, autograph=False) for name, index in (("exact", exact), ("scann", scann))}
    rows = {name: np.concatenate([call(batch, K)[1].numpy() for batch in batches]) for name, call in search.items()}
    turn = dict.fromkeys(search, 0)

    def ask(name: str) -> Any:
        turn[name] += 1
        return search[name](batches[turn[name] % len(batches)], K)[1].numpy()

    times = interleaved({name: lambda name=name: ask(name) for name in search}, repeats)
    settings = {
        "gallery_size": gallery_size,
        "dimensions": embeddings.shape[1],
        "batch_size": batch_size,
        "k": K,
        "leaves": scann.parameters.leaves,
        "leaves_to_search": scann.parameters.leaves_to_search,
        "embedded_by": workdir or f"a model of {TRAINING_STEPS['translation']} + {TRAINING_STEPS['retrieval']} steps",
    }
    recorder = Recorder(settings, peak)
    yield recorder.record("matmul_peak", peak, "GFLOP/s")
    for name, value in times.items():
        yield recorder.record(f"{name}_queries_per_s", batch_size / value, "1/s")
    yield recorder.record("scann_over_exact_queries_per_s", times["exact"] / times["scann"], "1")
    recall = float(recall_at_k(rows["scann"], rows["exact"]).mean())
    yield recorder.record("scann_recall_at_10", recall, "1", queries=len(rows["scann"]))
    yield recorder.record("scann_build", built, "s")
    if seconds is not None:
        yield recorder.record("embed_images_per_s", gallery_size / seconds, "1/s")
    yield recorder.record("embeddings_memory", embeddings.nbytes / 2**20, "MiB")
    yield recorder.record("peak_memory", peak_memory_mib(), "MiB")


def _embeddings(count: int, workdir: str | None) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Embeddings [count, D], queries [Q, D] and the seconds it took; those of the short training are kept on disk."""
    if workdir:
        from rgunit_tf.runs import finished
        from rgunit_tf.runs.workdir import Workdir

        run = Workdir(workdir)
        return _embed(finished.load(run, "retrieval"), finished.load_dataset(run), count)
    # The first of many embeddings are those of a smaller gallery.
    kept = _kept("*")
    for file in sorted(kept.parent.glob(kept.name), key=_count):
        if _count(file) >= count:
            with np.load(file, allow_pickle=False) as arrays:
                return arrays["embeddings"][:count], arrays["queries"], None
    dataset = data.load("avatars", image_size=32, **AVATARS)
    embeddings, queries, seconds = _embed(_short_training(dataset), dataset, count)
    _keep(_kept(count), embeddings, queries)
    return embeddings, queries, seconds


def _kept(count: int | str) -> pathlib.Path:
    """Where the embeddings of the short training are kept."""
    steps = "-".join(map(str, TRAINING_STEPS.values()))
    return cache.user_folder() / "bench" / f"embeddings-{steps}-{count}.npz"


def _count(file: pathlib.Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _keep(file: pathlib.Path, embeddings: np.ndarray, queries: np.ndarray) -> None:
    with atomic.path(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, embeddings=embeddings, queries=queries)


def _short_training(dataset: Dataset) -> RetrievalModel:
    tf.keras.utils.set_random_seed(0)
    translation = TranslationModel(dataset.schema, 32, width=16, residual_blocks=3, discriminator_width=16)
    translation.compile({"learning_rate": 3e-4})
    translation.fit(dataset.train.stream(8, 0), steps_per_epoch=TRAINING_STEPS["translation"], verbose=0)
    retrieval = RetrievalModel(translation)
    retrieval.compile({"learning_rate": 3e-4})
    retrieval.fit(dataset.train.stream(32, 0), steps_per_epoch=TRAINING_STEPS["retrieval"], verbose=0)
    return retrieval


def _embed(model: Any, dataset: Dataset, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    embed = tf.function(model.embed_images, reduce_retracing=True, autograph=False)
    embeddings = np.empty((count, model.network.embedding_dim), np.float32)
    started, done = time.perf_counter(), 0
    for images in _augmented(dataset.train, count):
        embeddings[done : done + len(images)] = embed(images)
        done += len(images)
    seconds = time.perf_counter() - started
    targets = draw_targets(dataset.test.labels, dataset.test.labels, 0)
    return embeddings, embed_queries(model, dataset.test, targets, 0), seconds


def _augmented(split: Split, count: int, batch_size: int = 128) -> Iterator[tf.Tensor]:
    """Batches of training images, mirrored, shifted, and changed in brightness, contrast and hue, `count` in all."""
    size = split.image_size

    @tf.function(reduce_retracing=True, autograph=False)
    def vary(images: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        seeds = tf.unstack(tf.random.experimental.stateless_split(tf.stack([7, number]), 3))
        large = tf.image.resize((images + 1.0) / 2.0, (size + size // 8, size + size // 8))
        images = tf.image.stateless_random_crop(large, (tf.shape(images)[0], size, size, 3), seeds[0])
        shade = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 3), seeds[1], -0.12, 0.12)
        contrast = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seeds[2], 0.8, 1.2)
        return tf.clip_by_value((images - 0.5) * contrast + 0.5 + shade, 0.0, 1.0) * 2.0 - 1.0

    done = 0
    for number, batch in enumerate(split.stream(batch_size, seed=11)):
        images = vary(batch["image"], tf.constant(number))[: count - done]
        done += len(images)
        yield images
        if done >= count:
            return
