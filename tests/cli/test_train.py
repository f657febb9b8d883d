"""bin/train before any training: what is wrong is said in one line, with exit code 2."""

import subprocess
import sys
import time

import pytest

from rgunit_tf import config as settings
from rgunit_tf.workdir import Workdir


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs the command in this process; returns its exit code and what it wrote to stderr."""
    from rgunit_tf.cli import launcher, train

    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = launcher.call(train.main, ["train", "--verbosity=-2", *arguments])
        return code, capsys.readouterr().err

    return call


def test_help_takes_less_than_two_seconds(root):
    times = []
    for _ in range(3):
        started = time.process_time(), time.monotonic()
        result = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "rgunit_tf.cli.train", "--help"],
            cwd=root,
            capture_output=True,
            text=True,
        )
        times.append(time.monotonic() - started[1])
        if times[-1] < 2.0:
            break
    assert result.returncode == 0
    assert "tensorflow" not in result.stderr
    assert "--stage" in result.stdout and "--workdir" in result.stdout
    assert min(times) < 2.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.data.image_size=30"], "config.data.image_size=30 must be a multiple of 4"),
        (["--config.model.widht=3"], "did you mean --config.model.width?"),
        (["--config.guided.neighbors=three"], "must be a whole number"),
        (["--config.guided.neighbors=-1"], "must be at least 0"),
        (["--config.retrieval.negatives=easy,hrad"], "config.retrieval.negatives"),
        (["--config.data.attributes=Blonde_Hair,Male"], "unknown attribute"),
        (["--config=celeba", "--config.data.root=/nowhere/at/all"], "/nowhere/at/all"),
        (["--config=celeba"], "data.root is empty"),
        (["--stage=translations"], "--stage=translations"),
    ],
)
def test_mistakes_are_one_line_and_code_2(call, tmp_path, arguments, message):
    code, error = call(f"--workdir={tmp_path / 'run'}", *arguments)
    assert code == 2 and error.count("\n") == 1, error
    assert error.startswith("train: ") and message in error


def test_another_config_is_refused_before_anything_is_read(call, tmp_path):
    Workdir(tmp_path).claim(settings.default_config())
    code, error = call(f"--workdir={tmp_path}", "--config=celeba", "--config.data.root=/nowhere", "--config.loss.kl=3")
    assert code == 2 and error.count("\n") == 1, error
    assert "data.source: avatars != celeba" in error and "loss.kl: 0.1 != 3.0" in error


def test_a_workdir_in_use_is_refused(call, tmp_path):
    workdir = Workdir(tmp_path)
    with workdir.lock():
        code, error = call(f"--workdir={tmp_path}", "--config=celeba", "--config.data.root=/nowhere")
    assert code == 2 and "in use by another run" in error
    assert not (tmp_path / "config.json").exists()


def test_a_workdir_that_is_a_file(call, tmp_path):
    (tmp_path / "file").write_text("kept")
    code, error = call(f"--workdir={tmp_path / 'file'}", "--config=celeba", "--config.data.root=/nowhere")
    assert code == 2 and error.count("\n") == 1 and "is a file" in error
    assert (tmp_path / "file").read_text() == "kept"
