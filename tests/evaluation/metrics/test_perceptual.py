import numpy as np
import pytest

from rgunit_tf.evaluation.metrics.perceptual import PerceptualNetwork


def by_pairs(layers, weights):
    """LPIPS' formula, a pair after the other: layers [n, h, w, C] -> mean distance of all pairs."""
    count = len(layers[0])
    distances = []
    for i in range(count):
        for j in range(i):
            distance = 0.0
            for layer, weight in zip(layers, weights, strict=True):
                a, b = (layer[k] / (np.linalg.norm(layer[k], axis=-1, keepdims=True) + 1e-10) for k in (i, j))
                distance += ((a - b) ** 2 * weight).sum(axis=-1).mean()
            distances.append(distance)
    return np.mean(distances)


@pytest.mark.parametrize("group", [2, 5])
def test_mean_over_pairs_equals_the_formula_for_each_pair(group):
    generator = np.random.default_rng(0)
    layers = [generator.normal(size=(2 * group, 4, 4, 3)), generator.normal(size=(2 * group, 2, 2, 6))]
    weights = [generator.random(3), generator.random(6)]
    for given, used in ((weights, weights), (None, [np.ones(3), np.ones(6)])):
        network = PerceptualNetwork("distance", "random features", lambda images: layers, given)
        found = network.mean_pair_distance(np.zeros((2 * group, 4, 4, 3)), group).numpy()
        expected = [by_pairs([layer[part] for layer in layers], used) for part in (slice(0, group), slice(group, None))]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_place_without_activation_is_no_division_by_zero():
    network = PerceptualNetwork("distance", "zeros", lambda images: [images])
    np.testing.assert_array_equal(network.mean_pair_distance(np.zeros((4, 2, 2, 3), np.float32), 2), [0.0, 0.0])


def test_classifiers_features_are_one_layer_a_resolution(classifier, drawn):
    images = drawn.test.images([0, 1]).astype(np.float32) / 127.5 - 1.0
    layers = classifier.layer_features(images)
    assert [layer.shape[1] for layer in layers] == [16, 8, 4]
    # The last of them, averaged over the places, is what the classifier decides on.
    np.testing.assert_allclose(layers[-1].numpy().mean((1, 2)), classifier.features(images), rtol=1e-4, atol=1e-5)
    network = classifier.perceptual_network
    assert network.metric == "classifier_feature_diversity" and classifier.name in network.words
    different, same = (network.mean_pair_distance(pair, 2).numpy()[0] for pair in (images, images[[0, 0]]))
    assert different > 0.01 and same == pytest.approx(0.0, abs=1e-6)
