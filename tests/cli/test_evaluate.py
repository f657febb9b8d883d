import errno
import json
import os

import pytest

from rgunit_tf.cli import evaluate, launcher


def test_a_workdir_without_finished_stage_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={tmp_path}"]) == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1 and "no finished translation stage" in message[0] and "bin/train" in message[0]


@pytest.fixture
def run(tmp_path):
    """A workdir with a finished stage."""
    (tmp_path / "guided/final").mkdir(parents=True)
    (tmp_path / "guided/final/stage.json").write_text("{}")
    return tmp_path


def test_a_folder_that_is_not_there_is_not_made(tmp_path, capsys):
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={tmp_path / 'mistyped'}"]) == 2
    assert "no finished translation stage" in capsys.readouterr().err
    assert not (tmp_path / "mistyped").exists()


def test_two_at_once_are_refused_before_the_work(run, capsys, monkeypatch):
    from rgunit_tf.evaluation import stage_evaluation
    from rgunit_tf.runs.workdir import Workdir

    monkeypatch.setattr(stage_evaluation, "evaluate_workdir", lambda *a, **k: pytest.fail("evaluated"))
    with Workdir(run).lock():
        assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={run}"]) == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1 and f"{run} is in use by another run" in message[0]


@pytest.mark.parametrize("place", ["metrics", "report"])
def test_a_full_disk_is_one_line(run, capsys, monkeypatch, place):
    from rgunit_tf.evaluation import stage_evaluation
    from rgunit_tf.evaluation.report import writing as report

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run / "evaluation/metrics.json"))

    monkeypatch.setattr(stage_evaluation, "evaluate_workdir", full if place == "metrics" else lambda *a, **k: {})
    monkeypatch.setattr(report, "write_report", full)
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={run}"]) == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1 and f"{run}: No space left on device; free space there" in message[0]


def test_the_main_figures_are_printed(run, capsys, monkeypatch):
    from rgunit_tf.evaluation import stage_evaluation
    from rgunit_tf.evaluation.report import writing as report

    asked = {}
    monkeypatch.setattr(report, "write_report", lambda workdir: workdir.path / "evaluation/report.html")

    def evaluate_workdir(workdir, stages, seed, **networks):
        asked.update(path=workdir.path, stages=stages, seed=seed, networks=networks)
        accuracy = {"value": 0.9123, "interval": [0.9, 0.95], "images": 12}
        return {
            "classifier": {"name": "judge", "real_test": {"accuracy_mean": 0.99}},
            "stages": {"guided": {"metrics": {"accuracy": accuracy}}},
        }

    monkeypatch.setattr(stage_evaluation, "evaluate_workdir", evaluate_workdir)
    arguments = [
        "evaluate",
        f"--workdir={run}",
        "--stage=guided",
        "--seed=4",
        "--classifier=resnet50",
        "--inception=none",
        "--efficientnet=given.pth",
        "--judges=given.npz",
    ]
    assert launcher.call(evaluate.main, evaluate.FLAGS, arguments) == 0
    networks = {
        "architecture": "resnet50",
        "inception": "none",
        "efficientnet": "given.pth",
        "judge_weights": "given.npz",
        "lpips_weights": "auto",
        "lpips_backbone": "auto",
    }
    assert asked == {"path": run, "stages": ["guided"], "seed": 4, "networks": networks}
    output = capsys.readouterr().out
    assert "0.912 [0.900, 0.950]" in output and "metrics.json" in output and "report.html" in output
    assert json.dumps(str(run))[1:-1] in output
