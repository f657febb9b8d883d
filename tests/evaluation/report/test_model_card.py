"""MODEL_CARD.md of runs and exports."""

import json

import pytest

from rgunit_tf import default_config
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.report import model_card
from rgunit_tf.runs.workdir import Workdir


def record(value, **more):
    return {"value": value, "interval": [value - 0.01, value + 0.01], "images": 1200, **more}


@pytest.fixture
def run(tmp_path):
    config = default_config()
    config.data.source, config.data.root = "celeba", "/some/where/portraits"
    workdir = Workdir(tmp_path / "first_run")
    workdir.claim(config, "0123fingerprint")
    for stage, steps in (("translation", 6000), ("guided", 900)):
        final = workdir.stage(stage) / "final"
        final.mkdir(parents=True)
        (final / "stage.json").write_text(json.dumps({"steps": steps}))
        for version in (9, 10):
            (workdir.stage(stage) / "export" / str(version)).mkdir(parents=True)
    return workdir


def measure(run):
    metrics = {
        "data": {"attributes": ["Male", "Smiling"], "image_size": 64, "train_images": 7782, "test_images": 1111},
        "stages": {
            "translation": {"metrics": {"accuracy": record(0.9), "floor_accuracy": record(0.99)}},
            "guided": {
                "metrics": {
                    "accuracy": record(0.95),
                    "changed_accuracy/Male": record(0.55),
                    "changed_accuracy/Smiling": record(0.8),
                    "frechet_efficientnet_distance": record(26.0, seen_in_training=True),
                }
            },
        },
    }
    (run.path / "evaluation").mkdir()
    (run.path / "evaluation/metrics.json").write_text(json.dumps(metrics))


def test_it_says_what_the_model_is_and_how_well_it_does(run):
    measure(run)
    text = model_card.write(run).read_text()
    for said in (
        "# first_run\n",
        "finished stages: translation, guided",
        "CelebA's layout, `portraits`; fingerprint 0123fingerprint",
        "7,782 train, 1,111 test",
        "Attributes: Male, Smiling",
        "64 x 64 px",
        "- translation: 6000 steps of ",
        "- guided: 900 steps of ",
        "tensorflow 2.",
        "| `accuracy` | 0.9 [0.89, 0.91] | 0.95 [0.94, 0.96] |",
        "26 [26, 26] (no judgement: training saw this network)",
        "Often not changed as asked (share that was): Male (55%).",
    ):
        assert said in text, said
    assert "/some/where" not in text and "floor_" not in text and "Licence" not in text and "{" not in text


def test_each_run_and_the_newest_export_of_each_stage_have_one(run):
    model_card.write(run)
    cards = sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob(model_card.FILE))
    assert cards == ["MODEL_CARD.md", "guided/export/10/MODEL_CARD.md", "translation/export/10/MODEL_CARD.md"]


def test_what_is_not_known_yet_is_said(tmp_path):
    workdir = Workdir(tmp_path / "run")
    workdir.claim(default_config())
    text = model_card.card(workdir)
    assert "finished stages: none" in text and "not counted yet" in text and "`bin/evaluate` measures" in text
    assert "- Licence: The drawings are made by python-avatars, which is under the MIT licence." in text
    with pytest.raises(UserError, match=r"config\.json is missing"):
        model_card.write(Workdir(tmp_path / "nowhere"))
