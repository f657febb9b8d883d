"""Figures with wrong neighbours, on a stand-in whose neighbours are the truth itself or mean nothing to it."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.evaluation import collected, translation
from rgunit_tf.evaluation.guidance import CHANGES, Misguided, evaluate_guidance
from rgunit_tf.evaluation.metrics import classifier_score, frechet

FIGURES = ("frechet_classifier_distance", "accuracy", "counterfactual_l1_ratio")


@pytest.fixture
def guided(fake_model):
    """A guided model of one neighbour, the drawn truth, which the fusion adds to the input's content by a weight."""

    class FakeGuided(fake_model):
        neighbors = 1

        def __init__(self, weight):
            super().__init__("perfect")
            self.weight = weight

        def content_encoder(self, images):
            self._images = images
            return images

        def target_styles(self, content, styles, ids, noise):
            return styles

        def neighbor_rows(self, content, styles, ids):
            return super().translate_with_style(content, styles, ids)[0]

        def contents_of(self, rows):
            return rows[:, None]

        def fusion(self, content, contents, styles):
            return (1.0 - self.weight) * content + self.weight * contents[:, 0]

        def decode(self, content, styles, images):
            return content, tf.ones_like(content[..., :1])

    return FakeGuided


@pytest.fixture
def measured(guided, drawn, classifier, truth):
    return {weight: evaluate_guidance(guided(weight), drawn, classifier, truth) for weight in (0.0, 1.0)}


def test_neighbours_that_are_the_picture_matter(measured):
    used = measured[1.0]
    assert {f"{change}/{name}" for change in ("swapped_neighbors", "no_neighbors") for name in FIGURES} < set(used)
    # Another image's picture is the right kind of picture, of the wrong person and mostly of other attributes.
    assert used["swapped_neighbors/counterfactual_l1_ratio"]["value"] > 0.5
    assert 0.4 < used["swapped_neighbors/accuracy"]["value"] < 0.9
    assert (
        used["no_neighbors/frechet_classifier_distance"]["value"]
        > 5 * used["swapped_neighbors/frechet_classifier_distance"]["value"]
    ), "grey images are far from real ones, pictures of others are not"
    assert "neighbours of another test image" in used["swapped_neighbors/accuracy"]["computed_with"]


def test_neighbours_that_are_not_used_change_nothing(measured):
    unused = measured[0.0]
    for name in FIGURES:
        assert unused[f"swapped_neighbors/{name}"]["value"] == unused[f"no_neighbors/{name}"]["value"], name
    assert unused["neighbor_share"]["value"] == 0.0


def test_share_of_the_neighbours(guided, drawn, classifier, fake_model):
    found = evaluate_guidance(guided(0.25), drawn, classifier)
    images = drawn.test.images().astype(np.float32) / 127.5 - 1.0
    ids, labels = tf.constant([name.encode() for name in drawn.test.ids]), drawn.test.labels
    pictures = fake_model("perfect").translate_with_style(tf.constant(images), tf.constant(labels), ids)[0].numpy()
    added, own = 0.25 * np.abs(pictures).mean((1, 2, 3)), 0.75 * np.abs(images).mean((1, 2, 3))
    assert found["neighbor_share"]["value"] == pytest.approx((added / (added + own)).mean(), rel=1e-4)


def test_a_model_without_neighbours_has_no_such_figures(fake_model, drawn, classifier):
    assert evaluate_guidance(fake_model("copy"), drawn, classifier) == {}


def test_figures_are_those_of_the_whole_evaluation_to_the_bit(guided, drawn, classifier, truth, measured):
    for change, (function, words) in CHANGES.items():
        whole = translation.evaluate_translation(Misguided(guided(1.0), function), drawn, classifier, truth)
        for name in FIGURES:
            found, expected = measured[1.0][f"{change}/{name}"], whole[name]
            assert found["computed_with"] == f"{expected['computed_with']}; {words}"
            assert {**found, "computed_with": 0, "seconds": 0} == {**expected, "computed_with": 0, "seconds": 0}


def test_nothing_else_is_computed(guided, drawn, classifier, truth, monkeypatch):
    for module, name in (
        (frechet, "kernel_record"),
        (classifier_score, "record"),
        (collected, "structural_similarity"),
    ):
        monkeypatch.setattr(module, name, lambda *arguments: pytest.fail("not kept"))
    found = evaluate_guidance(guided(1.0), drawn, classifier, truth)
    assert len(found) == len(CHANGES) * len(FIGURES) + 1
    without = evaluate_guidance(guided(1.0), drawn, classifier)
    assert set(found) - set(without) == {f"{change}/counterfactual_l1_ratio" for change in CHANGES}
