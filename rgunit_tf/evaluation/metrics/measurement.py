"""One figure of a report: never a bare number, always with what it takes to judge and repeat it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap


class Record(dict[str, Any]):
    """A figure, JSON-ready, and beside it what does not go to the file: the numbers of each image behind it.

    Attributes:
      above: [N] or [N, K], whose mean is the figure; None where it is no mean over images. Copies lose it.
      below: as `above`: the figure is mean(above) / mean(below); None: 1 an image.
    """

    above: np.ndarray | None = None
    below: np.ndarray | None = None

    def of_images(self, above: np.ndarray, below: np.ndarray | None = None) -> Record:
        """Itself, with the numbers of each image."""
        self.above, self.below = above, below
        return self


def measurement(
    value: float,
    interval: tuple[float, float] | None,
    images: int,
    computed_with: str,
    seed: int,
    started: float,
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
      **details: further figures of the record, such as the deviation over splits.
    """
    finite = interval is not None and all(map(math.isfinite, interval))
    fields = {
        "value": float(value) if math.isfinite(value) else None,
        "interval": [float(bound) for bound in interval] if interval is not None and finite else None,
        "confidence": bootstrap.CONFIDENCE if finite else None,
        "images": int(images),
        "computed_with": computed_with,
        "seed": int(seed),
        "seconds": round(time.perf_counter() - started, 3),
        **details,
    }
    return Record(fields)
