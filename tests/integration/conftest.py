"""A tiny run of all three stages that the tests of this folder share: one process runs them all."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests import small_models

SETTINGS = {
    **small_models.TINY_RUN,
    "data.source": "celeba",
    "model.discriminator_scales": 1,
    "translation.steps": 63,
    "translation.batch_size": 4,
    "retrieval.steps": 150,
    "retrieval.batch_size": 4,
    "retrieval.index": "exact",
    "guided.steps": 60,
    "guided.batch_size": 4,
    "guided.neighbors": 2,
    "loss.mask_warmup": 10,
    "train.log_every": 5,
    "train.checkpoint_every": 10,
    "train.sample_every": 30,
    "train.deterministic": True,
    "train.tensorboard": False,
}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Forty drawn faces in CelebA's layout."""
    from rgunit_tf.data.avatars import draw_dataset

    return draw_dataset(tmp_path_factory.mktemp("avatars") / "set", 40, seed=0, workers=1)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """What the runs on the drawn faces keep between them, as RGUNIT_CACHE names it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def arguments(drawn):
    """What follows `bin/train`, but the workdir."""
    return [
        "--config=celeba",
        "--noreport",
        f"--config.data.root={drawn}",
        *(f"--config.{k}={v}" for k, v in SETTINGS.items()),
    ]


@pytest.fixture(scope="session")
def start(root, arguments, prepared):
    """Starts bin/train on a workdir; its output is a file, since a full pipe would stop it."""

    def start(workdir: pathlib.Path, *more: str) -> subprocess.Popen:
        workdir.mkdir(parents=True, exist_ok=True)
        log = open(workdir / "log.txt", "ab")  # noqa: SIM115
        command = [sys.executable, "-m", "rgunit_tf.cli.train", *arguments, f"--workdir={workdir}", *more]
        environment = {**os.environ, "RGUNIT_CACHE": str(prepared)}
        return subprocess.Popen(command, cwd=root, stdout=log, stderr=log, env=environment)

    return start


@pytest.fixture(scope="session")
def finished(start, tmp_path_factory):
    """The workdir of a run that nothing disturbed."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    assert start(workdir, "--stage=guided").wait() == 0, (workdir / "log.txt").read_text()[-3000:]
    return workdir


def weights(workdir, stage):
    """Arrays of a finished stage by their names."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(workdir / stage / "final/weights"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}
