"""bin/train before any training: what is wrong is said in one line, with exit code 2."""

import json
import subprocess
import sys

import pytest

from rgunit_tf import config as settings
from rgunit_tf.cli import configs
from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError
from rgunit_tf.runs.workdir import Workdir


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs the command in this process; returns its exit code and what it wrote to stderr."""
    from rgunit_tf.cli import launcher, train

    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = launcher.call(train.main, train.FLAGS, ["train", "--verbosity=-2", *arguments])
        return code, capsys.readouterr().err

    return call


def test_help_names_the_flags(root):
    result = subprocess.run(
        [sys.executable, "-m", "rgunit_tf.cli.train", "--help"], cwd=root, capture_output=True, text=True
    )
    assert result.returncode == 0
    assert "--stage" in result.stdout and "--workdir" in result.stdout


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
    Workdir(tmp_path).claim(settings.default_config(), "data")
    code, error = call(f"--workdir={tmp_path}", "--config=celeba", "--config.data.root=/nowhere", "--config.loss.kl=3")
    assert code == 2 and error.count("\n") == 1, error
    assert "data.source: avatars != celeba" in error and "loss.kl: 0.1 != 3.0" in error


def test_a_failed_first_command_does_not_own_the_workdir(call, tmp_path):
    run = tmp_path / "run"
    for root in ("", "/nowhere"):
        code, error = call(f"--workdir={run}", "--config=celeba", f"--config.data.root={root}")
        assert code == 2 and "data.root" in error
    (tmp_path / "empty").mkdir()
    code, error = call(f"--workdir={run}", "--config=celeba", f"--config.data.root={tmp_path / 'empty'}")
    assert code == 2 and "another config" not in error and str(tmp_path / "empty") in error
    assert not (run / "config.json").exists()


def test_what_is_wrong_with_the_root_is_said_before_tensorflow_is_there(root, tmp_path):
    code = (
        "import sys\nfrom rgunit_tf.cli import launcher, train\n"
        "code = launcher.call(train.main, train.FLAGS, sys.argv)\nassert code == 2 and 'tensorflow' not in sys.modules"
    )
    arguments = ["--config=celeba", "--config.data.root=/nowhere/at/all", f"--workdir={tmp_path / 'run'}"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("\n") == 1 and "--config.data.root=/nowhere/at/all: no such folder" in result.stderr


@pytest.mark.parametrize("origin", ["/nowhere", "."])
def test_a_run_that_cannot_be_started_from(call, tmp_path, origin):
    code, error = call(f"--workdir={tmp_path / 'run'}", f"--init_from={origin}", "--config=avatars")
    assert code == 2 and "no run with a finished translation stage" in error


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


class TestReport:
    """What bin/train does once every stage is there."""

    @pytest.fixture
    def finished(self, tmp_path):
        workdir = Workdir(tmp_path / "run")
        workdir.claim(configs.load(str(configs.find("avatars"))))
        for stage in STAGES:
            (workdir.path / stage / "final").mkdir(parents=True)
            (workdir.path / stage / "final/stage.json").write_text('{"steps": 1000000}')
            (workdir.path / stage / "final/weights.index").write_text("")
            (workdir.path / stage / "export/1/assets.extra").mkdir(parents=True)
            (workdir.path / stage / "export/1/assets.extra/rgunit.json").write_text("{}")
        return workdir

    @pytest.fixture
    def measured(self, monkeypatch):
        """Counts the evaluations, which only note that they took place."""
        from rgunit_tf.evaluation import stage_evaluation

        calls = []

        def evaluate_workdir(workdir):
            calls.append(workdir.finished_stages())
            stages = {stage: {"metrics": {}, "figures": []} for stage in workdir.finished_stages()}
            (workdir.path / "evaluation").mkdir(exist_ok=True)
            (workdir.path / "evaluation/metrics.json").write_text(json.dumps({"stages": stages}))

        monkeypatch.setattr(stage_evaluation, "evaluate_workdir", evaluate_workdir)
        return calls

    def test_the_stages_are_measured_once_and_the_report_is_written(self, call, finished, measured):
        for _ in range(2):
            assert call(f"--workdir={finished.path}", "--config=avatars") == (0, "")
        assert measured == [list(STAGES)]
        assert "translation report" in (finished.path / "evaluation/report.html").read_text()
        (finished.path / "guided/final/stage.json").write_text('{"steps": 1000001}')
        assert call(f"--workdir={finished.path}", "--config=avatars") == (0, "")
        assert len(measured) == 2, "another training, another report"

    def test_it_can_be_left_out(self, call, finished, measured):
        assert call(f"--workdir={finished.path}", "--config=avatars", "--report=False") == (0, "")
        assert not measured and not (finished.path / "evaluation").exists()

    @pytest.mark.parametrize("error", [UserError("no test images"), MemoryError("large"), OSError("disk full")])
    def test_a_failure_is_told_and_the_training_is_none(self, call, finished, monkeypatch, caplog, error):
        from rgunit_tf.evaluation import stage_evaluation

        def fail(workdir):
            raise error

        monkeypatch.setattr(stage_evaluation, "evaluate_workdir", fail)
        before = {path: path.read_bytes() for path in finished.path.glob("*/*/*") if path.is_file()}
        code, _ = call(f"--workdir={finished.path}", "--config=avatars")
        assert code == 0
        assert {path: path.read_bytes() for path in finished.path.glob("*/*/*") if path.is_file()} == before
        (told,) = (entry.getMessage() for entry in caplog.records if "no report" in entry.getMessage())
        assert str(error) in told and f"bin/evaluate --workdir={finished.path}" in told
