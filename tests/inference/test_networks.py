"""Real networks, tiny: a run's folder and the exports of its stages answer alike, and as the stages themselves do."""

import numpy as np
import pytest

from rgunit_tf.errors import UserError
from rgunit_tf.inference import describe, load

SIZE, NEIGHBORS = 16, 2  # of the stages in conftest.py


@pytest.fixture(scope="module")
def export(tiny_stages, tmp_path_factory):
    from rgunit_tf.serving.export import export

    return export(tiny_stages[2], tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module", params=["workdir", "export"])
def model(request, workdir, export):
    import rgunit_tf as rg

    return rg.load(workdir.path if request.param == "workdir" else export)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def test_translations_are_those_of_the_stage(model, tiny_stages, schema, images):
    import tensorflow as tf

    from rgunit_tf import pixels

    guided = tiny_stages[2]
    label = schema.vector(["Male"])
    x = tf.cast(images, tf.float32) / 127.5 - 1.0
    expected, masks = guided.translate_with_style(x, guided.prior.mean(np.stack([label] * 3)))
    result = model.translate(images, label)
    assert np.abs(result.images[0].astype(int) - pixels.to_uint8(expected).numpy()).max() <= 1
    np.testing.assert_allclose(result.masks[0], masks, atol=1e-5)
    assert result.masks.min() < 0.9
    np.testing.assert_allclose(model.styles_of(images), guided.style_encoder(x)[0], atol=1e-5)
    np.testing.assert_array_equal(model.attributes_of(images), guided.predict_labels(x))


def test_retrieval_is_that_of_the_stage(model, tiny_stages, schema, images):
    import tensorflow as tf

    _, retrieval, _, gallery = tiny_stages
    label = schema.vector(["Male"])
    x = tf.cast(images, tf.float32) / 127.5 - 1.0
    styles = retrieval.translation.prior.mean(np.stack([label] * 3))
    ids, distances = gallery.search(retrieval.embed_query(x, styles), 5)
    found = model.retrieve(images, label, k=5)
    np.testing.assert_array_equal(found.ids, ids.numpy().astype(str))
    np.testing.assert_allclose(found.distances, distances, atol=1e-4)
    with pytest.raises(UserError, match="ask for fewer"):
        model.retrieve(images, label, k=13)
    if model.description.kind == "workdir":
        np.testing.assert_array_equal(found.images, gallery.images(gallery.rows_of(ids)))
    else:
        assert found.images is None


def test_any_style_is_retrieved_by_a_run_and_refused_by_an_export(model, tiny_stages, images):
    if model.description.kind == "workdir":
        import tensorflow as tf

        x = tf.cast(images, tf.float32) / 127.5 - 1.0
        styles = tiny_stages[2].style_encoder(x[1:2])[0]
        expected = tiny_stages[2].neighbors_for(x, tf.repeat(styles, 3, 0), tf.constant([""] * 3))
        found = model.neighbors(images, np.repeat(styles, 3, 0))
        np.testing.assert_array_equal(found.ids, tiny_stages[3].ids[expected.numpy()])
        np.testing.assert_array_equal(model.retrieve(images, reference=images[1], k=NEIGHBORS).ids, found.ids)
    else:
        with pytest.raises(UserError, match="retrieves by attributes alone"):
            model.retrieve(images, reference=images[1])


def test_batches_of_any_size_are_traced_once(workdir, images):
    model = load(workdir.path)
    for count in (1, 2, 3):
        model.translate(images[:count], ["Male"])
    networks = model.networks
    assert networks._translate.experimental_get_tracing_count() == 1
    assert networks._encode.experimental_get_tracing_count() == 1


def test_what_is_only_used_has_no_discriminator_and_each_network_once(workdir, tiny_stages, monkeypatch):
    from rgunit_tf.models.discriminator import Discriminator
    from rgunit_tf.runs import contents, finished

    guided = tiny_stages[2]
    contents.write(workdir, guided.contents_of)
    monkeypatch.setattr(Discriminator, "__init__", lambda *a, **k: pytest.fail("built"))
    model = finished.load(workdir, "guided", inference=True)
    assert set(model.networks) == set(guided.networks) - {"discriminator"}
    assert model.content_encoder is model.translation.content_encoder is model.retrieval.translation.content_encoder
    for name, network in model.networks.items():
        for mine, expected in zip(network.get_weights(), guided.networks[name].get_weights(), strict=True):
            np.testing.assert_array_equal(mine, expected)
    assert isinstance(model.contents_of.held, np.memmap), "contents stay in their file"
    rows = np.array([[3, 0], [11, 5]], np.int32)
    np.testing.assert_array_equal(model.contents_of(rows), guided.contents_of(rows))
    with pytest.raises(UserError, match="for inference has no discriminator"):
        model.compile()


def test_the_retrieval_stage_translates_too(workdir, tiny_stages, images):
    model = load(workdir.stage("retrieval"))
    plain = load(workdir.stage("translation"))
    np.testing.assert_array_equal(model.translate(images, ["Male"]).images, plain.translate(images, ["Male"]).images)
    assert model.retrieve(images, ["Male"], k=1).ids.shape == (3, 1)
    with pytest.raises(UserError, match="no gallery"):
        plain.retrieve(images, ["Male"])


def test_a_damaged_export(export, tmp_path):
    import shutil

    folder = tmp_path / "1"
    shutil.copytree(export, folder)
    (folder / "saved_model.pb").write_bytes(b"half")
    with pytest.raises(UserError, match=r"cannot be read .*export the model again"):
        load(describe(folder))
