"""The numbers an image behind the figures of a stage, on disk: what two models are compared by, image by image."""

from __future__ import annotations

import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from rgunit_tf import atomic
from rgunit_tf.evaluation.metrics.measurement import PerImage, Record

FOLDER = "per_image"
_ABOVE, _BELOW = "above:", "below:"


def write(evaluation: pathlib.Path, stage: str, metrics: Mapping[str, Any]) -> None:
    """Writes `<evaluation>/per_image/<stage>.npz` of those records that are means or ratios over the test images.

    Args:
      evaluation: folder of the run's `metrics.json`.
      stage: its name.
      metrics: records by name.
    """
    arrays = {}
    for name, record in metrics.items():
        if isinstance(record, Record) and record.per_image is not None:
            above, below = record.per_image
            arrays[f"{_ABOVE}{name}"] = np.asarray(above, np.float32)
            if below is not None:
                arrays[f"{_BELOW}{name}"] = np.asarray(below, np.float32)
    with atomic.path(evaluation / FOLDER / f"{stage}.npz") as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def read(evaluation: pathlib.Path, stage: str) -> dict[str, PerImage]:
    """What `write` wrote, by the name of the figure; nothing where there is no such file, or none that is whole."""
    try:
        with np.load(evaluation / FOLDER / f"{stage}.npz", allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
    names = [name.removeprefix(_ABOVE) for name in found if name.startswith(_ABOVE)]
    return {name: (found[f"{_ABOVE}{name}"], found.get(f"{_BELOW}{name}")) for name in names}
