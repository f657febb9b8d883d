"""Which devices a run uses: a tf.distribute strategy from the config."""

from __future__ import annotations

import functools
import os

import tensorflow as tf

from rgunit_tf.errors import UserError


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The strategy that `config.train.strategy` asks for.

    Args:
      name: `one_device`; `mirrored` (all GPUs, or all logical CPU devices where there are several and no GPU);
        `multi_worker` (cluster and task from the TF_CONFIG environment variable); `auto`: multi_worker where TF_CONFIG
        is set, else mirrored where there is more than one device, else one_device.

    Raises:
      UserError: `multi_worker` without TF_CONFIG.
    """
    if name == "auto":
        name = "multi_worker" if os.environ.get("TF_CONFIG") else "mirrored" if len(_devices()) > 1 else "one_device"
    if name == "multi_worker" and not os.environ.get("TF_CONFIG"):
        raise UserError("config.train.strategy=multi_worker needs the TF_CONFIG environment variable on each worker")
    return _strategy(name)


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
