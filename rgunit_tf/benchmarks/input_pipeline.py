"""Images a second of the training pipeline, beside the bare decoding of the same files; how long training waits."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from rgunit_tf import data
from rgunit_tf.benchmarks.timing import Recorder, interleaved, matmul_peak
from rgunit_tf.data.split import Dataset
from rgunit_tf.stages.translation import TranslationModel

CELEBA = (178, 218)
"""Width and height of CelebA's aligned images, pixels."""
SMALLEST = {"width": 16, "residual_blocks": 3}
"""The model of the default config: of those that the configs train, the one that takes the least time for an image."""
WARM_UP, TRACED = 3, 10
"""Training steps before the trace and in it."""


def input_pipeline(
    image_size: int = 128,
    batch_size: int = 16,
    images: int = 400,
    repeats: int = 5,
    profile: str | os.PathLike | None = None,
) -> Iterator[dict[str, Any]]:
    """Records of reading drawn faces, written as JPEG files of CelebA's size in CelebA's layout.

    Args:
      image_size: side after crop and resize, pixels.
      batch_size: images a batch.
      images: files.
      repeats: rounds over all files.
      profile: folder to keep the trace of the training steps in, for TensorBoard.

    Yields:
      decode_jpeg_images_per_s (`tf.io.decode_jpeg` in a parallel map, nothing else), pipeline_images_per_s (decode,
      crop, resize, augment, target domain, batch; no cache), their ratio, cached_pipeline_images_per_s, and
      input_wait_share: by TensorFlow's profiler, the share of the time of training steps of a small model (SMALLEST)
      in which they waited for their batch, decoded anew from the files.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        _write_celeba(root, images)
        files = sorted(str(file) for file in (root / "img_align_celeba").iterdir())
        options = {"image_size": image_size, "test_images": 1, "validation_fraction": 0.0}
        uncached = data.load("celeba", root=root, cache_mb=0, **options)
        streams = {
            "pipeline": uncached.train.stream(batch_size, 0),
            "cached_pipeline": data.load("celeba", root=root, **options).train.stream(batch_size, 0),
        }
        steps = images // batch_size
        iterators = {name: iter(stream) for name, stream in streams.items()}

        def take(name: str) -> None:
            for _ in range(steps):
                next(iterators[name])["image"].numpy()

        def decode() -> None:
            paths = tf.data.Dataset.from_tensor_slices(files[: steps * batch_size])
            pixels = paths.map(lambda path: tf.io.decode_jpeg(tf.io.read_file(path)), tf.data.AUTOTUNE)
            for batch in pixels.batch(batch_size).prefetch(tf.data.AUTOTUNE):
                batch.numpy()

        calls = {"decode_jpeg": decode, **{name: lambda name=name: take(name) for name in streams}}
        times = interleaved(calls, repeats, warm_up=1)
        share = _wait_share(uncached, batch_size, profile or root / "profile")
    recorder = Recorder(
        {"image_size": image_size, "batch_size": batch_size, "images": images, "file": "178x218 JPEG"}, matmul_peak()
    )
    count = steps * batch_size
    for name, seconds in times.items():
        yield recorder.record(f"{name}_images_per_s", count / seconds, "1/s")
    yield recorder.record("pipeline_over_decode_jpeg", times["decode_jpeg"] / times["pipeline"], "1")
    yield recorder.record("input_wait_share", share, "1", steps=TRACED, **SMALLEST)


def _wait_share(dataset: Dataset, batch_size: int, folder: str | os.PathLike) -> float:
    """Share of the time of training steps that they wait for their batch; leaves the profiler's trace in `folder`."""
    model = TranslationModel(dataset.schema, dataset.train.image_size, **SMALLEST)
    model.compile()
    trace = tf.keras.callbacks.TensorBoard(folder, write_graph=False, profile_batch=(WARM_UP + 1, WARM_UP + TRACED))
    stream = dataset.train.stream(batch_size, 0)
    model.fit(stream, steps_per_epoch=WARM_UP + TRACED, callbacks=[trace], verbose=0)
    newest = max(pathlib.Path(folder).rglob("*.xplane.pb"), key=lambda file: file.stat().st_mtime)
    events = xplane_pb2.XSpace.FromString(newest.read_bytes())
    return _seconds_of("IteratorGetNextOp::DoCompute", events) / _seconds_of("train", events)


def _seconds_of(name: str, trace: xplane_pb2.XSpace) -> float:
    """What all events of a name took together."""
    picoseconds = 0
    for plane in trace.planes:
        names = {key: metadata.name for key, metadata in plane.event_metadata.items()}
        picoseconds += sum(
            event.duration_ps for line in plane.lines for event in line.events if names.get(event.metadata_id) == name
        )
    return picoseconds * 1e-12


def _write_celeba(root: pathlib.Path, images: int) -> None:
    dataset = data.load("avatars", image_size=128, num_images=max(40, images), test_images=1, validation_fraction=0.0)
    (root / "img_align_celeba").mkdir()
    lines = [str(images), " ".join(dataset.schema.names)]
    for row in range(images):
        split_row = row % len(dataset.train)
        picture = Image.fromarray(dataset.train.image(split_row)).resize(CELEBA, Image.Resampling.BICUBIC)
        picture.save(root / f"img_align_celeba/{row:06d}.jpg", quality=95)
        label = np.where(dataset.train.labels[split_row] > 0, "1", "-1")
        lines.append(f"{row:06d}.jpg {' '.join(label)}")
    (root / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
