"""The numbers of each test image behind a stage's figures, on disk, so that two evaluations compare image by image.

evaluation/each_image/<stage>.npz    `images`: which images were asked for what; `<figure>/above`, `<figure>/below`
"""

from __future__ import annotations

import hashlib
import pathlib
import time
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rgunit_tf import atomic
from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.bootstrap import Numbers
from rgunit_tf.evaluation.metrics.measurement import Record, measurement

_FOLDER = "each_image"
_KEY = "images"


def key_of(ids: Iterable[str], targets: np.ndarray) -> str:
    """What two evaluations have in common where they asked the same of the same images.

    Args:
      ids: names of the N test images, in order.
      targets: label vectors asked for, [N, K].
    """
    digest = hashlib.sha256("\n".join(map(str, ids)).encode("utf-8", "surrogateescape"))
    digest.update(np.ascontiguousarray(targets, np.float32).tobytes())
    return digest.hexdigest()[:32]


def file_of(evaluation: pathlib.Path, stage: str) -> pathlib.Path:
    """Where a run's `evaluation/` keeps the numbers of a stage."""
    return evaluation / _FOLDER / f"{stage}.npz"


def write(path: pathlib.Path, records: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Writes the numbers behind those records that have some, but not those of single attributes."""
    arrays = {}
    for name, record in records.items():
        if isinstance(record, Record) and record.above is not None and "/" not in name:
            for kind, numbers in (("above", record.above), ("below", record.below)):
                if numbers is not None:
                    arrays[f"{name}/{kind}"] = _small(numbers)
    with atomic.path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **{_KEY: np.array(key)}, **arrays)


def read(path: pathlib.Path) -> tuple[str, dict[str, Numbers]]:
    """What `write` wrote: the key, and numbers by figure; no key where there is no such file, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [name.removesuffix("/above") for name in file.files if name.endswith("/above")]
            below = {name: file[f"{name}/below"] for name in names if f"{name}/below" in file.files}
            return str(file[_KEY]), {name: (file[f"{name}/above"], below.get(name)) for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return "", {}


def differences(first: pathlib.Path, second: pathlib.Path, seed: int = 0) -> dict[str, Record]:
    """Records of how much more each figure is in the second of two files, image by image.

    Args:
      first: that `write` wrote.
      second: likewise.
      seed: of the resamples.

    Returns:
      By figure; none where the files are not of the same images asked for the same.
    """
    (key, before), (other, after) = read(first), read(second)
    if not key or key != other:
        return {}
    found = {}
    for name in (name for name in before if name in after and before[name][0].shape == after[name][0].shape):
        started = time.perf_counter()
        value, interval = bootstrap.paired_difference(before[name], after[name], seed)
        count = len(before[name][0])
        found[name] = measurement(value, interval, count, "paired, image by image", seed, started)
    return found


def _small(numbers: np.ndarray) -> np.ndarray:
    numbers = np.asarray(numbers)
    return numbers if numbers.dtype == bool else numbers.astype(np.float32)
