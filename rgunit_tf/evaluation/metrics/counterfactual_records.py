"""Distances to the true counterfactual with their intervals, as records of a report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from rgunit_tf.evaluation.metrics import bootstrap
from rgunit_tf.evaluation.metrics.measurement import measurement

WORDS = "true counterfactual drawn by the avatars source"
MEANINGS = {
    "l1": "mean L1 distance in grey levels 0..255 of the translation",
    "l1_input": "mean L1 distance in grey levels 0..255 of the untouched input",
    "ssim": "SSIM by tf.image of the translation",
    "ssim_input": "SSIM by tf.image of the untouched input",
}


def ratio_record(l1: np.ndarray, l1_input: np.ndarray, seed: int) -> dict[str, Any]:
    """Record `counterfactual_l1_ratio`, from the distances [N] of translations and of their inputs to the truth."""
    started = time.perf_counter()
    return measurement(
        l1.mean() / l1_input.mean(),
        bootstrap.ratio_interval(l1, l1_input, seed),
        len(l1),
        f"mean L1 to the {WORDS}, over that of the untouched input",
        seed,
        started,
    ).of_images(l1, l1_input)


def records(values: Mapping[str, np.ndarray], seed: int) -> dict[str, dict[str, Any]]:
    """Records `counterfactual_l1_ratio` and `counterfactual_<name>` of each of MEANINGS, from its values [N]."""
    found = {"counterfactual_l1_ratio": ratio_record(values["l1"], values["l1_input"], seed)}
    for name, meaning in MEANINGS.items():
        started = time.perf_counter()
        interval = bootstrap.mean_interval(values[name], seed)
        words = f"{meaning} to the {WORDS}"
        found[f"counterfactual_{name}"] = measurement(
            values[name].mean(), interval, len(values[name]), words, seed, started
        ).of_images(values[name])
    return found
