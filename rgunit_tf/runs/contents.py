"""Contents of the gallery's images on disk, beside the gallery, so that no command encodes them a second time.

    retrieval/contents/manifest.json    which encoder and gallery they are of, and the checksum of the array
    retrieval/contents/contents.npy     float32 or float16 [M, h, w, C], the gallery's first M rows

Safe to delete: contents that are not there are encoded again.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.retrieval.array_file import array_writer
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.runs.workdir import Workdir

_ROWS = 256


def read(workdir: Workdir) -> np.memmap | None:
    """The stored contents, in their file; None where there are none, or they are of another encoder or gallery."""
    folder = workdir.stage("retrieval") / "contents"
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["of"] != key(workdir):
            return None
        if manifest["sha256"] != atomic.checksum(folder / "contents.npy"):
            logging.warning("%s is damaged; its contents are encoded again", folder)
            return None
        return np.load(folder / "contents.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(workdir: Workdir, contents: Contents) -> None:
    """Stores what `contents` holds, unless that is stored already; whole or not at all."""
    folder = workdir.stage("retrieval") / "contents"
    known = read(workdir)
    if not contents.count or (
        known is not None and len(known) >= contents.count and known.dtype == contents.held.dtype
    ):
        return
    shutil.rmtree(folder, ignore_errors=True)
    with atomic.directory(folder) as temporary:
        with array_writer(temporary / "contents.npy", contents.held.dtype.name) as file:
            for start in range(0, contents.count, _ROWS):
                file.append(contents.held[start : start + _ROWS].numpy())
        manifest = {"of": key(workdir), "sha256": atomic.checksum(temporary / "contents.npy")}
        atomic.write_json(temporary / "manifest.json", manifest)


def key(workdir: Workdir) -> list[str]:
    """What contents depend on: the weights of Ec and the images in their order."""
    files = (workdir.stage("translation") / "final/weights.index", workdir.stage("retrieval") / "gallery/manifest.json")
    return [atomic.checksum(file) for file in files]
