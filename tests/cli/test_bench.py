"""bin/bench as scripts read it: one JSON object a line, under names that stay."""

import functools
import json
import subprocess
import sys
import types

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(root):
    def bench(*arguments):
        command = [sys.executable, "-m", "rgunit_tf.cli.bench", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True)

    return bench


@pytest.fixture
def call(monkeypatch, capsys):
    """As `bench`, in this process and with a small matrix product."""
    from rgunit_tf.benchmarks import train_step
    from rgunit_tf.cli import bench, launcher

    monkeypatch.setattr(train_step, "matmul_peak", functools.partial(train_step.matmul_peak, side=256))

    def call(*arguments):
        capsys.readouterr()
        code = launcher.call(bench.main, bench.FLAGS, ["bench", *arguments], positional=True)
        out, err = capsys.readouterr()
        return types.SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return call


def records(result):
    assert result.returncode == 0, result.stderr[-3000:]
    return {record["name"]: record for record in map(json.loads, result.stdout.splitlines())}


def test_train_step(call):
    found = records(call("train_step", "--image_size=16", "--width=4", "--batch_size=2", "--repeats=2"))
    assert found["matmul_peak"]["unit"] == "GFLOP/s"
    assert found["train_step_s_per_image"]["unit"] == "s"
    product = found["train_step_s_per_image"]["value"] * found["matmul_peak"]["value"]
    assert found["train_step_s_per_image_x_peak"]["value"] == pytest.approx(product)
    assert found["train_step_s_per_image_x_peak"]["unit"] == "GFLOP/image"
    assert found["train_step_useful_gflop_per_image"]["unit"] == "GFLOP"
    assert found["train_step_useful_gflop_per_image"]["operations_not_counted"] == 0
    assert found["train_step_useful_gflop_per_image"]["value"] > found["train_step_computed_gflop_per_image"]["value"]


@pytest.mark.soak
def test_penalty_step(bench):
    found = records(bench("penalty_step", "--image_size=16", "--width=4", "--batch_size=2", "--repeats=2"))
    ratio = found["penalty_step_s_per_image"]["value"] / found["train_step_s_per_image"]["value"]
    assert found["penalty_step_over_train_step"]["value"] == pytest.approx(ratio)


@pytest.mark.soak
def test_guided_step(bench):
    size = ("--image_size=16", "--width=4", "--batch_size=2", "--gallery_size=30")
    found = records(bench("guided_step", *size, "--repeats=2", "--precision=mixed_bfloat16"))
    assert found["matmul_peak"]["settings"]["precision"] == "mixed_bfloat16"
    for kind in ("cached", "uncached"):
        ratio = found[f"guided_step_s_per_image_{kind}"]["value"] / found["train_step_s_per_image"]["value"]
        assert found[f"guided_step_over_train_step_{kind}"]["value"] == pytest.approx(ratio)


@pytest.mark.soak
def test_steps(bench):
    size = ("--image_size=16", "--width=4", "--batch_size=2", "--gallery_size=30", "--repeats=2", "--seconds=1800")
    result = bench("steps", *size)
    assert result.returncode == 0, result.stderr[-3000:]
    found = list(map(json.loads, result.stdout.splitlines()))
    assert [record for record in found if record["value"] is None] == []
    measured = [record["settings"] for record in found if record["name"] == "train_step_s_per_image"]
    assert len(measured) == 8
    assert {settings["batch_size"] for settings in measured} == {2, 8}


@pytest.mark.soak
def test_input(bench, tmp_path):
    options = ("--image_size=16", "--batch_size=4", "--repeats=2", f"--profile={tmp_path}")
    found = records(bench("input", *options))
    ratio = found["pipeline_images_per_s"]["value"] / found["decode_jpeg_images_per_s"]["value"]
    assert found["pipeline_over_decode_jpeg"]["value"] == pytest.approx(ratio)
    assert 0 < found["input_wait_share"]["value"] < 1
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_a_mistake_is_one_line(bench, call):
    for arguments, words in (
        ((), "name one of train_step"),
        (("speed",), "'speed'; name one of train_step"),
        (("train_step", "--image_size=18"), "--image_size=18: must be a multiple of 4"),
        (("train_step", "--repeats=0"), "--repeats=0"),
        (("serving", "--jit_compile"), "--jit_compile is for train_step"),
    ):
        # Without arguments as users run it.
        result = call(*arguments) if arguments else bench()
        assert result.returncode == 2, arguments
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
