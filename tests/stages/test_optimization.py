"""The optimiser against Keras' own AdamW, and the clipping."""

import types

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import config
from rgunit_tf.stages import optimization

NAMES = ("dense/kernel", "dense/bias", "layer_normalization/scale", "layer_normalization/shift", "scale_network/kernel")


def settings(**overrides):
    values = {"learning_rate": 0.01, "learning_rate_warmup": 0, "steps": 50, "weight_decay": 0.1, **overrides}
    return config.group_settings("translation", values)


def variables():
    random = np.random.default_rng(0)
    return [tf.Variable(random.normal(size=(4, 3)), dtype=tf.float32, name=name) for name in NAMES]


def gradients(step):
    random = np.random.default_rng(100 + step)
    return [tf.constant(random.normal(size=(4, 3)), tf.float32) for _ in NAMES]


@pytest.mark.parametrize("warmup", [0, 3])
def test_updates_equal_those_of_keras(warmup):
    wanted = settings(ema_momentum=0.9, learning_rate_warmup=warmup)
    mine, theirs = variables(), variables()
    optimizer = optimization.make_optimizer(wanted, average=True)
    reference = tf.keras.optimizers.AdamW(
        optimizer.schedule,
        weight_decay=0.1,
        beta_1=0.5,
        beta_2=0.999,
        use_ema=True,
        ema_momentum=0.9,
        ema_overwrite_frequency=None,
        jit_compile=False,
    )
    reference.exclude_from_weight_decay(var_list=theirs[1:4])
    optimizer.build(mine)
    reference.build(theirs)
    before = [variable.numpy() for variable in mine]
    for step in range(8):
        optimizer.apply_gradients(zip(gradients(step), mine, strict=True))
        reference.apply_gradients(zip(gradients(step), theirs, strict=True))
        for left, right, start in zip(mine, theirs, before, strict=True):
            np.testing.assert_allclose(left, right, atol=1e-6, err_msg=left.name)
            if step:
                assert np.abs(left - start).max() > 1e-4
    # Iterations, averages and moments are in Keras' order, so that what was written with one is read with the other.
    assert optimizer.variables[0].dtype == reference.variables[0].dtype == tf.int64
    for left, right in zip(optimizer.variables, reference.variables, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_updates_equal_those_of_tensorflow_addons():
    from tests.references import addons

    mine, theirs = (variables()[:1] for _ in range(2))
    optimizer, reference = optimization.AdamW(0.01, 0.1, 0.5, 0.99), addons.adamw(0.01, 0.1, 0.5, 0.99)
    for step in range(5):
        optimizer.apply_gradients([(gradients(step)[0], mine[0])])
        reference.apply_gradients([(gradients(step)[0], theirs[0])])
    np.testing.assert_allclose(mine[0], theirs[0], atol=1e-6)
    assert np.abs(mine[0] - variables()[0]).max() > 1e-3


def test_checkpoints_of_keras_optimizer_are_read(tmp_path):
    theirs, mine = variables(), variables()
    reference = tf.keras.optimizers.AdamW(
        tf.keras.optimizers.schedules.CosineDecay(0.1, 20), weight_decay=0.1, use_ema=True, jit_compile=False
    )
    reference.build(theirs)
    for step in range(3):
        reference.apply_gradients(zip(gradients(step), theirs, strict=True))
    path = tf.train.Checkpoint(optimizer=reference).write(str(tmp_path / "step"))
    optimizer = optimization.make_optimizer(settings(), average=True)
    optimizer.build(mine)
    tf.train.Checkpoint(optimizer=optimizer).read(path).assert_existing_objects_matched()
    assert int(optimizer.iterations) == 3
    for left, right in zip(optimizer.variables, reference.variables, strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(optimizer.moments_of(mine[0])[1], reference._velocities[0])


def test_weight_decay_spares_biases_and_norms_only():
    optimizer = optimization.make_optimizer(settings(weight_decay=0.5), average=False)
    mine = variables()
    optimizer.build(mine)
    before = [variable.numpy() for variable in mine]
    optimizer.apply_gradients([(tf.zeros((4, 3)), variable) for variable in mine])
    factor = [1.0 - 0.5 * 0.01, 1.0, 1.0, 1.0, 1.0 - 0.5 * 0.01]
    for variable, start, kept in zip(mine, before, factor, strict=True):
        np.testing.assert_allclose(variable, kept * start, rtol=1e-5, err_msg=variable.name)


def test_weight_decay_reaches_every_kernel_of_the_networks(translation):
    optimizer = translation.discriminator_optimizer
    decayed = {variable.name for variable in translation.discriminator.trainable_variables if "kernel" in variable.name}
    for variable in [*translation.discriminator.trainable_variables, *translation.trained_variables]:
        assert optimizer.decays(variable) == ("kernel" in variable.name), variable.name
    assert decayed


def test_learning_rate_rises_then_falls_to_its_final_share():
    optimizer = optimization.make_optimizer(
        settings(steps=1000, learning_rate_warmup=50, final_learning_rate=0.1), average=False
    )
    schedule = optimizer.schedule
    assert float(schedule(0)) == 0.0
    assert float(schedule(25)) == pytest.approx(0.005)
    assert float(schedule(50)) == pytest.approx(0.01)
    assert float(schedule(525)) == pytest.approx(0.01 * (0.1 + 0.9 * 0.5), rel=1e-3)
    assert float(schedule(1000)) == pytest.approx(0.001)


def test_gradients_are_clipped_by_their_global_norm():
    variable, other = tf.Variable([0.0, 0.0]), tf.Variable([0.0])
    optimizer = tf.keras.optimizers.SGD(1.0)
    gradients = [tf.constant([3.0, 0.0]), tf.constant([4.0])]
    update, applied = optimization.Update(optimizer, tf.zeros(()), gradients, [variable, other]), tf.Variable(1.0)
    (norm,), made = optimization.apply_clipped([update], 2.0, applied)
    assert bool(made)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose(variable, [-3.0 * 2 / 5, 0.0], rtol=1e-6)
    np.testing.assert_allclose(other, [-4.0 * 2 / 5], rtol=1e-6)
    assert float(optimization.apply_clipped([update], 100.0, applied)[0][0]) == pytest.approx(5.0)
    np.testing.assert_allclose(other, [-4.0 * 2 / 5 - 4.0], rtol=1e-6)


def test_averages_are_swapped_in_and_out_again():
    optimizer = optimization.make_optimizer(settings(ema_momentum=0.5), average=True)
    mine = variables()
    optimizer.build(mine)
    start = mine[0].numpy()
    for step in range(3):
        optimizer.apply_gradients(zip(gradients(step), mine, strict=True))
    own = [variable.numpy() for variable in mine]
    with pytest.raises(RuntimeError), optimization.averaged(optimizer, mine):
        for variable, value, average in zip(mine, own, map(optimizer.average_of, mine), strict=True):
            np.testing.assert_array_equal(variable, average)
            assert np.abs(variable - value).max() > 1e-5
        assert np.abs(mine[0] - start).max() > 1e-5
        raise RuntimeError
    for variable, value in zip(mine, own, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_finalizing_leaves_the_weights():
    optimizer = optimization.make_optimizer(settings(ema_momentum=0.5), average=True)
    mine = variables()
    optimizer.build(mine)
    optimizer.apply_gradients(zip(gradients(0), mine, strict=True))
    own = mine[0].numpy()
    optimizer.finalize_variable_values(mine)
    np.testing.assert_array_equal(mine[0], own)


def test_settings_are_those_of_the_config():
    optimizer = optimization.make_optimizer(types.SimpleNamespace(**vars(settings(beta_1=0.4, beta_2=0.95))), True)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.weight_decay, optimizer.ema_momentum) == (
        0.4,
        0.95,
        0.1,
        0.999,
    )
