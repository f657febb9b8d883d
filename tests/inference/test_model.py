import dataclasses

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.inference import Model

SIZE = 16


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.fixture
def guided(description, networks, schema):
    return Model(dataclasses.replace(description, stage="guided", gallery=True, neighbors=2), networks(schema))


def test_named_attributes_change_and_the_others_stay(model, images, schema):
    result = model.translate(images, ["Blond_Hair", "-Young"])
    assert result.images.shape == (1, 3, SIZE, SIZE, 3) and result.masks.shape == (1, 3, SIZE, SIZE, 1)
    expected = [schema.apply(label, ["Blond_Hair", "-Young"]) for label in model.attributes_of(images)]
    np.testing.assert_array_equal(result.targets, expected)
    np.testing.assert_array_equal(result.styles[0], np.repeat(2.0 * result.targets - 1.0, 2, 1))
    np.testing.assert_array_equal(result.images[0], model.networks.translate(images, result.styles[0])[0])


def test_a_string_is_one_name(model, images):
    np.testing.assert_array_equal(model.translate(images, "Male").targets, model.translate(images, ["Male"]).targets)
    with pytest.raises(UserError, match="attributes: unknown attribute 'Mail'"):
        model.translate(images, "Mail")


def test_it_says_what_it_is(guided, schema):
    assert repr(guided).startswith(f"<{guided.description}: {SIZE} px; attributes {', '.join(schema.names)}")
    assert "2 neighbors" in repr(guided)


def test_label_vectors(model, images, schema):
    one = schema.vector(["Male"])
    for labels in (one, one[None], np.stack([one] * 3)):
        np.testing.assert_array_equal(model.translate(images, labels).targets, np.stack([one] * 3))
    with pytest.raises(UserError, match="2 rows for 3 images"):
        model.translate(images, np.stack([one] * 2))


def test_samples_are_of_the_domain_and_the_same_for_every_image(model, images, schema):
    label = schema.vector(["Male"])
    styles = model.translate(images, label, samples=400).styles
    assert np.unique(styles[:, 0], axis=0).shape[0] == 400
    np.testing.assert_array_equal(styles[:, 0], styles[:, 2])
    np.testing.assert_allclose(styles[:, 0].mean(0), np.repeat(2 * label - 1, 2), atol=0.12)
    np.testing.assert_allclose(styles[:, 0].std(0), 0.5, atol=0.08)
    # A sample depends neither on how many are drawn nor on the other images, but on the seed.
    again = model.translate(images[:1], label, samples=2).styles
    np.testing.assert_array_equal(again[:, 0], styles[:2, 0])
    assert (model.translate(images, label, samples=2, seed=1).styles != styles[:2]).all()


def test_strength_goes_from_the_own_style_to_the_target(model, images):
    own, target = model.styles_of(images), model.translate(images, ["Male"]).styles[0]
    for strength in (0.0, 0.25, 1.0):
        styles = model.translate(images, ["Male"], strength=strength).styles[0]
        np.testing.assert_allclose(styles, own + strength * (target - own), atol=1e-6)
    with pytest.raises(UserError, match="strength"):
        model.translate(images, ["Male"], strength=1.5)


def test_the_style_of_a_reference(model, images):
    result = model.translate(images, reference=images[1])
    np.testing.assert_array_equal(result.styles[0], np.stack([model.styles_of(images)[1]] * 3))
    assert result.targets is None


def test_interpolation_ends_at_its_ends(model, images):
    steps = model.interpolate(images, ["Black_Hair"], ["Blond_Hair"], 5)
    for index, changes in ((0, ["Black_Hair"]), (4, ["Blond_Hair"])):
        np.testing.assert_array_equal(steps.styles[index], model.translate(images, changes).styles[0])
    np.testing.assert_allclose(steps.styles[2], (steps.styles[0] + steps.styles[4]) / 2, atol=1e-6)
    np.testing.assert_array_equal(model.interpolate(images, None, ["Young"], 2).styles[0], model.styles_of(images))
    with pytest.raises(UserError, match="at least 2"):
        model.interpolate(images, None, ["Young"], 1)


def test_retrieval_and_neighbors(guided, images):
    found = guided.retrieve(images, ["Male"], k=4)
    assert found.ids.shape == found.distances.shape == (3, 4) and found.images.shape == (3, 4, SIZE, SIZE, 3)
    assert (np.diff(found.distances) >= 0).all()
    row = int(found.ids[1, 2].removeprefix("set/").removesuffix(".jpg"))
    np.testing.assert_array_equal(found.images[1, 2], guided.networks.GALLERY[row])
    styles = guided.translate(images, ["Male"]).styles[0]
    np.testing.assert_array_equal(guided.neighbors(images, styles).ids, found.ids[:, :2])


def test_what_a_model_has_not(model, guided, images):
    with pytest.raises(UserError, match="no gallery"):
        model.retrieve(images, ["Male"])
    with pytest.raises(UserError, match="only a guided model has neighbors"):
        model.neighbors(images, model.styles_of(images))
    with pytest.raises(UserError, match="at least 1"):
        guided.retrieve(images, ["Male"], k=0)
    retrieval = Model(dataclasses.replace(model.description, stage="retrieval"), model.networks)
    with pytest.raises(UserError, match="retrieval stage"):
        retrieval.translate(images, ["Male"])


@pytest.mark.parametrize("shape", [(SIZE, SIZE, 3), (2, 8, 8, 3), (0, SIZE, SIZE, 3)])
def test_images_of_another_shape(model, shape):
    with pytest.raises(UserError, match=r"expected uint8 \[B, 16, 16, 3\]"):
        model.translate(np.zeros(shape, np.uint8), ["Male"])
    with pytest.raises(UserError, match="float64"):
        model.attributes_of(np.zeros((1, SIZE, SIZE, 3)))


def test_how_unlike_pictures_are_is_known_where_a_gallery_told(model):
    from rgunit_tf.retrieval.likeness import Likeness, cells

    random = np.random.default_rng(3)
    seen = np.repeat(random.integers(0, 256, (200, 16, 16, 1), np.uint8), 3, -1)
    assert model.unlikeness_of(seen) is None
    del model.__dict__["_likeness"]
    contents = cells(model.networks.contents(seen))
    model.networks.known = Likeness.of(contents[:100], contents[100:])
    grey = model.unlikeness_of(seen[100:])
    coloured = model.unlikeness_of(seen[:5] * np.array([1, 0, 0], np.uint8))
    assert (grey > 1.0).mean() <= 0.02 and (coloured > 1.0).all()
