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
        "dataset": None,
    }
    assert asked == {"path": run, "stages": ["guided"], "seed": 4, "networks": networks}
    output = capsys.readouterr().out
    assert "0.912 [0.900, 0.950]" in output and "metrics.json" in output and "report.html" in output
    assert json.dumps(str(run))[1:-1] in output


@pytest.mark.parametrize("arguments", [[], ["--workdir=runs/a", "--compare=runs/a,runs/b"]])
def test_one_of_workdir_and_compare_is_given(capsys, arguments):
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", *arguments]) == 2
    assert "give either --workdir" in capsys.readouterr().err


def test_a_run_that_was_not_evaluated_cannot_be_compared(run, tmp_path, capsys):
    other = tmp_path / "other"
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--compare={run},{other}"]) == 2
    assert f"{run} was not evaluated; run bin/evaluate --workdir={run} first" in capsys.readouterr().err


def test_data_that_have_moved(tmp_path, capsys, monkeypatch):
    """One line says so; where the fingerprint agrees their new place is the run's from then on."""
    import numpy as np
    from PIL import Image

    from rgunit_tf import config as settings
    from rgunit_tf import data
    from rgunit_tf.evaluation import stage_evaluation
    from rgunit_tf.evaluation.report import summary, writing
    from rgunit_tf.runs.workdir import Workdir

    random = np.random.default_rng(0)
    for domain in ("cat", "dog"):
        for number in range(12):
            path = tmp_path / "before" / domain / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    config = settings.default_config()
    config.data.update({"source": "folder", "root": str(tmp_path / "before"), "image_size": 16, "test_images": 4})
    run = Workdir(tmp_path / "run")
    run.claim(config, data.from_config(config.data).fingerprint)
    (run.path / "translation/final").mkdir(parents=True)
    (run.path / "translation/final/stage.json").write_text("{}")
    (tmp_path / "before").rename(tmp_path / "after")

    monkeypatch.setattr(stage_evaluation.judge_networks, "load", lambda *a: pytest.fail("went on"))
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={run.path}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"its data are not at {tmp_path / 'before'} any more" in line and "--root=" in line

    monkeypatch.setattr(stage_evaluation, "evaluate_workdir", lambda *a, **k: {"images": len(k["dataset"].test)})
    monkeypatch.setattr(writing, "write_report", lambda workdir: "report.html")
    monkeypatch.setattr(summary, "lines", lambda report: [str(report)])
    moved = ["evaluate", f"--workdir={run.path}", f"--root={tmp_path / 'after'}"]
    assert launcher.call(evaluate.main, evaluate.FLAGS, moved) == 0
    assert run.config.data.root == str(tmp_path / "after")

    (tmp_path / "after/cat/0.png").unlink()
    assert launcher.call(evaluate.main, evaluate.FLAGS, moved) == 2
