"""StepNoise on one device; test_replicas.py has the same draws on two."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.stages.noise import StepNoise


def noise(seed=0, step=0, batch=4):
    return StepNoise(seed, tf.constant(step, tf.int64), tf.constant(batch))


def draws(source):
    return [source.normal(3).numpy(), source.uniform(3).numpy(), source.normal(3).numpy(), source.seeds(8).numpy()]


def test_the_same_step_draws_the_same():
    for left, right in zip(draws(noise(3, 5)), draws(noise(3, 5)), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("other", [{"seed": 1}, {"step": 1}, {"seed": 1_000_003}], ids=str)
def test_another_seed_or_step_draws_otherwise(other):
    for left, right in zip(draws(noise()), draws(noise(**other)), strict=True):
        assert not np.isclose(left, right).any()


def test_draws_of_one_step_differ():
    source = noise()
    first, second = source.normal(500), source.normal(500)
    assert abs(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1]) < 0.1


def test_distributions():
    source = noise(batch=1000)
    normal, uniform = source.normal(20).numpy(), source.uniform(20).numpy()
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1.0) < 0.03
    assert uniform.min() >= 0.0 and uniform.max() < 1.0
    assert abs(uniform.mean() - 0.5) < 0.01


def test_seeds_are_different_ones_for_each_row():
    seeds = noise(batch=4).seeds(12).numpy()
    assert seeds.shape == (12, 2) and seeds.dtype == np.int32
    assert len({tuple(seed) for seed in seeds}) == 12


def test_step_may_be_a_variable_in_a_graph():
    step = tf.Variable(0, dtype=tf.int64)

    @tf.function
    def draw():
        return StepNoise(0, step, 2).normal(3)

    first = draw().numpy()
    step.assign(1)
    assert not np.isclose(first, draw()).any()
    step.assign(0)
    np.testing.assert_array_equal(draw(), first)
