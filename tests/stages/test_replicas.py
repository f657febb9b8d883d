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


CASES = (
    pytest.param("photographs:sgd", marks=installed),
    "retrieval:sgd",
    "guided_retrieved:sgd",
    "guided_attention:sgd",
    # What it is made of the others have: the guided stages their D, the photographs' recipe what trains Ec and Es.
    pytest.param("translation:sgd", marks=pytest.mark.soak),
    pytest.param("translation:adamw", marks=pytest.mark.soak),
    pytest.param("guided_random:sgd", marks=pytest.mark.soak),
)


@pytest.fixture(scope="module")
def report(request, root):
    """What the script says of the cases that are asked for, all in one process."""
    asked = [item for item in request.session.items if item.path == request.path]
    cases = [item.callspec.params["case"] for item in asked]
    if not frozen_features.available():
        cases = [case for case in cases if case != "photographs:sgd"]
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *cases],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_devices_take_the_step_of_one(report, case):
    assert report["noise"] == 0.0
    found, with_sgd = report[case], case.endswith("sgd")
    assert found["copies"] == [1, 2] and found["copies_equal"]
    assert found["steps"] == [3, 3]
    assert set(found["differences"]) == ({"gradient", "weights"} if with_sgd else {"weights"})
    for name, value in found["differences"].items():
        assert found["norms"][name] > 1e-4
        # AdamW divides by the size of the gradient, which is rounding error alone for biases that do nothing.
        assert value < (TOLERANCE[name] if with_sgd else 5e-2), name
    for name, (alone, together) in found["terms"].items():
        assert together == pytest.approx(alone, rel=1e-3, abs=1e-5), name
