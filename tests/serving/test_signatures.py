"""Every signature, in a process without this package, against the Python models."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rgunit_tf.data import decoding
from rgunit_tf.serving.signatures import OLD_NAMES

TRANSLATING = ["translation", "guided", "guided_scann", "attention"]
RETRIEVING = ["retrieval", "guided", "retrieval_scann", "guided_scann"]
ALL = ["translation", *RETRIEVING]
TOLERANCE = 1e-4


def stage_of(stages, name):
    return getattr(stages, name.partition("_")[0])


def scaled(images):
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def mean_styles(stages, attributes):
    return stages.translation.prior.mean(attributes)


def assert_images_equal(served, expected):
    """`served`, uint8, rounds values within the tolerance of `expected`, float in [-1, 1]."""
    levels = (np.asarray(expected) + 1.0) * 127.5
    assert served.dtype == np.uint8
    assert np.abs(served - levels).max() <= 0.5 + TOLERANCE * 127.5


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def unpng(files):
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


@pytest.mark.parametrize("name", TRANSLATING)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_translate(server, stages, images, attributes, name, count):
    images, attributes = images[:count], attributes[:count]
    found = server.ask(name, "translate_images", images=images, attributes=attributes)
    assert found["translated_images"].shape == (count, 16, 16, 3) and found["masks"].shape == (count, 16, 16, 1)
    if count:
        model = stage_of(stages, name)
        translated, masks = model.translate_with_style(scaled(images), mean_styles(stages, attributes))
        assert_images_equal(found["translated_images"], translated)
        np.testing.assert_allclose(found["masks"], masks, atol=TOLERANCE)


@pytest.mark.parametrize("name", TRANSLATING)
def test_translate_with_style_is_that_of_sampled_styles(server, stages, images, attributes, name):
    noise = np.random.default_rng(5).normal(size=(3, 40)).astype(np.float32)
    styles = server.ask(name, "sample_styles", attributes=attributes, noise=noise)["styles"]
    np.testing.assert_allclose(styles, np.repeat(2 * attributes - 1, 8, axis=1) + 0.5 * noise, atol=TOLERANCE)
    found = server.ask(name, "translate_to_style", images=images, styles=styles)
    translated, masks = stage_of(stages, name).translate_with_style(scaled(images), styles)
    assert_images_equal(found["translated_images"], translated)
    np.testing.assert_allclose(found["masks"], masks, atol=TOLERANCE)


@pytest.mark.parametrize("name", TRANSLATING)
@pytest.mark.parametrize("signature", ["serving_default", "translate_files"])
@pytest.mark.parametrize("count", [0, 3])
def test_translate_files(server, stages, attributes, name, signature, count):
    rng = np.random.default_rng(2)
    files = [png(rng.integers(0, 256, (16, side, 3), np.uint8)) for side in (16, 20, 33)][:count]
    found = server.ask(name, signature, image_bytes=np.array(files, object), attributes=attributes[:count])
    assert found["translated_bytes"].shape == found["mask_bytes"].shape == (count,)
    if count:
        images = np.stack([decoding.decode(file, 16) for file in files])
        translated, masks = stage_of(stages, name).translate_with_style(scaled(images), mean_styles(stages, attributes))
        assert_images_equal(unpng(found["translated_bytes"]), translated)
        assert np.abs(unpng(found["mask_bytes"]) - masks.numpy()[..., 0] * 255).max() <= 0.5 + TOLERANCE * 255


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("count", [0, 3])
def test_encode(server, stages, images, name, count):
    found = server.ask(name, "encode", images=images[:count])
    assert found["content"].shape == (count, 4, 4, 16)
    if count:
        model = stages.translation
        mean, log_variance = model.style_encoder(scaled(images))
        np.testing.assert_allclose(found["content"], model.content_encoder(scaled(images)), atol=TOLERANCE)
        np.testing.assert_allclose(found["style_mean"], mean, atol=TOLERANCE)
        np.testing.assert_allclose(found["style_log_variance"], log_variance, atol=TOLERANCE)


@pytest.mark.parametrize("name", RETRIEVING)
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("as_vector", [False, True])
def test_embed_and_retrieve(server, stages, images, attributes, name, count, as_vector):
    images, attributes = images[:count], attributes[:count]
    embeddings = server.ask(name, "embed", images=images, attributes=attributes)["embeddings"]
    assert embeddings.shape == (count, 20)
    k = np.full(count, 4, np.int32) if as_vector else np.int32(4)
    found = server.ask(name, "retrieve", images=images, attributes=attributes, k=k)
    if not count:
        # Where no query says how many, one column is left.
        assert found["ids"].shape == found["distances"].shape == (0, 1 if as_vector else 4)
        return
    assert found["ids"].shape == found["distances"].shape == (count, 4)
    expected = stages.retrieval.embed_query(scaled(images), mean_styles(stages, attributes)).numpy()
    np.testing.assert_allclose(embeddings, expected, atol=TOLERANCE)
    distances = np.linalg.norm(expected[:, None] - stages.gallery.embeddings.numpy(), axis=-1)
    order = np.argsort(distances, axis=1)[:, :4]
    assert [[name.decode() for name in row] for row in found["ids"]] == stages.gallery.ids[order].tolist()
    np.testing.assert_allclose(found["distances"], np.take_along_axis(distances, order, 1), atol=TOLERANCE)


@pytest.mark.parametrize("name", ["retrieval", "retrieval_scann", "guided"])
@pytest.mark.parametrize("k", [1, 12])
def test_retrieve_bytes_finds_what_retrieve_finds(server, images, attributes, name, k):
    files = np.array([png(image) for image in images], object)
    signature = "retrieve_bytes" if name == "guided" else "serving_default"
    by_file = server.ask(name, signature, image_bytes=files, attributes=attributes, k=np.int32(k))
    by_image = server.ask(name, "retrieve", images=images, attributes=attributes, k=np.int32(k))
    assert by_file["ids"].shape == (3, k) and (by_file["ids"] == by_image["ids"]).all()
    np.testing.assert_allclose(by_file["distances"], by_image["distances"], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["retrieval", "guided_scann"])
def test_queries_that_ask_for_different_numbers(server, images, attributes, name):
    """As where a server joins the requests of several clients."""
    found = server.ask(name, "retrieve", images=images, attributes=attributes, k=np.array([2, 12, 1], np.int32))
    whole = server.ask(name, "retrieve", images=images, attributes=attributes, k=np.int32(12))
    for row, count in enumerate([2, 12, 1]):
        assert (found["ids"][row, :count] == whole["ids"][row, :count]).all()
        assert (found["ids"][row, count:] == b"").all() and (found["distances"][row, count:] == -1.0).all()


def test_the_neighbors_guide_the_served_model(server, images, attributes):
    """The guided model's fusion was moved from its start, so its answers are not the translation model's."""
    question = {"images": images, "attributes": attributes}
    guided = server.ask("guided", "translate_images", **question)["translated_images"]
    plain = server.ask("translation", "translate_images", **question)["translated_images"]
    assert (guided != plain).mean() > 0.1


def test_signatures_are_those_of_the_description(exports, tensor_names):
    expected = {
        "translation": {"translate_files", "translate_images", "translate_to_style", "encode", "sample_styles"},
        "retrieval": {"encode", "sample_styles", "embed", "retrieve", "retrieve_bytes"},
    }
    expected["translation"] |= set(OLD_NAMES)
    expected["guided"] = expected["translation"] | expected["retrieval"]
    for stage, names in expected.items():
        description = json.loads((exports[stage] / "assets.extra" / "rgunit.json").read_text())
        served = tensor_names(exports[stage])
        assert set(description["signatures"]) == names == set(served) - {"serving_default"}
        for name, sides in description["signatures"].items():
            assert set(sides["inputs"]) == set(served[name]["inputs"])
            assert set(sides["outputs"]) == set(served[name]["outputs"])
            # What converts a signature wants names that are all different.
            assert name in OLD_NAMES or not set(sides["inputs"]) & set(sides["outputs"])


@pytest.mark.parametrize("old", OLD_NAMES)
def test_old_names_answer_as_before(server, images, attributes, old):
    new, outputs = OLD_NAMES[old]
    inputs = {"images": images, "styles": np.repeat(2 * attributes - 1, 8, axis=1)}
    inputs |= {"attributes": attributes, "image_bytes": np.array([png(image) for image in images], object)}
    names = {"translate_files": ("image_bytes", "attributes"), "translate_images": ("images", "attributes")}
    question = {name: inputs[name] for name in names.get(new, ("images", "styles"))}
    found, expected = (server.ask("guided", name, **question) for name in (old, new))
    assert set(found) == {outputs.get(name, name) for name in expected}
    for name, value in expected.items():
        np.testing.assert_array_equal(found[outputs.get(name, name)], value)


def test_sizes_are_declared_and_rows_are_free(exports):
    signatures = tf.saved_model.load(str(exports["guided"])).signatures
    declared = {
        name: spec.shape.as_list()
        for function in signatures.values()
        for name, spec in function.structured_input_signature[1].items()
        if name != "k"
    }
    sizes = {"images": [None, 16, 16, 3], "attributes": [None, 5], "styles": [None, 40], "noise": [None, 40]}
    assert declared == {**sizes, "image_bytes": [None]}


def test_the_processes_have_neither_this_package_nor_the_other_loader(server, images):
    server.ask("guided", "encode", images=images)
    assert not set(server.modules) & {"rgunit_tf", *(["tensorflow"] if server.kind == "cc" else [])}


def test_the_exact_export_needs_no_scann(exports):
    for name in ("translation", "retrieval", "guided"):
        assert b"Scann" not in (exports[name] / "saved_model.pb").read_bytes()
    assert b"Scann" in (exports["guided_scann"] / "saved_model.pb").read_bytes()
