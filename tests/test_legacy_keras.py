"""Keras 2 is `tf.keras`, whichever is imported first, or it is said at once."""

import os
import subprocess
import sys

import pytest

SHOW = "print(*{name.__module__.split('.')[0] for name in (tf.keras.Model, tf.keras.optimizers.Adam)})"
ORDERS = [("import rgunit_tf", "import tensorflow as tf"), ("import tensorflow as tf", "import rgunit_tf")]


def run(root, *lines):
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("lines", ORDERS)
def test_keras_2_in_whichever_order(root, lines):
    result = run(root, *lines, SHOW)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["keras" if sys.version_info < (3, 12) else "tf_keras"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="TensorFlow 2.15 has no Keras 3")
def test_keras_3_in_use_is_one_clear_error(root):
    result = run(root, "import tensorflow as tf", "tf.keras.layers.Dense(3)", "import rgunit_tf")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("ImportError: rgunit_tf needs Keras 2")
    assert "import rgunit_tf before tensorflow" in result.stderr.splitlines()[-1]
