import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import pixels
from rgunit_tf.evaluation import diversity
from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork

PLAIN = PerceptualNetwork("plain", "pixels", lambda images: [images])


class Prior:
    style_dim = 2

    def sample(self, labels, noise):
        return noise


class Model:
    """Adds `amount` times the style's first dimension to the image."""

    def __init__(self, amount):
        self.amount, self.prior = amount, Prior()

    def translate_with_style(self, images, styles, ids=None):
        return images + self.amount * styles[:, :1, None, None] * tf.constant([1.0, 0.0, 0.0]), images[..., :1]


def test_a_model_that_ignores_the_style_has_no_diversity(drawn):
    record = diversity.evaluate_diversity(Model(0.0), drawn, [PLAIN], inputs=6, domains=2)["plain"]
    assert record["value"] == pytest.approx(0.0, abs=1e-9) and record["images"] == 6


def test_diversity_grows_with_what_the_style_does(drawn):
    values = [
        diversity.evaluate_diversity(Model(amount), drawn, [PLAIN], inputs=6, domains=2)["plain"]["value"]
        for amount in (0.02, 0.1, 0.5)
    ]
    assert values == sorted(values) and values[0] > 0


def test_value_is_the_mean_over_inputs_domains_and_pairs(drawn):
    record = diversity.evaluate_diversity(Model(0.3), drawn, [PLAIN], seed=2, inputs=4, domains=3, samples=3)["plain"]
    rows = np.sort(np.random.default_rng([2, 4]).permutation(len(drawn.test))[:4])
    noise = np.random.default_rng([2, 5]).standard_normal((4 * 3 * 3, 2)).reshape(4, 3, 3, 2)
    distances = []
    for row, input_noise in zip(rows, noise, strict=True):
        image = pixels.to_float(drawn.test.images([row])).numpy()[0]
        for domain_noise in input_noise:
            three = image + 0.3 * domain_noise[:, :1, None, None] * np.array([1.0, 0.0, 0.0])
            three = three / np.linalg.norm(three, axis=-1, keepdims=True)
            distances += [((three[a] - three[b]) ** 2).sum(-1).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert record["value"] == pytest.approx(np.mean(distances), rel=1e-4)
    assert record["interval"][0] <= record["value"] <= record["interval"][1]
    assert "12 such pairs" in record["computed_with"] and "pixels" in record["computed_with"]


def test_targets_are_other_domains_and_different_ones():
    labels = np.array([[0, 0], [1, 1]], np.float32)
    domains = np.array([[0, 0], [0, 1], [1, 1]], np.float32)
    rows, targets = diversity._questions(labels, domains, 5, 0)
    np.testing.assert_array_equal(rows, [0, 0, 1, 1])
    assert {tuple(target) for target in targets[:2]} == {(0, 1), (1, 1)}
    assert {tuple(target) for target in targets[2:]} == {(0, 0), (0, 1)}


def test_real_pairs_are_of_one_domain(drawn):
    brightness = PerceptualNetwork("x", "pixels", lambda images: [images])
    record = diversity.real_pair_distance(drawn, brightness)
    pairs = sum(len(rows) // 2 for rows in drawn.test.domains().values())
    assert record["images"] == 2 * pairs and record["value"] > 0


@pytest.mark.parametrize("samples", [2, 10])
def test_larger_images_are_measured_fewer_at_once(samples):
    """Memory is bounded: no more pixels at a time than those of 64 px images, unless one group has more."""
    counts = [diversity._groups_at_once(size, samples) for size in (32, 64, 96, 128, 256, 1024)]
    assert counts == sorted(counts, reverse=True) and counts[-1] == 1
    for size, count in zip((64, 96, 128, 256, 1024), counts[1:], strict=True):
        assert count == 1 or count * samples * size**2 <= counts[1] * samples * 64**2


def test_result_does_not_depend_on_how_many_are_measured_at_once(drawn, monkeypatch):
    together = diversity.evaluate_diversity(Model(0.3), drawn, [PLAIN], inputs=4, samples=3)["plain"]
    monkeypatch.setattr(diversity, "AT_ONCE", 3)
    alone = diversity.evaluate_diversity(Model(0.3), drawn, [PLAIN], inputs=4, samples=3)["plain"]
    assert alone["value"] == pytest.approx(together["value"], rel=1e-5)
