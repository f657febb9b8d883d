"""One figure of a report: never a bare number, always with what it takes to judge and repeat it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap

PerImage = tuple[np.ndarray, np.ndarray | None]
"""Numbers an image, [N] or [N, K], and what they are shares of, of the same shape (None: of 1 each)."""


class Record(dict[str, Any]):
    """A JSON-ready record of one figure.

    Attributes:
      per_image: whose mean or ratio the figure is, kept for comparisons image by image; None where it is neither.
    """

    per_image: PerImage | None = None


def measurement(
    value: float,
    interval: tuple[float, float] | None,
    images: int,
    computed_with: str,
    seed: int,
    started: float,
    per_image: PerImage | None = None,
    **details: float | None,
) -> Record:
    """A JSON-ready record of one figure.

    Args:
      value: the figure; NaN and infinities, which JSON does not know, become None.
      interval: its bootstrap confidence interval, None where there is none.
      images: images it was computed on.
      computed_with: network, formula and reference, in words.
      seed: of the styles, targets and resamples behind it.
      started: `time.perf_counter()` when its computation began.
      per_image: see `Record`.
      **details: further figures of the record, such as the deviation over splits.
    """
    finite = interval is not None and all(map(math.isfinite, interval))
    record = Record(
        value=float(value) if math.isfinite(value) else None,
        interval=[float(bound) for bound in interval] if interval is not None and finite else None,
        confidence=bootstrap.CONFIDENCE if finite else None,
        images=int(images),
        computed_with=computed_with,
        seed=int(seed),
        seconds=round(time.perf_counter() - started, 3),
        **details,
    )
    record.per_image = per_image
    return record
