"""Several steps between two returns to Python, and steps compiled by XLA."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.stages.retrieval import RetrievalModel

OPTIMIZER = {"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0}
LOSS = {"mask_warmup": 0, "kl_warmup": 0, "gradient_penalty": 2.0, "domain_gradient_penalty": 0.5}


def batches(make_batch, count):
    each = [make_batch(seed=position) for position in range(count)]
    return tf.data.Dataset.from_tensor_slices({name: tf.stack([b[name] for b in each]) for name in each[0]})


def small_retrieval(translation, **execution):
    model = RetrievalModel(translation, embedding_dim=8, hidden=16, content_channels=4)
    model.compile(OPTIMIZER, **execution)
    return model


def test_steps_are_numbered_alike_however_many_are_run_at_once(translation, make_batch):
    results = []
    for at_once in (1, 2):
        tf.keras.utils.set_random_seed(1)
        model = small_retrieval(translation, steps_per_execution=at_once)
        before = np.concatenate([np.ravel(variable) for variable in model.trained_variables])
        # Five steps: the last run is shorter. Then two more, as after a resume.
        terms = [model.fit(batches(make_batch, count), verbose=0).history for count in (5, 2)]
        assert int(model.step) == int(model.network_optimizer.iterations) == 7
        after = np.concatenate([np.ravel(variable) for variable in model.trained_variables])
        results.append((after - before, terms))
    (change, terms), (other_change, other_terms) = results
    # Rounding differs in a loop, and AdamW makes much of it; other noise would show far more.
    assert np.linalg.norm(change - other_change) < 5e-2 * np.linalg.norm(change)
    for mine, theirs in zip(terms, other_terms, strict=True):
        for name, (value,) in mine.items():
            assert theirs[name][0] == pytest.approx(value, rel=1e-2, abs=1e-3), name


def test_the_means_of_an_epoch_are_the_same_without_the_terms_of_its_steps(translation, make_batch):
    found, handed_over = [], []
    for each_step in (True, False):
        tf.keras.utils.set_random_seed(1)
        model, seen = small_retrieval(translation), []
        watch = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs, seen=seen: seen.append(len(logs)))
        data = batches(make_batch, 2)
        found.append(model.fit(data, epochs=2, callbacks=[watch], terms_each_step=each_step, verbose=0).history)
        handed_over.append(seen)
    assert found[0] == found[1] and len(found[0]["triplet_loss"]) == 2
    assert handed_over == [[len(found[0])] * 4, [0] * 4]


def histories(models, data):
    """The means of two steps of a model and of another that XLA compiles, which draws other random numbers."""
    found = [model.fit(data.repeat(2), verbose=0).history for model in models]
    assert [int(model.step) for model in models] == [2, 2]
    assert all(np.isfinite(value) for history in found for (value,) in history.values())
    return found


@pytest.mark.slow
def test_a_retrieval_step_compiled_by_xla_trains(translation, make_batch):
    models = []
    for jit_compile in (False, True):
        tf.keras.utils.set_random_seed(1)
        models.append(small_retrieval(translation, jit_compile=jit_compile))
    plain, compiled = histories(models, batches(make_batch, 1))
    assert plain.keys() == compiled.keys()
    # The triplets are others.
    assert compiled["triplet_loss"][0] == pytest.approx(plain["triplet_loss"][0], rel=0.5)


@pytest.mark.soak
def test_a_translation_step_compiled_by_xla_trains(make_translation, make_batch):
    models = [make_translation(), make_translation()]
    for model, jit_compile in zip(models, (False, True), strict=True):
        model.compile(OPTIMIZER, {**LOSS, "adversarial": 0.0}, jit_compile=jit_compile)
    plain, compiled = histories(models, batches(make_batch, 1))
    for name, (value,) in plain.items():
        assert compiled[name][0] == pytest.approx(value, rel=0.2, abs=0.05), name


@pytest.mark.soak
@pytest.mark.parametrize("guidance", [{}, {"fusion": "attention", "content_target": "fused", "style": "neighbors"}])
def test_a_guided_step_compiled_by_xla_trains(make_guided, make_batch, guidance):
    models = [make_guided(loss=LOSS, jit_compile=jit_compile, **guidance) for jit_compile in (False, True)]
    plain, compiled = histories(models, batches(make_batch, 1))
    for name, (value,) in plain.items():
        assert compiled[name][0] == pytest.approx(value, rel=0.2, abs=0.05), name


@pytest.mark.parametrize("style", ["prior", "neighbors"])
def test_neighbours_found_by_xla_are_the_same(make_guided, make_batch, style):
    model, batch = make_guided(style=style, compile=False), make_batch()
    rows = model.without_names(batch)["row"]
    content = model.content_encoder(batch["image"])
    asked = model.prior.sample(batch["target"], tf.random.stateless_normal((4, 10), (1, 2)))

    def look_up(content, asked, rows):
        styles = model.target_styles(content, asked, rows, None)
        found = model.neighbor_rows(content, styles, rows)
        return styles, found, model.contents_of(found)

    expected = look_up(content, asked, batch["id"])
    compiled = tf.function(look_up, jit_compile=True, autograph=False)(content, asked, rows)
    for mine, theirs in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_batch_without_names_says_what_not_to_retrieve(make_guided, make_batch):
    model, batch = make_guided(compile=False), make_batch()
    batch["id"] = tf.constant(["3", "0", "nobody", ""])
    found = model.without_names(batch)
    assert "id" not in found and found["image"] is batch["image"]
    np.testing.assert_array_equal(found["row"], [3, 0, -1, -1])
    assert "row" not in make_guided(neighbors=0, compile=False).without_names(batch)
    some = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    with pytest.raises(UserError, match="drop_remainder=True"):
        some.map(model.without_names)


def test_what_xla_cannot_compile_is_refused(make_guided, gallery):
    for message, arguments in {
        "random neighbours": {"mode": "random"},
        "content_cache_mb that holds all": {"content_cache_mb": 0},
    }.items():
        with pytest.raises(UserError, match=message):
            make_guided(jit_compile=True, **arguments)
    with pytest.raises(UserError, match="index='exact'"):
        make_guided(jit_compile=True, gallery=gallery.with_index("scann"))
