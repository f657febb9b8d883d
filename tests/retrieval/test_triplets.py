"""Triplets against their definitions in paper §3.2, with a translation model whose content and style can be read off.

An image of the fake model is [content | style] in its pixels: content is the first row, style the second. Decoding
writes both, plus 0.5 to the content, so that an encoded translation can be told from what it was made of.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import STRATEGIES, triplet_sources, triplets

NOISE_SCALE = 0.01


class FakeTranslation:
    def __init__(self, names):
        self.calls = []
        self.prior = types.SimpleNamespace(style_dim=names, sample=lambda labels, noise: labels + NOISE_SCALE * noise)

    def content_encoder(self, images):
        self.calls.append(("content_encoder", images.shape[0]))
        return images[:, :1]

    def style_encoder(self, images):
        self.calls.append(("style_encoder", images.shape[0]))
        style = images[:, 1, :, 0]
        return style, 100.0 * tf.ones_like(style)

    def decode(self, content, style, images):
        self.calls.append(("decode", images.shape[0]))
        # Of the three arguments the images must be the ones that the content was taken from.
        tf.debugging.assert_equal(content, images[:, :1])
        return tf.concat([content + 0.5, style[:, tf.newaxis, :, tf.newaxis]], axis=1), tf.ones_like(content)


class FakeNoise:
    """Numbers that depend on the seed, and a record of how many were drawn."""

    def __init__(self, batch, seed=0):
        self.generator, self.batch = np.random.default_rng(seed), batch

    def normal(self, *shape):
        return tf.constant(self.generator.normal(size=(self.batch, *shape)), tf.float32)

    def uniform(self, *shape):
        return tf.constant(self.generator.uniform(size=(self.batch, *shape)), tf.float32)


def one_hot(domains, count=3):
    return np.eye(count, dtype=np.float32)[domains]


def make_batch(domains, count=3):
    """Image b: content all 10 b, style its domain's one-hot plus 0.1 to tell it from a drawn style."""
    labels = one_hot(domains, count)
    content = np.repeat(10.0 * np.arange(len(domains), dtype=np.float32)[:, None], count, axis=1)
    return np.stack([content, labels + np.float32(0.1)], axis=1)[..., None], labels


DOMAINS = [0, 1, 2, 0, 1, 2]
TARGETS = [1, 1, 0, 2, 0, 1]


def make(strategies=STRATEGIES, domains=DOMAINS, targets=TARGETS, seed=0):
    images, labels = make_batch(domains)
    translation = FakeTranslation(3)
    sources = triplet_sources(
        translation, tf.constant(images), labels, one_hot(targets), FakeNoise(len(domains), seed), strategies
    )
    return sources, translation


