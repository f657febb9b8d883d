"""Mixed precision: 16 bits in the networks, float32 in all that must not round, and a scale for float16."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.stages import optimization, precision
from rgunit_tf.stages.noise import StepNoise


@pytest.fixture(scope="module")
def make(make_translation):
    def make(policy):
        with precision.policy(policy):
            return make_translation(loss={"adversarial": 0.0, "gradient_penalty": 2.0, "domain_gradient_penalty": 0.5})

    return make


def test_the_policy_ends_with_its_block():
    with pytest.raises(RuntimeError), precision.policy("mixed_bfloat16"):
        assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"
        raise RuntimeError
    assert tf.keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize(("policy", "dtype"), [("mixed_bfloat16", tf.bfloat16), ("mixed_float16", tf.float16)])
def test_networks_compute_in_16_bits_and_the_rest_in_32(make, make_batch, policy, dtype):
    model, exact, batch = make(policy), make("float32"), make_batch()
    assert model.content_encoder(batch["image"]).dtype == dtype
    noise = [StepNoise(0, tf.zeros((), tf.int64), tf.constant(4)) for _ in range(2)]
    passes = model.forward(batch, noise[0])
    assert passes.translated.dtype == passes.mask.dtype == passes.own_style.dtype == passes.kl.dtype == tf.float32
    assert all(verdict.realness.dtype == verdict.domain.dtype == tf.float32 for verdict in passes.on_real)
    variables = [*model.trained_variables, *model.generator_optimizer.variables]
    assert {variable.dtype for variable in variables} == {tf.float32, tf.int64}
    terms, expected = model.loss_terms(passes, batch), exact.batch_terms(batch, noise[1])
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(float(value), rel=0.03, abs=0.01), name


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_one_batch_is_learnt_by_heart_and_a_checkpoint_resumes(make, make_batch, tmp_path, policy):
    model, batch = make(policy), make_batch()
    step, results = tf.function(model.train_step), []
    for number in range(80):
        if number == 78:
            path = tf.train.Checkpoint(**model.training_state).write(str(tmp_path / "state"))
        model.term_means.reset_state()
        results.append({name: float(value) for name, value in step(batch).items()})
    # In float16 the first steps are skipped, until the scale of the loss fits.
    first = next(terms for terms in results[:20] if terms["generator_loss"])
    assert (first is results[0]) == (policy == "mixed_bfloat16")
    assert results[-1]["generator_loss"] < 0.7 * first["generator_loss"]
    other = make(policy)
    tf.train.Checkpoint(**other.training_state).read(path).assert_existing_objects_matched()
    assert int(other.step) == 78
    for number in (78, 79):
        other.term_means.reset_state()
        terms = other.train_step(batch)
        assert float(terms["generator_loss"]) == pytest.approx(results[number]["generator_loss"], rel=0.02)


def test_an_overflow_skips_the_step_and_halves_the_scale():
    variable, applied, scale = tf.Variable([1.0], name="kernel"), tf.Variable(1.0), precision.LossScale()
    optimizer = optimization.AdamW(0.1)
    optimizer.build([variable])

    def step(gradient):
        update = optimization.Update(optimizer, tf.constant(1.0), [tf.constant([gradient])], [variable])
        return optimization.apply_clipped([update], 2.0, applied, scale)

    (norm,), made = step(3.0 * float(scale.value))
    assert bool(made) and float(norm) == pytest.approx(3.0)
    assert float(optimizer.moments_of(variable)[0][0]) == pytest.approx(
        0.1 * 2.0, rel=1e-5
    )  # clipped at 2, without the scale
    before = variable.numpy()
    _, made = step(np.inf)
    assert not bool(made) and float(applied) == 1.0
    assert float(scale.value) == precision.LossScale.INITIAL / 2 and int(optimizer.iterations) == 1
    np.testing.assert_array_equal(variable, before)
    scale.good_steps.assign(precision.LossScale.GROWTH - 1)
    step(1.0)
    assert float(scale.value) == precision.LossScale.INITIAL and int(scale.good_steps) == 0


def test_a_scale_that_cannot_fall_is_a_fault():
    scale = precision.LossScale()
    for _ in range(15):
        assert not bool(scale.update(tf.constant(False)))
    assert float(scale.value) == 1.0
    assert bool(scale.update(tf.constant(False)))
    assert not bool(scale.update(tf.constant(True)))
