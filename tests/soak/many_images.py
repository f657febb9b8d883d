"""Prepares and embeds many small pictures, made on the fly: the program that `test_many_images.py` starts and kills.

many_images.py make <folder> <count>
many_images.py prepare|embed <folder> <output> <runner>
"""

from __future__ import annotations

import io
import pathlib
import sys

import numpy as np
from PIL import Image

SIDE, SHARDS, GALLERIES = 16, 32, 8
# At a time, in which they are drawn.
_BLOCK = 4096


def main(what: str, folder: str, *rest: str) -> None:
    root = pathlib.Path(folder)
    if what == "make":
        make(root, int(rest[0]))
        return
    output, runner = pathlib.Path(rest[0]), rest[1]
    from rgunit_tf.data.prepare import PROGRESS, write_tfrecord
    from rgunit_tf.pipelines import beam

    spread = beam.spreader(runner, None, output / PROGRESS / "beam")
    if what == "prepare":
        write_tfrecord(records(root), output, shards=SHARDS, spread=spread)
    else:
        from rgunit_tf.pipelines.embedding import embed
        from rgunit_tf.runs.workdir import Workdir

        embed(Workdir(root / "run"), root / "records", output, GALLERIES, keep_images=False, spread=spread)
    status = pathlib.Path("/proc/self/status").read_text()
    print(f"{what} by {runner}: at most {int(status.split('VmHWM:')[1].split()[0]) >> 10} MiB in memory", flush=True)


def make(root: pathlib.Path, count: int) -> None:
    """Writes `count` pictures, BMP files behind each other in one file."""
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(buffer, "BMP")
    header = buffer.getvalue()[: -3 * SIDE * SIDE]
    with open(root / "pictures", "wb") as file:
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            # Smooth, as pictures are: four colours each.
            corners = np.random.default_rng(start).integers(0, 256, (size, 2, 2, 3), np.uint8)
            pixels = corners.repeat(SIDE // 2, 1).repeat(SIDE // 2, 2).reshape(size, -1)
            file.write(b"".join(header + row.tobytes() for row in pixels))


def records(root: pathlib.Path):
    """The pictures as a source, of two domains by turns, the last 100 for testing."""
    from rgunit_tf.data.records import TEST, TRAIN, Records
    from rgunit_tf.data.tfrecord import RecordReader
    from rgunit_tf.domains import AttributeSchema

    length = len(header_and_pixels())
    count = (root / "pictures").stat().st_size // length
    names = [f"{number:08d}.bmp" for number in range(count)]
    place = np.arange(count, dtype=np.int64)
    reader = RecordReader(
        [root / "pictures"], place * 0, place * length, np.full(count, length, np.int64), names, "pictures"
    )
    part = np.where(place < count - 100, TRAIN, TEST).astype(np.int8)
    return Records(reader, np.array(names), (place % 2)[:, None].astype(np.float32), part, AttributeSchema(["Odd"]))


def header_and_pixels() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(buffer, "BMP")
    return buffer.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:])
