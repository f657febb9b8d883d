import json
import types

import pytest
from PIL import Image

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation import stage_evaluation
from rgunit_tf.evaluation.judge import classifier_training
from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier
from rgunit_tf.evaluation.metrics import each_image
from rgunit_tf.evaluation.report import summary
from rgunit_tf.evaluation.report.catalogue import CATALOGUE
from rgunit_tf.pretrained import efficientnet
from rgunit_tf.retrieval import Gallery
from rgunit_tf.stages.retrieval import RetrievalModel
from rgunit_tf.stages.translation import TranslationModel


class Run:
    """What `evaluate_workdir` needs of a workdir, with untrained models."""

    def __init__(self, path, dataset, stages):
        self.path, self.stages = path, stages
        self.config = types.SimpleNamespace(data=types.SimpleNamespace(source="celeba"))
        self.translation = TranslationModel(dataset.schema, 16, width=4, residual_blocks=1, mlp_width=8, style_dim=2)
        self.retrieval = RetrievalModel(self.translation, embedding_dim=8, hidden=8, content_channels=4)
        self.dataset = dataset

    def finished_stages(self):
        return self.stages


@pytest.fixture(autouse=True)
def left_by_training(monkeypatch):
    finished = stage_evaluation.finished
    monkeypatch.setattr(finished, "load", lambda run, name: getattr(run, name))
    monkeypatch.setattr(finished, "load_dataset", lambda run: run.dataset)
    monkeypatch.setattr(finished, "load_gallery", lambda run: Gallery.build(run.retrieval, run.dataset.retrieval))


@pytest.fixture(autouse=True)
def short_training(monkeypatch, tmp_path):
    # No network that happens to lie on this machine.
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("RGUNIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(classifier_training.RECIPE, "width", 4)
    monkeypatch.setitem(classifier_training.RECIPE, "steps", 20)
    monkeypatch.setitem(classifier_training.RECIPE, "batch_size", 16)
    monkeypatch.setattr(classifier_training, "ROUNDS", 4)


def test_every_finished_stage_is_measured_and_pictured(drawn, tmp_path):
    run = Run(tmp_path, drawn, ["translation", "retrieval"])
    report = stage_evaluation.evaluate_workdir(run, seed=1)
    written = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert written == json.loads(json.dumps(report))
    assert written["classifier"]["real_test"]["accuracy_mean"] > 0
    assert "accuracy" in written["stages"]["translation"]["metrics"]
    if efficientnet.installed_weights() is not None:
        assert "frechet_efficientnet_distance" in written["stages"]["translation"]["metrics"]
    assert "precision_at_10/average" in written["stages"]["retrieval"]["metrics"]
    for stage, result in written["stages"].items():
        assert result["figures"], stage
        for name in result["figures"]:
            with Image.open(tmp_path / "evaluation/figures" / stage / name) as image:
                assert image.width > 300
    real = written["real"]["metrics"]
    assert real["accuracy"]["value"] == pytest.approx(written["classifier"]["real_test"]["accuracy_mean"])
    floor = written["stages"]["translation"]["metrics"]["floor_frechet_classifier_distance"]["value"]
    assert real["frechet_classifier_distance"]["value"] == pytest.approx(floor)
    text = "\n".join(summary.lines(written))
    assert "real         classifier_score" in text
    assert "frechet_classifier_over_floor" in text and "precision_at_10/average" in text

    of_attributes = {name for name, metric in CATALOGUE.items() if metric.by_attribute}
    for result in written["stages"].values():
        for name in result["metrics"]:
            known = name.removeprefix("floor_").removeprefix("random_images/").removesuffix("_input")
            kind, _, attribute = known.partition("/")
            of_attribute = attribute in drawn.schema.names and (
                kind in of_attributes or kind.startswith("precision_at_")
            )
            assert known in CATALOGUE or of_attribute, name

    again = stage_evaluation.evaluate_workdir(
        Run(tmp_path, drawn, ["translation", "retrieval"]), ["translation"], seed=2, efficientnet="none"
    )
    assert again["stages"]["translation"]["metrics"]["accuracy"]["seed"] == 2
    assert again["stages"]["retrieval"] == written["stages"]["retrieval"], "kept from the earlier evaluation"


def test_counterfactuals_are_pictured_where_they_can_be_drawn(drawn, classifier, truth, tmp_path):
    model = Run(tmp_path, drawn, []).translation
    result = stage_evaluation.evaluate_stage(model, drawn, classifier, truth, figure_folder=tmp_path)
    assert "beside_truth.png" in result["figures"] and (tmp_path / "beside_truth.png").exists()
    assert "counterfactual_l1_ratio" in result["metrics"]


def test_a_damaged_earlier_report_is_left_behind(drawn, tmp_path):
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation/metrics.json").write_text('{"stages": {"guided":')
    report = stage_evaluation.evaluate_workdir(Run(tmp_path, drawn, ["translation"]), efficientnet="none")
    assert list(report["stages"]) == ["translation"] and report["guided_less_translation"] == {}
    key, numbers = each_image.read(tmp_path / "evaluation/each_image/translation.npz")
    above, below = numbers["accuracy"]
    assert key and above.shape == (len(drawn.test), drawn.schema.size)
    recorded = report["stages"]["translation"]["metrics"]["accuracy"]["value"]
    assert (above.sum(0) / below.sum(0)).mean() == pytest.approx(recorded)


@pytest.mark.parametrize(("finished", "asked"), [([], None), (["translation"], ["guided"])])
def test_what_is_not_trained_cannot_be_measured(drawn, tmp_path, finished, asked):
    run = types.SimpleNamespace(path=tmp_path, finished_stages=lambda: finished)
    with pytest.raises(UserError, match=f"no finished {'guided' if asked else 'translation'} stage; run bin/train"):
        stage_evaluation.evaluate_workdir(run, asked)


def test_a_judge_from_elsewhere_is_used_as_it_is(drawn, classifier, tmp_path):
    run = Run(tmp_path, drawn, ["translation"])
    report = stage_evaluation.evaluate_workdir(run, classifier=classifier, efficientnet="none")
    assert not (tmp_path / "evaluation/classifier").exists(), "none is trained"
    assert report["classifier"]["name"] == classifier.name
    assert report["real"]["metrics"]["accuracy"]["value"] == pytest.approx(
        classifier.info["real_test"]["accuracy_mean"]
    )
    assert "classifier_feature_diversity" in report["stages"]["translation"]["metrics"]


def test_a_judge_of_other_attributes_is_refused(drawn, tmp_path):
    other = AttributeClassifier(AttributeSchema(["Hat"]), 16, width=4)
    with pytest.raises(UserError, match="judges Hat; the data has 16 px images of Black_Hair"):
        stage_evaluation.evaluate_workdir(Run(tmp_path, drawn, ["translation"]), classifier=other)


def test_a_network_that_cannot_be_read_stops_before_the_work(drawn, tmp_path):
    with pytest.raises(UserError, match="--inception=nowhere: no such file or folder"):
        stage_evaluation.evaluate_workdir(Run(tmp_path, drawn, ["translation"]), inception="nowhere")
    assert not (tmp_path / "evaluation").exists()
