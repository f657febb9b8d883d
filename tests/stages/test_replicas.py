"""Two replicas take the step that one takes with the same global batch, in every stage."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from rgunit_tf.models import frozen_features

installed = pytest.mark.skipif(not frozen_features.available(), reason=frozen_features.MISSING)
# Of their own norm: the gradient of one step, and what three steps change, in which rounding adds up.
TOLERANCE = {"gradient": 1e-4, "weights": 1e-3}
SCRIPT = pathlib.Path(__file__).with_name("two_replicas.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "optimizers"),
    [
        ("translation", ("sgd",)),
        pytest.param("photographs", ("sgd",), marks=installed),
        ("retrieval", ("sgd",)),
        ("guided_retrieved", ("sgd",)),
        pytest.param("translation", ("adamw",), marks=pytest.mark.soak),
        pytest.param("guided_random", ("sgd",), marks=pytest.mark.soak),
    ],
)
def test_two_devices_take_the_step_of_one(root, stage, optimizers):
    result = subprocess.run(
        [sys.executable, str(SCRIPT), stage, *optimizers],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["noise"] == 0.0
    for optimizer in optimizers:
        case = report[optimizer]
        assert case["copies"] == [1, 2] and case["copies_equal"]
        assert case["steps"] == [3, 3]
        for name, value in case["differences"].items():
            assert case["norms"][name] > 1e-4
            # AdamW divides by the size of the gradient, which is rounding error alone for biases that do nothing.
            assert value < (TOLERANCE[name] if optimizer == "sgd" else 5e-2), (optimizer, name)
        for name, (alone, together) in case["terms"].items():
            assert together == pytest.approx(alone, rel=1e-3, abs=1e-5), (optimizer, name)
