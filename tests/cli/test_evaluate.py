import json

from rgunit_tf.cli import evaluate, launcher


def test_a_workdir_without_finished_stage_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert launcher.call(evaluate.main, evaluate.FLAGS, ["evaluate", f"--workdir={tmp_path}"]) == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1 and "no finished translation stage" in message[0] and "bin/train" in message[0]


def test_the_main_figures_are_printed(tmp_path, capsys, monkeypatch):
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
        f"--workdir={tmp_path}",
        "--stage=guided",
        "--seed=4",
        "--classifier=resnet50",
        "--inception=none",
        "--efficientnet=given.pth",
    ]
    assert launcher.call(evaluate.main, evaluate.FLAGS, arguments) == 0
    networks = {
        "architecture": "resnet50",
        "inception": "none",
        "efficientnet": "given.pth",
        "lpips_weights": "auto",
        "lpips_backbone": "auto",
    }
    assert asked == {"path": tmp_path, "stages": ["guided"], "seed": 4, "networks": networks}
    output = capsys.readouterr().out
    assert "0.912 [0.900, 0.950]" in output and "metrics.json" in output and "report.html" in output
    assert json.dumps(str(tmp_path))[1:-1] in output
