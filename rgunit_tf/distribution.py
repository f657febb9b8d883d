"""Which devices a run uses: a tf.distribute strategy from the config."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from rgunit_tf import cluster
from rgunit_tf.errors import RunError, UserError

T = TypeVar("T")


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The strategy that `config.train.strategy` asks for.

    Args:
      name: `one_device`; `mirrored` (all GPUs, or all logical CPU devices where there are several and no GPU);
        `multi_worker` (cluster and task from the TF_CONFIG environment variable); `auto`: multi_worker where TF_CONFIG
        is set, else mirrored where there is more than one device, else one_device.

    Raises:
      UserError: `multi_worker` without TF_CONFIG, or one that cannot be read.
    """
    if name == "auto":
        name = "multi_worker" if os.environ.get("TF_CONFIG") else "mirrored" if len(_devices()) > 1 else "one_device"
    if name == "multi_worker" and not os.environ.get("TF_CONFIG"):
        raise UserError("config.train.strategy=multi_worker needs the TF_CONFIG environment variable on each worker")
    if name != "multi_worker" and cluster.workers() > 1:
        raise UserError(
            f"config.train.strategy={name}, but TF_CONFIG names {cluster.workers()} workers, who would write over "
            "each other's files; unset TF_CONFIG, or give multi_worker"
        )
    return _strategy(name)


def barrier() -> None:
    """Returns once every worker is here; at once where there is one."""
    _all_well(True)


def _all_well(well: bool) -> bool:
    """Meets the other workers; whether all of them came with `well`."""
    if cluster.workers() == 1:
        return well
    strategy = _strategy("multi_worker")

    def meet() -> tf.Tensor:
        failed = tf.constant(0.0 if well else 1.0)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, failed)

    failures = strategy.experimental_local_results(tf.function(lambda: strategy.run(meet))())
    return float(failures[0]) == 0.0


def chief_first(make: Callable[[], T]) -> T:
    """What `make` gives: the chief calls it, and the other workers once the chief is done, to find what it wrote.

    Raises:
      RunError: in the other workers, where the chief failed; there it is the error that `make` raised.
    """
    if cluster.is_chief():
        try:
            result = make()
        except Exception:
            _all_well(False)
            raise
        barrier()
        return result
    if not _all_well(True):
        raise RunError("the chief failed at what all workers wait for; see what it says, then start all of them again")
    return make()


def _devices() -> list[str]:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


@functools.cache
def _strategy(name: str) -> tf.distribute.Strategy:
    # One for the whole process: the collective operations of a second one would be numbered like those of the first.
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy(_devices()[0])
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_devices())
    return tf.distribute.MultiWorkerMirroredStrategy()
