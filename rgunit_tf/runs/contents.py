"""Contents and styles of the gallery's images on disk, beside the gallery, so that no command encodes them twice.

    retrieval/contents/manifest.json    which encoder and gallery they are of, and the checksum of the array
    retrieval/contents/contents.npy     float32 or float16 [M, h, w, C], the gallery's first M rows
    retrieval/styles/...                likewise float32 [N, S], where a model translates to styles of neighbours

Safe to delete: what is not there is encoded again.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import tensorflow as tf
from absl import logging

from rgunit_tf import atomic
from rgunit_tf.retrieval.array_file import array_writer
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.runs.workdir import Workdir
from rgunit_tf.stages.neighbor_styles import NeighborStyles

_ROWS = 256


def read(workdir: Workdir, kind: str = "contents") -> np.memmap | None:
    """What is stored, in its file; None where nothing is, or it is of another encoder or gallery.

    Args:
      workdir: of the gallery.
      kind: `contents` or `styles`.
    """
    folder = workdir.stage("retrieval") / kind
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["of"] != key(workdir):
            return None
        if manifest["sha256"] != atomic.checksum(folder / f"{kind}.npy"):
            logging.warning("%s is damaged; the %s are encoded again", folder, kind)
            return None
        return np.load(folder / f"{kind}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(workdir: Workdir, contents: Contents, styles: NeighborStyles | None = None) -> None:
    """Stores what `contents` and `styles` hold, unless that is stored already; each whole or not at all."""
    if contents.count:
        _write(workdir, "contents", contents.held)
    if styles is not None:
        _write(workdir, "styles", styles.held)


def _write(workdir: Workdir, kind: str, held: tf.Variable) -> None:
    folder = workdir.stage("retrieval") / kind
    known, count = read(workdir, kind), int(held.shape[0])
    if known is not None and len(known) >= count and known.dtype == held.dtype:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with atomic.directory(folder) as temporary:
        with array_writer(temporary / f"{kind}.npy", held.dtype.name) as file:
            for start in range(0, count, _ROWS):
                file.append(held[start : start + _ROWS].numpy())
        manifest = {"of": key(workdir), "sha256": atomic.checksum(temporary / f"{kind}.npy")}
        atomic.write_json(temporary / "manifest.json", manifest)


def key(workdir: Workdir) -> list[str]:
    """What they depend on: the weights of Ec and Es and the images in their order."""
    files = (workdir.stage("translation") / "final/weights.index", workdir.stage("retrieval") / "gallery/manifest.json")
    return [atomic.checksum(file) for file in files]
