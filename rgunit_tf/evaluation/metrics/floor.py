"""A distance beside its floor: how many times further translations are from real images than other real images are."""

from __future__ import annotations

import time
from typing import Any

from rgunit_tf.evaluation.metrics.measurement import measurement


def name_of(distance: str) -> str:
    """`frechet_mobilenet_distance` -> `frechet_mobilenet_over_floor`."""
    return f"{distance.removesuffix('_distance')}_over_floor"


def over_floor(distance: dict[str, Any], floor: dict[str, Any], seed: int) -> dict[str, Any]:
    """The record of `distance` over that of as many real test images, both to real training images.

    Args:
      distance: record of translations.
      floor: record of real test images, on the same features and to the same training images.
      seed: of both.

    Returns:
      A record; its interval takes the floor as it is. Undefined where the floor is 0 or undefined.
    """
    started, least, interval = time.perf_counter(), floor["value"], distance["interval"]
    known = bool(least) and distance["value"] is not None
    return measurement(
        distance["value"] / least if known else float("nan"),
        (interval[0] / least, interval[1] / least) if known and interval is not None else None,
        distance["images"],
        f"{distance['computed_with']}; over that of as many real test images; the interval takes the floor as it is",
        seed,
        started,
    )
