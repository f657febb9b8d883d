"""What a training is set to compute with."""

import pytest
import tensorflow as tf

from rgunit_tf import config as settings
from rgunit_tf.runs import training


@pytest.mark.parametrize(
    ("asked", "gpus", "compiled"),
    [("auto", 0, False), ("auto", 1, True), ("auto", 2, False), ("True", 0, True), ("False", 1, False)],
)
def test_xla_compiles_on_one_gpu_or_as_asked(monkeypatch, asked, gpus, compiled):
    devices = [tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU") for number in range(gpus)]
    found = tf.config.list_logical_devices
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices if kind == "GPU" else found(kind))
    config = settings.default_config()
    config.train.jit_compile = asked
    settings.validate(config)
    assert training.by_xla(config) == compiled
    assert training.in_use(config).count(", XLA") == compiled


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_the_configs_choice(allowed):
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    config = settings.default_config()
    config.data.image_size = 64
    config.train.tensor_float_32 = allowed
    try:
        training.configure(config)
        assert tf.config.experimental.tensor_float_32_execution_enabled() == allowed
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
