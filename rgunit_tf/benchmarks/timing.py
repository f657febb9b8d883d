"""Timing: medians after a warm-up, the machine's matrix product peak beside them, one record a figure."""

from __future__ import annotations

import importlib.metadata
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rgunit_tf import legacy_keras

PACKAGES = ("tensorflow", legacy_keras.PACKAGE, "numpy", "scann")


def seconds_of(call: Callable[[], Any], repeats: int, warm_up: int = 2) -> list[float]:
    """Wall-clock seconds of each of `repeats` calls, after `warm_up` calls that are not counted.

    Args:
      call: does the work and waits for its result.
      repeats: calls that are timed.
      warm_up: calls before, for tracing and caches.
    """
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def interleaved(calls: dict[str, Callable[[], Any]], repeats: int, warm_up: int = 2) -> dict[str, float]:
    """Median seconds of several calls that take turns, so that what else the machine does falls on all alike.

    Args:
      calls: what is compared, by name.
      repeats: rounds that are timed.
      warm_up: rounds before.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warm_up + repeats):
        for name, call in calls.items():
            seconds = seconds_of(call, 1, 0)
            if number >= warm_up:
                times[name] += seconds
    return {name: statistics.median(values) for name, values in times.items()}


def matmul_peak(dtype: str = "float32", side: int | None = None, repeats: int = 5) -> float:
    """The best rate of a square matrix product on the default device, GFLOP/s.

    The best of several, since everything that disturbs it makes it slower.

    Args:
      dtype: of the factors.
      side: of the matrices; by default large enough to keep the device busy.
      repeats: products that are timed.
    """
    gpu = bool(tf.config.list_logical_devices("GPU"))
    if side is None:
        side = 16384 if gpu else 2048 if dtype == "float32" else 512  # CPUs are slow at 16 bits
    with tf.device("/GPU:0" if gpu else "/CPU:0"):
        left, right = (tf.cast(tf.random.stateless_normal((side, side), (0, seed)), dtype) for seed in (1, 2))

    @tf.function
    def product() -> tf.Tensor:
        return tf.reduce_sum(tf.matmul(left, right)[0])

    return 2 * side**3 / min(seconds_of(lambda: product().numpy(), repeats)) / 1e9


class Recorder:
    """Makes the records of one benchmark: name, value, unit, and what it takes to judge and repeat the figure.

    Args:
      settings: what was measured (size, width, batch, repeats).
      peak: the machine's matrix product peak in the same run, GFLOP/s.
    """

    def __init__(self, settings: dict[str, Any], peak: float):
        self.settings, self.peak = settings, peak
        self._common = {
            "settings": settings,
            "matmul_peak_gflop_per_s": round(peak, 1),
            "threads": tf.config.threading.get_intra_op_parallelism_threads() or "all",
            "devices": [device.name for device in tf.config.list_logical_devices()],
            "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "versions": {"python": platform.python_version(), **_versions()},
        }

    def record(self, name: str, value: float, unit: str, **details: Any) -> dict[str, Any]:
        """One figure, JSON-ready."""
        return {"name": name, "value": value, "unit": unit, **details, **self._common}


def peak_memory_mib() -> float:
    """The most memory that this process has held so far, MiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def peak_device_memory_mib() -> float | None:
    """The most memory of the first GPU that TensorFlow has held so far, MiB; None where there is no GPU."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return None
    return tf.config.experimental.get_memory_info(gpus[0].name.rpartition("device:")[2])["peak"] / 2**20


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
