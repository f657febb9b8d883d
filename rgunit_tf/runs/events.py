"""The file that TensorBoard shows: scalars and pictures by step."""

from __future__ import annotations

import io
import os
import pathlib
import socket
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from PIL import Image

Event, Summary = tf.compat.v1.Event, tf.compat.v1.Summary


class EventFile:
    """A new event file in a folder, to which every record is written through at once.

    The writers of `tf.summary` pass each value through tensors of Python's, which cost time and, on Python 3.11, memory
    that TensorFlow 2.15 never gives back (`Stage.fit`); over a long training that adds up.

    Args:
      folder: made if it is not there.
    """

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._records = tf.io.TFRecordWriter(str(folder / name))
        self._write(Event(file_version="brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers by name."""
        shown = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(step=step, summary=Summary(value=shown)))

    def image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Adds a picture, uint8 [H, W, 3]."""
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        height, width, channels = pixels.shape
        picture = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=encoded.getvalue()
        )
        self._write(Event(step=step, summary=Summary(value=[Summary.Value(tag=name, image=picture)])))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._records.flush()

    def close(self) -> None:
        """Ends the file."""
        self._records.close()
