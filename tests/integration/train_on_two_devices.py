"""bin/train where TensorFlow sees two devices: python train_on_two_devices.py <flags>."""

# ruff: noqa: E402 (the devices are set up before anything else is imported)

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from rgunit_tf.cli import train

if __name__ == "__main__":
    sys.argv[0] = "train"
    train.run()
