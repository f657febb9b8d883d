"""Stage 3 in training: fusion, G and D alone, by images that are not the input's own."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.config import CONTENT_TARGETS
from tests.small_models import let_neighbours_in, step_noise

GUIDANCE = (
    {},
    {"fusion": "attention", "content_target": "fused", "style": "neighbors"},
    pytest.param({"style": "neighbors"}, marks=pytest.mark.soak),
    pytest.param({"style": "neighbors", "mode": "random"}, marks=pytest.mark.soak),
)


FURTHER = (pytest.param({}, marks=pytest.mark.soak), *GUIDANCE[1:])


def test_the_noise_is_what_the_translation_stage_ended_with(make_guided):
    model = make_guided(loss={"noise": 0.5, "final_noise": 0.2})
    for step in (0, 200):
        model.step.assign(step)
        assert float(model.noise_share()) == pytest.approx(0.2)


def test_eq_2_may_hold_to_the_fused_content(make_guided, make_batch):
    passes, gradients, batch = {}, {}, make_batch()
    for target in CONTENT_TARGETS:
        model = make_guided(initial_share=0.25, content_target=target)
        with tf.GradientTape() as tape:
            passes[target] = model.forward(batch, step_noise())
            held = tf.reduce_sum(passes[target].content)
        gradients[target] = tape.gradient(held, model.trained_variables)
        assert all(gradient is None for gradient in gradients[target]), "what is aimed at does not move towards it"
    content = model.content_encoder(batch["image"])
    np.testing.assert_allclose(passes["input"].content, content, atol=1e-5)
    source = step_noise()
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
        loss = model.loss_terms(model.forward(batch, step_noise()), batch)["generator_loss"]
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
        model.forward(make_batch(), step_noise())
    # Reconstruction and translation together, then the way back.
    assert [len(ids) for ids, _ in asked] == [8, 4] * 2
    for ids, rows in asked:
        own = model.gallery.rows_of(ids).numpy()
        assert (own >= 0).all() and not (rows == own[:, None]).any()


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
