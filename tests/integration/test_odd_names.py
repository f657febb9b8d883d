"""Pictures whose names are no UTF-8, through every command that reads or tells names."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.integration.test_train import SETTINGS

pytestmark = pytest.mark.slow
ODD = b"\xe9t\xe9 "
SHORT = {
    "data.source": "folder",
    "translation.steps": 4,
    "retrieval.steps": 4,
    "guided.steps": 4,
    "data.test_images": 8,
}
EVALUATE = """
import sys
from rgunit_tf.evaluation.judge import classifier_training
classifier_training.RECIPE.update(width=4, steps=10, batch_size=16)
from rgunit_tf.cli import evaluate
sys.argv[0] = "evaluate"
evaluate.run()
"""


@pytest.fixture(scope="module")
def environment(root, tmp_path_factory):
    """No network that happens to lie on this machine, and a cache of its own."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return {
        **os.environ,
        "PYTHONPATH": str(root),
        "RGUNIT_CACHE": cache,
        "KERAS_HOME": cache,
        "TORCH_HOME": cache,
        "PYTHONUTF8": "1",
    }


@pytest.fixture(scope="module")
def command(root, environment):
    def command(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, errors="surrogateescape"
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return command


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
def workdir(command, photos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "run"
    settings = [f"--config.{name}={value}" for name, value in {**SETTINGS, **SHORT}.items()]
    where = [f"--config.data.root={photos}", f"--workdir={workdir}", "--stage=guided", "--noreport"]
    command("-m", "rgunit_tf.cli.train", "--config=cat_dog", *where, *settings)
    return workdir


def test_evaluate(command, workdir):
    command("-c", EVALUATE, f"--workdir={workdir}")
    stages = json.loads((workdir / "evaluation/metrics.json").read_text())["stages"]
    assert set(stages) == {"translation", "retrieval", "guided"}
    assert all(stage["figures"] for stage in stages.values())


def test_translate(command, workdir, photos, tmp_path):
    picture = os.path.join(photos, "red", os.fsdecode(ODD + b"1.png"))
    output = tmp_path / os.fsdecode(ODD)
    arguments = [f"--model={workdir}", f"--input={picture}", "--to=blue", f"--output={output}", "--show_neighbors"]
    out = command("-m", "rgunit_tf.cli.translate", *arguments)
    assert (output / os.path.basename(picture)).exists() and str(output) in out
    assert "0 pictures" not in out
    # It knows what it has done.
    assert "1 were done before" in command("-m", "rgunit_tf.cli.translate", *arguments)


def test_retrieve(command, workdir, photos, tmp_path):
    picture = os.path.join(photos, "red", os.fsdecode(ODD + b"1.png"))
    asked = [f"--input={picture}", "--to=blue", "--top=3"]
    exported = command("-m", "rgunit_tf.cli.export", f"--workdir={workdir}", "--stage=retrieval").strip()
    for name, model in (("run", workdir), ("export", exported)):
        output = tmp_path / f"{name}.png"
        command("-m", "rgunit_tf.cli.retrieve", f"--model={model}", *asked, f"--output={output}")
        (result,) = json.loads(output.with_suffix(".json").read_text())["results"]
        assert result["input"] == os.path.basename(picture)
        for entry in result["found"]:
            # The id leads to the file.
            assert os.path.exists(os.path.join(photos, entry["id"])), entry
