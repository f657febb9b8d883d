import json
import weakref

import numpy as np
import pytest

from rgunit_tf.evaluation.judge import reference_images
from rgunit_tf.evaluation.real_images import RealFeatures
from rgunit_tf.evaluation.translation import evaluate_translation


def headline(records, classifier):
    """The figures that must hold at once, as plain numbers."""
    return {
        "accuracy": {name: records[f"accuracy/{name}"]["value"] for name in classifier.schema.names},
        "accuracy_mean": records["accuracy"]["value"],
        "changed_accuracy_mean": records["changed_accuracy"]["value"],
        "counterfactual_ratio": records.get("counterfactual_l1_ratio", {}).get("value"),
        "frechet": records["frechet_classifier_distance"]["value"],
        "floor": records["floor_frechet_classifier_distance"]["value"],
        "mask": records["mask"]["value"],
        "change": records["change"]["value"],
        "kept_accuracy_mean": records["kept_accuracy"]["value"],
        "color_shift": records["color_shift"]["value"],
        "change_inside_mask": records["change_inside_mask"]["value"],
    }


@pytest.fixture(scope="module")
def verdicts(fake_model, drawn, classifier, truth):
    return {
        manner: headline(evaluate_translation(fake_model(manner), drawn, classifier, truth), classifier)
        for manner in ("perfect", "copy", "noise")
    }


def test_a_perfect_model_is_accurate_true_and_near_real_images(verdicts):
    perfect = verdicts["perfect"]
    assert perfect["accuracy_mean"] >= 0.97 and perfect["changed_accuracy_mean"] >= 0.95
    assert perfect["counterfactual_ratio"] == pytest.approx(0.0, abs=1e-6) and perfect["kept_accuracy_mean"] >= 0.95
    assert perfect["change_inside_mask"] == pytest.approx(1.0), "the mask is 1 everywhere"
    assert perfect["frechet"] < 3 * perfect["floor"]


def test_copying_is_at_ratio_one_and_changes_nothing(verdicts):
    copy = verdicts["copy"]
    assert copy["counterfactual_ratio"] == pytest.approx(1.0)
    assert copy["changed_accuracy_mean"] < 0.05 and copy["change"] == 0.0 and copy["kept_accuracy_mean"] >= 0.95
    assert copy["color_shift"] == 0.0 and copy["change_inside_mask"] is None, "nothing changes"
    assert copy["accuracy_mean"] < verdicts["perfect"]["accuracy_mean"]
    assert copy["frechet"] == pytest.approx(copy["floor"], rel=1e-3), "copies are the real test images"


def test_noise_is_far_from_real_images_and_from_the_truth(verdicts):
    assert verdicts["noise"]["frechet"] > 5 * verdicts["perfect"]["frechet"]
    assert verdicts["noise"]["counterfactual_ratio"] > 1.0


def test_records_say_what_they_are(fake_model, drawn, classifier, truth):
    real = RealFeatures.of(drawn, classifier)
    records = evaluate_translation(fake_model("copy"), drawn, classifier, truth, seed=3, real=real)
    json.dumps(records, allow_nan=False)
    for name, record in records.items():
        assert record["seed"] == 3 and record["computed_with"], name
        assert record["images"] == len(drawn.test) or name.startswith(("changed_accuracy/", "kept_accuracy")), name
        if record["interval"] is not None:
            assert record["interval"][0] - 1e-9 <= record["value"] <= record["interval"][1] + 1e-9, name
    assert not any("fid" in name.lower() for name in records), "these features are not Inception's"
    assert {f"accuracy/{name}" for name in drawn.schema.names} <= set(records)


def test_accuracy_is_that_of_the_classifiers_decisions(fake_model, drawn, classifier):
    from rgunit_tf.evaluation.outputs.translated import draw_targets

    records = evaluate_translation(fake_model("copy"), drawn, classifier, seed=1)
    targets = draw_targets(drawn.test.labels, drawn.train.labels, 1)
    decided = classifier.decide(classifier(drawn.test.images())[0])
    assert records["accuracy"]["value"] == pytest.approx((decided == targets).mean())
    assert records["exact_match"]["value"] == pytest.approx((decided == targets).all(1).mean())
    assert "counterfactual_l1_ratio" not in records


def test_reference_is_bounded_for_large_training_sets(drawn, classifier, monkeypatch):
    monkeypatch.setattr(reference_images, "MOST", 20)
    real = RealFeatures.of(drawn, classifier)
    assert real.train.shape == (20, classifier.feature_size) and len(real.test) == len(drawn.test)
    np.testing.assert_array_equal(RealFeatures.of(drawn, classifier).train, real.train)


def test_translated_images_are_never_all_held(fake_model, drawn, classifier, truth, monkeypatch):
    from rgunit_tf.evaluation import collected

    seen, alive = [], []
    translate = collected.translate_test_set

    def watched(*arguments):
        for batch in translate(*arguments):
            seen.append(weakref.ref(batch.outputs))
            alive.append(sum(reference() is not None for reference in seen))
            yield batch

    monkeypatch.setattr(collected, "translate_test_set", watched)
    monkeypatch.setattr(collected, "BATCH_SIZE", 4)
    evaluate_translation(fake_model("copy"), drawn, classifier, truth)
    assert len(seen) == len(drawn.test) / 4 and max(alive) <= 2
