import json

import numpy as np
import pytest

from rgunit_tf.evaluation.metrics import accuracy
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork
from rgunit_tf.evaluation.real_images import RealFeatures, evaluate_real
from rgunit_tf.evaluation.translation import evaluate_translation


def test_real_images_are_judged_like_translations(drawn, classifier, fake_model):
    real = RealFeatures.of(drawn, classifier)
    pixels = PerceptualNetwork("lpips", "pixels instead of a network", lambda images: [images])
    result = evaluate_real(drawn, classifier, real, seed=2, perceptual=[pixels])
    json.dumps(result, allow_nan=False)
    metrics = result["metrics"]
    decided = classifier.decide(classifier(drawn.test.images())[0])
    expected = accuracy.summary(decided, drawn.test.labels, drawn.schema.names)
    assert metrics["accuracy"]["value"] == pytest.approx(expected["accuracy_mean"])
    assert metrics["f1"]["value"] == pytest.approx(expected["f1_mean"])
    assert metrics["f1/Male"]["value"] == pytest.approx(expected["f1"]["Male"])
    translated = evaluate_translation(fake_model("copy"), drawn, classifier, seed=2, real=real)
    floor = translated["floor_frechet_classifier_distance"]["value"]
    assert metrics["frechet_classifier_distance"]["value"] == pytest.approx(floor)
    # A copy of the input is the real image to every judge that asks for no target.
    assert metrics["classifier_score"]["value"] == pytest.approx(translated["classifier_score"]["value"], rel=0.02)
    assert "changed_accuracy" not in metrics and "classifier_feature_diversity" not in metrics
    assert {"classifier_feature_pair_distance", "lpips_pair_distance"} <= set(metrics)
    for name, record in metrics.items():
        assert record["interval"] is not None and record["seed"] == 2 and record["computed_with"], name


def test_scores_are_kept_with_the_features(drawn, classifier):
    real = RealFeatures.of(drawn, classifier)
    scores, features = classifier(drawn.test.images())
    np.testing.assert_allclose(real.test_scores, scores, atol=1e-5)
    np.testing.assert_allclose(real.test, features, rtol=1e-4, atol=1e-5)