def read(sources):
    """name -> (content number [B], whether it was translated [B], styles [B, S])."""
    content, style = sources.content.numpy()[:, 0, 0, 0], sources.style.numpy()
    numbers = np.split(np.floor(content / 10.0).astype(int), sources.count)
    translated = np.split(content % 10.0 == 0.5, sources.count)
    names = ["anchor", "positive", *sources.strategies]
    return dict(zip(names, zip(numbers, translated, np.split(style, sources.count), strict=True), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_anchor_and_positive(seed):
    parts = read(make(seed=seed)[0])
    number, translated, style = parts["anchor"]
    np.testing.assert_array_equal(number, np.arange(6))
    assert not translated.any()
    np.testing.assert_allclose(style, one_hot(TARGETS), atol=0.05)
    assert np.abs(style - one_hot(TARGETS)).max() > 0
    number, translated, positive_style = parts["positive"]
    np.testing.assert_array_equal(number, np.arange(6))
    assert translated.all()
    np.testing.assert_array_equal(positive_style, style)


@pytest.mark.parametrize("seed", range(5))
def test_easy_is_another_image_of_another_domain_than_the_target(seed):
    number, translated, style = read(make(seed=seed)[0])["easy"]
    assert not translated.any()
    assert (number != np.arange(6)).all()
    assert (np.array(DOMAINS)[number] != TARGETS).all()
    np.testing.assert_allclose(style, one_hot(np.array(DOMAINS)[number]) + 0.1, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_medium_is_that_image_translated_to_the_anchors_style(seed):
    parts = read(make(seed=seed)[0])
    number, translated, style = parts["medium"]
    assert translated.all()
    np.testing.assert_array_equal(number, parts["easy"][0])
    np.testing.assert_array_equal(style, parts["anchor"][2])


@pytest.mark.parametrize("seed", range(5))
def test_hard_style_is_the_anchors_content_in_that_images_domain(seed):
    parts = read(make(seed=seed)[0])
    number, translated, style = parts["hard_style"]
    assert translated.all()
    np.testing.assert_array_equal(number, np.arange(6))
    np.testing.assert_allclose(style, one_hot(np.array(DOMAINS)[parts["easy"][0]]), atol=0.05)
    assert (style.argmax(1) != TARGETS).all()


def test_hard_domain_is_the_anchors_content_in_its_own_domain():
    sources, _ = make()
    number, translated, style = read(sources)["hard_domain"]
    assert translated.all()
    np.testing.assert_array_equal(number, np.arange(6))
    np.testing.assert_allclose(style, one_hot(DOMAINS), atol=0.05)
    # Image 1 is asked for in its own domain: a negative there would be a second positive.
    np.testing.assert_array_equal(sources.weights_of("hard_domain"), [1, 0, 1, 1, 1, 1])


def test_random_is_any_other_image():
    chosen = np.stack([read(make(seed=seed)[0])["random"][0] for seed in range(200)])
    for image in range(6):
        assert set(chosen[:, image]) == set(range(6)) - {image}
    number, translated, style = read(make()[0])["random"]
    assert not translated.any()
    np.testing.assert_allclose(style, one_hot(np.array(DOMAINS)[number]) + 0.1, atol=1e-6)


def test_hard_content_is_the_image_of_the_nearest_content_translated_to_the_anchors_style():
    # Contents 0, 10 .. 50, so one beside it; decoding tells by its pixels whose content it was given.
    order = [3, 0, 5, 1, 4, 2]
    images, labels = make_batch(DOMAINS)
    translation = FakeTranslation(3)
    sources = triplet_sources(
        translation, tf.constant(images[order]), labels[order], one_hot(TARGETS), FakeNoise(6), ("hard_content",)
    )
    number, translated, style = read(sources)["hard_content"]
    assert translated.all()
    assert (np.abs(number - order) == 1).all()
    np.testing.assert_array_equal(style, read(sources)["anchor"][2])
    np.testing.assert_array_equal(sources.weights_of("hard_content"), np.ones(6))


def test_hard_content_takes_the_least_distance_over_all_places_and_channels():
    contents = np.random.default_rng(3).normal(size=(9, 2, 3, 4)).astype(np.float32)
    distances = ((contents[:, None] - contents[None]) ** 2).sum((2, 3, 4)) + 1e9 * np.eye(9)
    for jit_compile in (False, True):
        nearest = tf.function(triplets._nearest, jit_compile=jit_compile, autograph=False)
        found = nearest(tf.constant(contents[4:7]), tf.constant(contents), tf.constant(4))
        np.testing.assert_array_equal(found, distances.argmin(1)[4:7])


def test_all_fitting_images_are_alike_likely():
    chosen = np.array([read(make(("easy",), seed=seed)[0])["easy"][0][0] for seed in range(600)])
    # Image 0 has target 1: of the others only 2, 3 and 5 are not of domain 1.
    counts = np.bincount(chosen, minlength=6)
    assert set(np.flatnonzero(counts)) == {2, 3, 5}
    assert counts[[2, 3, 5]].min() > 150


def test_where_the_batch_has_no_fitting_image_the_triplet_does_not_count():
    sources, _ = make(domains=[0, 1, 1], targets=[1, 0, 0])
    # All other images of image 0 are of its target domain.
    np.testing.assert_array_equal(sources.weights_of("easy"), [0, 1, 1])
    np.testing.assert_array_equal(sources.weights_of("hard_style"), [0, 1, 1])
    np.testing.assert_array_equal(sources.weights_of("medium"), [1, 1, 1])
    assert read(sources)["medium"][0][0] in (1, 2)
    alone, _ = make(domains=[0], targets=[1])
    for name in STRATEGIES:
        np.testing.assert_array_equal(alone.weights_of(name), [name == "hard_domain"], err_msg=name)


def test_one_decoding_pass_of_only_what_is_used():
    assert make()[1].calls == [
        ("content_encoder", 6),
        ("style_encoder", 6),
        ("decode", 30),
        ("content_encoder", 30),
        ("style_encoder", 30),
    ]
    assert ("decode", 6) in make(("easy", "random"))[1].calls
    assert ("decode", 12) in make(("medium",))[1].calls


def test_strategies_do_not_change_each_others_draws():
    everything = read(make()[0])
    for name in STRATEGIES:
        single = read(make((name,))[0])
        for part in ("anchor", "positive", name):
            for found, expected in zip(single[part], everything[part], strict=True):
                np.testing.assert_array_equal(found, expected)


def test_split_takes_embeddings_apart_in_the_order_of_the_sources():
    sources, _ = make(("hard_domain", "easy"))
    anchor, positive, negatives = sources.split(sources.style)
    parts = read(sources)
    np.testing.assert_array_equal(anchor, parts["anchor"][2])
    np.testing.assert_array_equal(positive, parts["positive"][2])
    assert list(negatives) == ["hard_domain", "easy"]
    for name, embedded in negatives.items():
        np.testing.assert_array_equal(embedded, parts[name][2])
    assert sources.weights.shape == (2, 6)


def test_in_a_graph_with_an_unknown_batch_size_and_without_gradients():
    images, labels = make_batch(DOMAINS)
    translation, shift = FakeTranslation(3), tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3, 1]), tf.TensorSpec([None, 3]), tf.TensorSpec([None, 3])])
    def make_sources(images, labels, targets):
        noise = types.SimpleNamespace(
            normal=lambda *shape: tf.random.stateless_normal((tf.shape(images)[0], *shape), [1, 2]),
            uniform=lambda *shape: tf.random.stateless_uniform((tf.shape(images)[0], *shape), [3, 4]),
        )
        with tf.GradientTape() as tape:
            sources = triplet_sources(translation, images + shift, labels, targets, noise, STRATEGIES)
            total = tf.reduce_sum(sources.content) + tf.reduce_sum(sources.style)
        assert tape.gradient(total, shift) is None
        return sources.content, sources.weights

    content, weights = make_sources(images, labels, one_hot(TARGETS))
    assert content.shape == (8 * 6, 1, 3, 1)
    assert weights.shape == (6, 6)


@pytest.mark.parametrize("strategies", [(), ("hard",), ("easy", "easy")])
def test_strategies_are_checked(strategies):
    with pytest.raises(UserError, match=r"retrieval\.negatives.*easy, medium"):
        make(strategies)
