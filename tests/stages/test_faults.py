"""A loss or a gradient that is no number: nothing is updated, and the run stops or goes back."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.stages import optimization
from rgunit_tf.stages.faults import NumericalFault

pytestmark = pytest.mark.slow


def state(model):
    """Everything a resumed run needs, but the counter of the steps."""
    values = [network.get_weights() for network in model.networks.values()]
    values += [[variable.numpy() for variable in optimizer.variables] for optimizer in model.optimizers.values()]
    return [value for group in values for value in group if value.shape or value.dtype != np.float32]


def batches(make_batch, *bad):
    """Four batches; those at the positions `bad` hold a pixel that is no number."""
    result = []
    for position in range(4):
        batch = dict(make_batch(seed=position))
        if position in bad:
            image = batch["image"].numpy()
            image[0, 3, 3, 0] = np.nan
            batch["image"] = tf.constant(image)
        result.append(batch)
    return tf.data.Dataset.from_generator(
        lambda: iter(result), output_signature={k: tf.TensorSpec(v.shape, v.dtype) for k, v in result[0].items()}
    )


@pytest.fixture(params=["translation", "retrieval"])
def make_model(request, make_translation, schema):
    from rgunit_tf.stages.retrieval import RetrievalModel

    def make():
        translation = make_translation()
        if request.param == "translation":
            return translation
        tf.keras.utils.set_random_seed(1)
        model = RetrievalModel(translation, embedding_dim=8, hidden=16, content_channels=4)
        model.compile({"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0})
        return model

    return make


def test_a_fault_leaves_the_last_good_step_and_training_goes_on_as_if_it_had_not_been(make_model, make_batch):
    good, faulty = make_model(), make_model()
    good.fit(batches(make_batch).take(2), verbose=0, average=False)
    with pytest.raises(NumericalFault, match=r"step 2: .*not finite") as error:
        faulty.fit(batches(make_batch, 2), verbose=0, average=False)
    assert error.value.step == 2 == int(faulty.step.numpy())
    assert {"gradient_norm", "generator_gradient_norm"} & set(error.value.terms)
    assert len(state(good)) > 20
    for mine, theirs in zip(state(good), state(faulty), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    before = state(good)
    for model in (good, faulty):
        model.fit(batches(make_batch).skip(2), verbose=0, average=False)
    for mine, theirs in zip(state(good), state(faulty), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert not all(np.array_equal(old, new) for old, new in zip(before, state(faulty), strict=True))


def test_one_side_at_fault_stops_the_other_as_well(make_translation, make_batch):
    model = make_translation()
    before = state(model)
    kernel = model.discriminator.scales[0].realness.kernel
    kernel.assign(tf.fill(kernel.shape, np.inf))
    with pytest.raises(NumericalFault, match="adversarial_d"):
        model.fit(batches(make_batch).take(1), verbose=0, average=False)
    changed = [not np.array_equal(x, y) for x, y in zip(before, state(model), strict=True)]
    assert sum(changed) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_update_changes_nothing_where_a_gradient_is_not_finite(value):
    variables = [tf.Variable([1.0, 2.0], name="kernel"), tf.Variable([3.0], name="other/kernel")]
    optimizer = optimization.AdamW(0.1, weight_decay=0.5, average=True, ema_momentum=0.5)
    optimizer.build(variables)
    applied = tf.Variable(1.0)

    def step(gradient):
        gradients = [tf.constant([1.0, gradient]), tf.constant([1.0])]
        return optimization.apply_clipped(
            [optimization.Update(optimizer, tf.constant(0.5), gradients, variables)], 2.0, applied
        )

    step(1.0)
    before = [v.numpy() for v in (*variables, *optimizer.variables)]
    (norm,), made = step(value)
    assert not np.isfinite(float(norm)) and not bool(made)
    assert float(applied) == 0.0
    step(1.0)  # held, since nobody has looked yet
    for old, new in zip(before, (*variables, *optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    applied.assign(1.0)
    step(1.0)
    assert np.abs(variables[0] - before[0]).min() > 1e-3
