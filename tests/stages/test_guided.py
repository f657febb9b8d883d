"""Stage 3: starts as the translation model, retrieves real images, trains fusion, G and D alone."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.config import FUSIONS
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.stages.guided import GuidedModel
from tests.small_models import let_neighbours_in, step_noise

GUIDANCE = (
    {},
    {"fusion": "attention", "content_target": "fused", "style": "neighbors"},
    pytest.param({"style": "neighbors"}, marks=pytest.mark.soak),
    pytest.param({"style": "neighbors", "mode": "random"}, marks=pytest.mark.soak),
)
# The paper's own way takes and resumes traced steps in tests of replicas and of whole runs.
FURTHER = (pytest.param({}, marks=pytest.mark.soak), *GUIDANCE[1:])


@pytest.fixture
def styles(translation, make_batch):
    noise = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    return translation.prior.sample(make_batch()["target"], noise)


@pytest.mark.parametrize(
    ("neighbors", "mode", "fusion"),
    [
        (0, "retrieved", "equation9"),
        (1, "retrieved", "equation9"),
        (3, "random", "equation9"),
        (3, "random", "attention"),
        (11, "retrieved", "equation9"),
    ],
)
def test_starts_as_the_translation_model(make_guided, translation, make_batch, styles, neighbors, mode, fusion):
    model = make_guided(neighbors, mode=mode, fusion=fusion)
    batch = make_batch()
    mine = model.translate_with_style(batch["image"], styles, batch["id"])
    theirs = translation.translate_with_style(batch["image"], styles)
    for left, right in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    passes, plain = model.forward(batch, step_noise()), translation.forward(batch, step_noise())
    for name in ("reconstructed", "translated", "returned"):
        np.testing.assert_allclose(getattr(passes, name), getattr(plain, name), atol=1e-5, err_msg=name)


def test_may_start_as_a_mixture_with_what_is_retrieved(make_guided, make_batch, styles):
    model, batch = make_guided(initial_share=0.25), make_batch()
    content = model.content_encoder(batch["image"])
    rows = model.neighbor_rows(content, styles, batch["id"])
    mixture = 0.75 * content + 0.25 * tf.reduce_mean(model.contents_of(rows), 1)
    np.testing.assert_allclose(model.guide(content, styles, batch["id"], None), mixture, atol=1e-5)


def test_attention_starts_as_the_translation_model_to_the_bit(make_guided, translation, make_batch, styles):
    model, batch = make_guided(fusion="attention"), make_batch()
    mine, theirs = (each.forward(batch, step_noise()) for each in (model, translation))
    for left, right in zip(tf.nest.flatten(mine), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_array_equal(left, right)


def test_attention_finds_what_is_elsewhere(make_guided, make_batch, styles):
    """Neighbours whose positions are shuffled are the same to it but for where they are; to Eq. 9 they are others."""
    batch, moved = make_batch(), {}
    for fusion in FUSIONS:
        model = make_guided(fusion=fusion)
        let_neighbours_in(model)
        if fusion == "attention":
            # It asks for nothing in particular, nor for a place.
            model.fusion.queries.kernel.assign(tf.zeros_like(model.fusion.queries.kernel))
        content = model.content_encoder(batch["image"])
        neighbors = model.contents_of(model.neighbor_rows(content, styles, batch["id"]))
        turned = tf.reverse(neighbors, [2, 3])
        fused = [model.fusion(content, each, styles) for each in (neighbors, turned)]
        moved[fusion] = float(tf.reduce_max(tf.abs(fused[0] - fused[1])))
    assert moved["attention"] < 1e-5 < 1e-2 < moved["equation9"]


def test_what_attention_looks_for_depends_on_content_and_style(make_guided, make_batch, styles):
    model, batch = make_guided(fusion="attention"), make_batch()
    let_neighbours_in(model)
    content = model.content_encoder(batch["image"])
    neighbors = model.contents_of(model.neighbor_rows(content, styles, batch["id"]))

    def found(content, styles):
        return model.fusion(content, neighbors, styles) - content

    plain = found(content, styles)
    for other in (found(content, -styles), found(tf.roll(content, 1, 0), styles)):
        assert float(tf.reduce_max(tf.abs(other - plain))) > 1e-3
    assert not np.any(model.fusion(content, tf.zeros_like(neighbors), styles) - content)


def test_a_query_never_retrieves_itself(guided, translation, make_batch, styles):
    batch = make_batch()
    own = translation.style_encoder(batch["image"])[0]
    rows = guided.gallery.rows_of(batch["id"]).numpy()
    assert rows.tolist() == [0, 1, 2, 3]
    # Asked for itself, an image is its own nearest neighbour, unless its id says not to.
    unnamed = guided.neighbors_for(batch["image"], own, tf.fill((4,), ""))
    np.testing.assert_array_equal(unnamed[:, 0], rows)
    for style in (own, styles):
        named = guided.neighbors_for(batch["image"], style, batch["id"]).numpy()
        assert named.shape == (4, 2)
        assert not (named == rows[:, None]).any()


def test_neighbours_are_the_nearest_of_the_gallery(guided, retrieval, make_batch, styles):
    batch = make_batch()
    query = retrieval.embed_query(batch["image"], styles).numpy()
    distances = np.linalg.norm(query[:, None] - guided.gallery.embeddings.numpy()[None], axis=-1)
    distances[np.arange(4), np.arange(4)] = np.inf
    expected = np.argsort(distances, axis=1)[:, :2]
    np.testing.assert_array_equal(guided.neighbors_for(batch["image"], styles, batch["id"]), expected)


def test_random_neighbours_change_with_the_step_only(make_guided, make_batch, styles):
    model = make_guided(3, mode="random")
    batch = make_batch()
    content = model.content_encoder(batch["image"])

    def rows(step, styles=styles):
        return model.neighbor_rows(content, styles, batch["id"], step_noise(step)).numpy()

    np.testing.assert_array_equal(rows(0), rows(0))
    np.testing.assert_array_equal(rows(0), rows(0, styles + 1.0))
    assert (rows(0) != rows(1)).any()
    drawn = np.concatenate([rows(step) for step in range(40)])
    assert all(len(set(row)) == 3 for row in drawn)
    assert set(np.unique(drawn)) == set(range(12))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_guidance_reaches_the_picture(make_guided, make_batch, styles, fusion):
    model = make_guided(fusion=fusion)
    batch = make_batch()
    plain, _ = model.translate_with_style(batch["image"], styles, batch["id"])
    let_neighbours_in(model)
    guided, _ = model.translate_with_style(batch["image"], styles, batch["id"])
    assert float(tf.reduce_max(tf.abs(guided - plain))) > 1e-3


@pytest.mark.parametrize(
    ("kibibytes", "dtype", "held", "tolerance"),
    [
        (0, "float32", 0, 1e-5),
        (5, "float32", 5, 1e-5),
        (11.9, "float32", 11, 1e-5),
        (12, "float32", 12, 1e-5),
        (5, "float16", 10, 2e-3),
        (6, "float16", 12, 2e-3),
    ],
)
def test_contents_are_held_as_far_as_memory_allows(make_guided, guided, kibibytes, dtype, held, tolerance):
    # 4 x 4 x 16 numbers an image: 1 KiB in float32.
    model = make_guided(content_cache_mb=kibibytes / 1024, content_cache_dtype=dtype)
    assert model.contents_of.count == held
    lookup = tf.function(model.contents_of)
    for rows in ([[3, 0], [11, 5]], [[0, 1], [2, 3]], [[11, 10], [9, 11]], [[4, 5], [10, 11]]):
        images = tf.cast(guided.gallery.images(tf.constant(rows)), tf.float32) / 127.5 - 1.0
        expected = tf.stack([guided.content_encoder(images[:, rank]) for rank in range(2)], 1)
        found = lookup(tf.constant(rows))
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=tolerance)


def test_unlabelled_images_can_be_retrieved(translation, retrieval, make_batch, styles):
    train, unlabelled = make_batch(4), make_batch(6, seed=7, prefix="retrieval/")
    batches = [{name: part[name] for name in ("image", "id")} for part in (train, unlabelled)]
    gallery = Gallery.build(retrieval, batches)
    model = GuidedModel(translation, retrieval, gallery, neighbors=9)
    found = gallery.ids_at(model.neighbors_for(train["image"], styles, train["id"])).numpy()
    assert all(
        {name for name in row if name.startswith(b"retrieval/")} == set(unlabelled["id"].numpy()) for row in found
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"neighbors": 12}, "neighbors=12 but the gallery holds 12 images; use fewer"),
        ({"mode": "nearest"}, "mode='nearest'; known: retrieved, random"),
        ({"fusion": "sum"}, "fusion='sum'; known: equation9, attention"),
        ({"style": "random"}, "style='random'; known: prior, neighbors"),
        ({"style": "neighbors", "neighbors": 0}, "style='neighbors' needs some"),
        ({"content_target": "style"}, "content_target='style'; known: input, fused"),
        ({"fusion": "attention", "initial_share": 0.4}, "initial_share=0.4: a fusion by attention has none"),
    ],
)
def test_settings_that_cannot_be(translation, retrieval, gallery, arguments, message):
    with pytest.raises(UserError, match=message):
        GuidedModel(translation, retrieval, gallery, **arguments)


def test_neighbours_need_a_gallery_with_images(translation, retrieval, gallery):
    with pytest.raises(UserError, match="needs a gallery"):
        GuidedModel(translation, retrieval, None, neighbors=1)
    bare = Gallery.from_embeddings(gallery.embeddings.numpy(), gallery.ids)
    with pytest.raises(UserError, match="holds no images"):
        GuidedModel(translation, retrieval, bare, neighbors=1)


def test_the_settings_come_back(translation, retrieval, gallery):
    given = {"fusion": "attention", "content_target": "fused", "style": "neighbors"}
    model = GuidedModel(translation, retrieval, gallery, 2, content_cache_mb=0, content_cache_dtype="float16", **given)
    again = GuidedModel(translation, retrieval, gallery, **model.get_config())
    assert again.guidance == model.guidance == given
    assert (again.contents_of.budget_mb, again.contents_of.dtype, again.contents_of.count) == (0, "float16", 0)


def test_known_contents_are_not_computed(translation, retrieval, gallery, monkeypatch):
    model = GuidedModel(translation, retrieval, gallery, 2)
    monkeypatch.setattr(Contents, "_encode", lambda *arguments: pytest.fail("computed again"))
    again = GuidedModel(translation, retrieval, gallery, 2, contents=model.contents_of.held.numpy())
    np.testing.assert_array_equal(again.contents_of.held, model.contents_of.held)
