"""Keras 2 as `tf.keras` in both lanes: on Python 3.10 and 3.11 it is, later it is the package `tf_keras`."""

from __future__ import annotations

import os
import sys

PACKAGE = "keras" if sys.version_info < (3, 12) else "tf-keras"
"""What `tf.keras` is installed as."""


def choose() -> None:
    """Has TensorFlow take Keras 2; the package calls it before anything of it imports TensorFlow.

    Raises:
      ImportError: TensorFlow was imported before, and took Keras 3.
    """
    if PACKAGE == "keras":
        return
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    tensorflow = sys.modules.get("tensorflow")
    # It makes its choice when `tf.keras` is first used, which may be still to come.
    if tensorflow and not tensorflow.keras.Model.__module__.startswith("tf_keras."):
        raise ImportError(
            "rgunit_tf needs Keras 2, and TensorFlow, which was imported before it, took Keras 3: import rgunit_tf "
            "before tensorflow, or set TF_USE_LEGACY_KERAS=1"
        )
