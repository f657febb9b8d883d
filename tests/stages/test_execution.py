"""Several steps between two returns to Python, and steps compiled by XLA."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.stages.guided import GuidedModel
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


def test_a_search_cannot_be_compiled_by_xla(translation, retrieval, gallery):
    model = GuidedModel(translation, retrieval, gallery, 2)
    with pytest.raises(UserError, match="cannot be compiled by XLA"):
        model.compile(OPTIMIZER, LOSS, jit_compile=True)
