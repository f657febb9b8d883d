"""Images a second of the training pipeline, beside the bare decoding of the same JPEG files."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from rgunit_tf import data
from rgunit_tf.benchmarks.timing import Recorder, interleaved, matmul_peak

CELEBA = (178, 218)
"""Width and height of CelebA's aligned images, pixels."""


def input_pipeline(
    image_size: int = 128, batch_size: int = 16, images: int = 400, repeats: int = 5
) -> Iterator[dict[str, Any]]:
    """Records of reading drawn faces, written as JPEG files of CelebA's size in CelebA's layout.

    Args:
      image_size: side after crop and resize, pixels.
      batch_size: images a batch.
      images: files.
      repeats: rounds over all files.

    Yields:
      decode_jpeg_images_per_s (`tf.io.decode_jpeg` in a parallel map, nothing else), pipeline_images_per_s (decode,
      crop, resize, augment, target domain, batch; no cache), their ratio, and cached_pipeline_images_per_s.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        _write_celeba(root, images)
        files = sorted(str(file) for file in (root / "img_align_celeba").iterdir())
        options = {"image_size": image_size, "test_images": 1, "validation_fraction": 0.0}
        streams = {
            "pipeline": data.load("celeba", root=root, cache_mb=0, **options).train.stream(batch_size, 0),
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
    recorder = Recorder(
        {"image_size": image_size, "batch_size": batch_size, "images": images, "file": "178x218 JPEG"}, matmul_peak()
    )
    count = steps * batch_size
    for name, seconds in times.items():
        yield recorder.record(f"{name}_images_per_s", count / seconds, "1/s")
    yield recorder.record("pipeline_over_decode_jpeg", times["decode_jpeg"] / times["pipeline"], "1")


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
