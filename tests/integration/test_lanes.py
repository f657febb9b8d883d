"""A run that was begun in one lane goes on, is used and is served in the other, where both are installed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import small_exports, small_models

SETTINGS = {
    **small_models.TINY_RUN,
    "data.source": "celeba",
    "translation.steps": 12,
    "translation.batch_size": 4,
    "retrieval.steps": 8,
    "retrieval.batch_size": 4,
    "retrieval.index": "exact",
    "guided.steps": 6,
    "guided.batch_size": 4,
    "guided.neighbors": 2,
    "train.log_every": 3,
    "train.checkpoint_every": 6,
    "train.sample_every": 6,
    "train.tensorboard": False,
}
NEWER = sys.version_info >= (3, 12)
LANE = "import sys; print(sys.version_info >= (3, 12))"


@pytest.fixture(scope="module")
def other(root) -> str:
    """The interpreter of the other lane: of RGUNIT_OTHER_LANE, or of an environment of bin/.bootstrap."""
    named = os.environ.get("RGUNIT_OTHER_LANE")
    for python in [named] if named else sorted(map(str, root.glob(".venv*/bin/python"))):
        if (pathlib.Path(python).parents[1] / ".installing").exists():
            continue
        lane = subprocess.run([python, "-c", LANE], capture_output=True, text=True)
        if lane.stdout.strip() == str(not NEWER):
            return python
    pytest.skip("the other lane is not installed; RGUNIT_PYTHON=python3.11 bin/train installs one")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> pathlib.Path:
    from rgunit_tf.data.avatars import draw_dataset

    return draw_dataset(tmp_path_factory.mktemp("avatars") / "set", 40, seed=0, workers=1)


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    """Runs a command with an interpreter; returns what it said."""
    environment = {**os.environ, "PYTHONPATH": str(root), "RGUNIT_CACHE": str(tmp_path_factory.mktemp("cache"))}
    environment.pop("TF_USE_LEGACY_KERAS", None)

    def run(python: str, command: str, *arguments: str) -> str:
        result = subprocess.run(
            [python, "-m", f"rgunit_tf.cli.{command}", *arguments],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert result.returncode == 0, result.stdout[-3000:]
        return result.stdout

    return run


def tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}


def pictures(folder: pathlib.Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(file), np.int16) for file in sorted(folder.rglob("*.png"))]


@pytest.mark.slow
@pytest.mark.parametrize("begun_here", [True, False], ids=["from this lane", "from the other lane"])
def test_a_run_crosses_lanes(run, other, data, tmp_path, begun_here):
    first, second = (sys.executable, other) if begun_here else (other, sys.executable)
    workdir, kept = tmp_path / "run", tmp_path / "kept"
    arguments = ["--config=celeba", "--noreport", f"--config.data.root={data}", f"--workdir={workdir}"]
    arguments += [f"--config.{name}={value}" for name, value in SETTINGS.items()]
    run(first, "train", *arguments, "--stage=translation")
    # What is left is a run that was killed between its last checkpoint and its end.
    (workdir / "translation/final").rename(kept)
    said = run(second, "train", *arguments, "--stage=guided")
    assert "resuming from" in said and "was begun with TensorFlow" in said
    before, after = tensors(kept / "weights"), tensors(workdir / "translation/final/weights")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    # Model, gallery and export of the second lane are read by both.
    photo = next((data / "img_align_celeba").iterdir())
    export = next((workdir / "guided/export").iterdir())
    seen = []
    for number, python in enumerate((first, second)):
        for kind, model in (("run", workdir), ("export", export)):
            output = tmp_path / f"{kind}{number}"
            run(python, "translate", f"--model={model}", f"--input={photo}", "--to=Male", f"--output={output}")
            seen.append(pictures(output))
    for others in seen[1:]:
        for one, another in zip(seen[0], others, strict=True):
            assert np.abs(one - another).max() <= 1
    server = small_exports.Server("cc", {"guided": export})
    try:
        pixels = np.zeros((1, 16, 16, 3), np.uint8)
        answer = server.ask("guided", "translate", images=pixels, attributes=np.zeros((1, 5), np.float32))
    finally:
        server.close()
    assert answer["images"].shape == (1, 16, 16, 3)
