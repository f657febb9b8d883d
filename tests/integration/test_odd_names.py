"""Pictures whose names are no UTF-8, through every command that reads or tells names."""

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.cli import launcher
from tests.integration.conftest import SETTINGS

pytestmark = pytest.mark.slow
ODD = b"\xe9t\xe9 "
SHORT = {
    "data.source": "folder",
    "translation.steps": 2,
    "retrieval.steps": 2,
    "guided.steps": 2,
    "data.test_images": 8,
}


@pytest.fixture(scope="module", autouse=True)
def environment(root, tmp_path_factory):
    """No network that happens to lie on this machine, and a cache of its own."""
    from rgunit_tf.evaluation.judge import classifier_training
    from rgunit_tf.runs import training

    cache = str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RGUNIT_CACHE", "KERAS_HOME", "TORCH_HOME"):
            patch.setenv(name, cache)
        for name, value in {"width": 4, "steps": 10, "batch_size": 16}.items():
            patch.setitem(classifier_training.RECIPE, name, value)
        patch.setattr(classifier_training, "ROUNDS", 2)
        # It would hold for the tests that follow as well.
        patch.setattr(training, "configure", lambda config: None)
        yield


def command(name, *arguments):
    """Stdout of a command in this process, of bytes as `launcher.run` sets it up."""
    module = importlib.import_module(f"rgunit_tf.cli.{name}")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = launcher.call(module.main, module.FLAGS, [name, *arguments])
    for stream in (out, err):
        stream.seek(0)
    assert code == 0, err.read()[-3000:]
    return out.read()


def process(root, name, *arguments):
    """As `command`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", f"rgunit_tf.cli.{name}", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"},
        capture_output=True,
        errors="surrogateescape",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = os.fsencode(tmp_path_factory.mktemp("photos"))
    random = np.random.default_rng(0)
    for domain, channel in ((b"red", 0), (b"blue", 2)):
        os.makedirs(os.path.join(folder, domain))
        for number in range(20):
            pixels = random.integers(0, 128, (16, 16, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(os.path.join(folder, domain, ODD + b"%d.png" % number))
    return os.fsdecode(folder)


@pytest.fixture(scope="module")
def workdir(environment, photos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "run"
    settings = [f"--config.{name}={value}" for name, value in {**SETTINGS, **SHORT}.items()]
    where = [f"--config.data.root={photos}", f"--workdir={workdir}", "--stage=guided", "--noreport"]
    command("train", "--config=cat_dog", *where, *settings)
    return workdir


def test_evaluate(workdir):
    command("evaluate", f"--workdir={workdir}", "--efficientnet=none")
    stages = json.loads((workdir / "evaluation/metrics.json").read_text())["stages"]
    assert set(stages) == {"translation", "retrieval", "guided"}
    assert all(stage["figures"] for stage in stages.values())


def test_translate(root, workdir, photos, tmp_path):
    picture = os.path.join(photos, "red", os.fsdecode(ODD + b"1.png"))
    output = tmp_path / os.fsdecode(ODD)
    arguments = [f"--model={workdir}", f"--input={picture}", "--to=blue", f"--output={output}", "--show_neighbors"]
    out = process(root, "translate", *arguments)
    assert (output / os.path.basename(picture)).exists() and str(output) in out
    assert "0 pictures" not in out
    # It knows what it has done.
    assert "1 was done before" in process(root, "translate", *arguments)


def test_retrieve(workdir, photos, tmp_path):
    picture = os.path.join(photos, "red", os.fsdecode(ODD + b"1.png"))
    asked = [f"--input={picture}", "--to=blue", "--top=3"]
    exported = command("export", f"--workdir={workdir}", "--stage=retrieval").strip()
    for name, model in (("run", workdir), ("export", exported)):
        output = tmp_path / f"{name}.png"
        command("retrieve", f"--model={model}", *asked, f"--output={output}")
        (result,) = json.loads(output.with_suffix(".json").read_text())["results"]
        assert result["input"] == os.path.basename(picture)
        for entry in result["found"]:
            # The id leads to the file.
            assert os.path.exists(os.path.join(photos, entry["id"])), entry
