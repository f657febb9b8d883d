"""Stage 3: starts as the translation model, retrieves real images, trains fusion, G and D alone."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.config import CONTENT_TARGETS, FUSIONS
from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery
from rgunit_tf.retrieval.contents import Contents
from rgunit_tf.stages.guided import GuidedModel
from rgunit_tf.stages.noise import StepNoise

GUIDANCE = (
    {},
    {"fusion": "attention", "content_target": "fused", "style": "neighbors"},
    pytest.param({"style": "neighbors"}, marks=pytest.mark.soak),
    pytest.param({"style": "neighbors", "mode": "random"}, marks=pytest.mark.soak),
)
# The paper's own way takes and resumes traced steps in tests of replicas and of whole runs.
FURTHER = (pytest.param({}, marks=pytest.mark.soak), *GUIDANCE[1:])


@pytest.fixture(scope="module")
def make_guided(translation, retrieval, gallery):
    def make(neighbors=2, optimizer=None, loss=None, **arguments):
        tf.keras.utils.set_random_seed(2)
        model = GuidedModel(translation, retrieval, gallery if neighbors else None, neighbors, **arguments)
        model.compile(
            {"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0, **(optimizer or {})},
            {"mask_warmup": 0, "kl_warmup": 0, **(loss or {})},
        )
        return model

    return make


@pytest.fixture(scope="module")
def guided(make_guided):
    """An untrained guided model; tests leave its weights as they are."""
    return make_guided()


@pytest.fixture
def styles(translation, make_batch):
    noise = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    return translation.prior.sample(make_batch()["target"], noise)


def let_neighbours_in(model):
    """Moves what starts without the neighbours, so that they matter."""
    if model.guidance["fusion"] == "attention":
        model.fusion.projection.kernel.assign_add(tf.fill(model.fusion.projection.kernel.shape, 0.1))
    else:
        kernel = model.fusion.outer.kernel
        kernel.assign_add(tf.concat([tf.zeros((1, 1, 16, 16)), tf.fill((1, 1, 16, 16), 0.1)], 2))


def noise(step=0, batch=4):
    return StepNoise(0, tf.constant(step, tf.int64), tf.constant(batch))


def test_the_noise_is_what_the_translation_stage_ended_with(make_guided):
    model = make_guided(loss={"noise": 0.5, "final_noise": 0.2})
    for step in (0, 200):
        model.step.assign(step)
        assert float(model.noise_share()) == pytest.approx(0.2)


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
    passes, plain = model.forward(batch, noise()), translation.forward(batch, noise())
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
    mine, theirs = (each.forward(batch, noise()) for each in (model, translation))
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


def test_eq_2_may_hold_to_the_fused_content(make_guided, make_batch):
    passes, gradients, batch = {}, {}, make_batch()
    for target in CONTENT_TARGETS:
        model = make_guided(initial_share=0.25, content_target=target)
        with tf.GradientTape() as tape:
            passes[target] = model.forward(batch, noise())
            held = tf.reduce_sum(passes[target].content)
        gradients[target] = tape.gradient(held, model.trained_variables)
        assert all(gradient is None for gradient in gradients[target]), "what is aimed at does not move towards it"
    content = model.content_encoder(batch["image"])
    np.testing.assert_allclose(passes["input"].content, content, atol=1e-5)
    source = noise()
    source.normal(10)
    target_styles = model.prior.sample(batch["target"], source.normal(10))
    fused = model.guide(content, target_styles, batch["id"], None)
    np.testing.assert_allclose(passes["fused"].content, fused, atol=1e-4)
    assert float(tf.reduce_max(tf.abs(fused - content))) > 0.1


def test_its_weights_are_copies(make_guided, translation, make_batch):
    model = make_guided(0)
    before = translation.decoder.get_weights()
    model.train_step(make_batch())
    for left, right in zip(translation.decoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("guidance", GUIDANCE)
def test_fit_trains_fusion_decoder_and_discriminator_alone(make_guided, retrieval, make_batch, guidance):
    model = make_guided(**guidance)
    parts = {**model.networks, "retrieval": retrieval.network}
    before = {name: part.get_weights() for name, part in parts.items()}
    gallery_before = model.gallery.embeddings.numpy()
    dataset = tf.data.Dataset.from_tensors(make_batch()).repeat(3)
    history = model.fit(dataset, epochs=1, verbose=0).history
    assert np.isfinite([value for values in history.values() for value in values]).all()
    frozen = {"content_encoder", "style_encoder", "retrieval"}
    assert set(parts) == frozen | {"decoder", "discriminator", "fusion"}
    for name, part in parts.items():
        changed = [not np.array_equal(x, y) for x, y in zip(part.get_weights(), before[name], strict=True)]
        assert not any(changed) if name in frozen else all(changed), (name, changed)
    np.testing.assert_array_equal(model.gallery.embeddings, gallery_before)


@pytest.mark.parametrize("guidance", FURTHER)
def test_training_goes_on_where_it_stopped(make_guided, make_batch, tmp_path, guidance):
    model, batch = make_guided(**guidance), make_batch()
    model.train_step(batch)
    path = tf.train.Checkpoint(**model.training_state).write(str(tmp_path / "state"))
    again = make_guided(**guidance)
    tf.train.Checkpoint(**again.training_state).read(path).assert_consumed()
    for each in (model, again):
        each.term_means.reset_state()
    terms = [each.train_step(batch) for each in (model, again)]
    assert all(np.array_equal(terms[0][name], terms[1][name]) for name in terms[0])
    for left, right in zip(model.trained_variables, again.trained_variables, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("guidance", FURTHER)
def test_a_traced_step_is_the_plain_one(make_guided, make_batch, guidance):
    batch, changes = make_batch(), []
    for traced in (False, True):
        model = make_guided(**guidance)
        before = np.concatenate([np.ravel(variable) for variable in model.trained_variables])
        for _ in range(2):
            (tf.function(model.train_step) if traced else model.train_step)(batch)
        after = np.concatenate([np.ravel(variable) for variable in model.trained_variables])
        changes.append(after - before)
    # AdamW makes much of rounding.
    assert np.linalg.norm(changes[0] - changes[1]) < 5e-2 * np.linalg.norm(changes[0])


@pytest.mark.parametrize("guidance", GUIDANCE)
def test_every_trained_kernel_has_a_gradient(make_guided, make_batch, guidance):
    model = make_guided(**guidance)
    let_neighbours_in(model)
    batch = make_batch()
    with tf.GradientTape() as tape:
        loss = model.loss_terms(model.forward(batch, noise()), batch)["generator_loss"]
    variables = model.trained_variables
    assert {id(v) for v in variables} == {id(v) for v in [*model.fusion.weights, *model.decoder.weights]}
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        if "kernel" in variable.name:
            assert float(tf.norm(gradient)) > 1e-7, variable.name


def test_one_batch_is_learnt_by_heart(make_guided, make_batch):
    # Ec and Es are frozen, and untrained here: of their terms no fall is asked.
    model = make_guided(loss={"adversarial": 0.0})
    step = tf.function(model.train_step)
    results = []
    for _ in range(200):
        model.term_means.reset_state()
        results.append({name: float(value) for name, value in step(make_batch()).items()})
    first, last = results[0], results[-1]
    for name, factor in {"reconstruction": 0.6, "cycle": 0.6, "domain_d": 0.1}.items():
        assert last[name] < factor * first[name], (name, first[name], last[name])


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


def test_no_step_of_training_retrieves_an_image_for_itself(make_guided, make_batch, monkeypatch):
    model, asked = make_guided(), []
    inner = model.neighbor_rows

    def record(content, styles, ids, source=None):
        rows = inner(content, styles, ids, source)
        asked.append((ids.numpy().tolist(), rows.numpy()))
        return rows

    monkeypatch.setattr(model, "neighbor_rows", record)
    for mode in ("retrieved", "random"):
        model.mode = mode
        model.forward(make_batch(), noise())
    # Reconstruction and translation together, then the way back.
    assert [len(ids) for ids, _ in asked] == [8, 4] * 2
    for ids, rows in asked:
        own = model.gallery.rows_of(ids).numpy()
        assert (own >= 0).all() and not (rows == own[:, None]).any()


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
        return model.neighbor_rows(content, styles, batch["id"], noise(step)).numpy()

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


def test_a_step_is_the_same_with_and_without_held_contents(make_guided, make_batch):
    batch, states = make_batch(), []
    for size in (0, 5 / 1024, 1):
        model = make_guided(content_cache_mb=size)
        model.train_step(batch)
        states.append([variable.numpy() for variable in model.trained_variables])
    for other in states[1:]:
        for left, right in zip(states[0], other, strict=True):
            # AdamW divides by the size of the gradient, which is rounding error alone for biases that do nothing.
            assert np.mean(np.abs(left - right)) < 1e-4
    np.testing.assert_allclose(states[1][0], states[2][0], atol=1e-4)


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
