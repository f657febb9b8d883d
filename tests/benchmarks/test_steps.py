"""Rows of steps, each in a process of its own: what is said of those that gave no figure."""

import subprocess
import types

from rgunit_tf.benchmarks import steps


def test_rows_without_a_figure_are_named_with_the_reason(monkeypatch):
    asked = []

    def run(command, timeout, **_):
        asked.append(command[3:])
        if len(asked) == 1:
            return types.SimpleNamespace(stdout='{"name": "a", "value": 1}\nnoise\n{"name": "b"}\n', stderr="")
        if len(asked) == 2:
            return types.SimpleNamespace(stdout="", stderr="first\nout of memory\n")
        raise subprocess.TimeoutExpired(command, timeout)

    clock = iter([0.0, 0.0, 10.0, 20.0, *[100.0] * 10])
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(clock))
    found = list(steps.steps(["--image_size=16"], 4, 60.0))
    assert [record["name"] for record in found] == ["a", "b"] + ["not_measured"] * (len(steps.ROWS) - 1)
    reasons = [record["reason"] for record in found[2:]]
    assert reasons[:3] == ["out of memory", "broken off after 40 s", "no time was left"]
    assert len(asked) == 3 and all(command[-1] == "--image_size=16" for command in asked)
    assert asked[0][:4] == ["train_step", "--precision=mixed_bfloat16", "--jit_compile", "--batch_size=4"]
