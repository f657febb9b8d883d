"""Which devices a run uses: a tf.distribute strategy from the config."""

from __future__ import annotations

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
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if name == "auto":
        name = "multi_worker" if os.environ.get("TF_CONFIG") else "mirrored" if len(devices) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy(devices[0].name)
    if name == "mirrored":
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if not os.environ.get("TF_CONFIG"):
        raise UserError("config.train.strategy=multi_worker needs the TF_CONFIG environment variable on each worker")
    return tf.distribute.MultiWorkerMirroredStrategy()
