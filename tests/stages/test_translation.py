"""Stage 1: what a step computes, what it changes, and what it learns."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.models import convolutions
from rgunit_tf.models.layers import InstanceNormalization
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.translation import STEP_TERMS, TERMS, TranslationModel
from tests.small_models import step_noise

PENALTIES = {"gradient_penalty": 2.0, "domain_gradient_penalty": 0.5}


def weights(networks):
    return {name: network.get_weights() for name, network in networks.items()}


def same(left, right):
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def train(model, batch, steps):
    """Terms of the first and of the last of so many steps."""
    step = tf.function(model.train_step)
    results = []
    for number in range(steps):
        model.term_means.reset_state()
        terms = step(batch)
        if number in (0, steps - 1):
            results.append({name: float(value) for name, value in terms.items()})
    return results


def test_the_two_losses_are_weighted_sums_of_the_terms(make_translation, make_batch):
    chosen = {"adversarial": 2.0, "domain": 3.0, "content": 0.5, "style": 0.25, "reconstruction": 7.0, "cycle": 4.0}
    model = make_translation(loss={**chosen, **PENALTIES, "kl": 0.01, "kl_warmup": 20})
    batch = make_batch()
    for step, share in ((0, 0.0), (5, 0.25), (20, 1.0), (100, 1.0)):
        model.step.assign(step)
        terms = model.loss_terms(model.forward(batch, step_noise()), batch)
        assert set(terms) == set(TERMS)
        terms = {name: float(value) for name, value in terms.items()}
        discriminator_loss = 2.0 * terms["adversarial_d"] + 3.0 * terms["domain_d"] + terms["gradient_penalty"]
        assert terms["gradient_penalty"] > 1e-3
        assert terms["discriminator_loss"] == pytest.approx(discriminator_loss, rel=1e-5)
        generator_loss = 2.0 * terms["adversarial_g"] + 3.0 * terms["domain_g"] + 0.01 * share * terms["kl"]
        generator_loss += sum(chosen[name] * terms[name] for name in ("content", "style", "reconstruction", "cycle"))
        assert terms["generator_loss"] == pytest.approx(generator_loss, rel=1e-5)


def test_passes_of_a_step_are_those_of_the_paper(translation, make_batch):
    batch = make_batch()
    passes = translation.forward(batch, step_noise())
    source = step_noise()
    mean, log_variance = translation.style_encoder(batch["image"])
    own = mean + tf.exp(0.5 * log_variance) * source.normal(10)
    target = translation.prior.sample(batch["target"], source.normal(10))
    content = translation.content_encoder(batch["image"])
    translated, masks = translation.decode(content, target, batch["image"])
    returned, _ = translation.decode(translation.content_encoder(translated), own, translated)
    expected = {
        "content": content,
        "own_style": own,
        "target_style": target,
        "reconstructed": translation.decode(content, own, batch["image"])[0],
        "translated": translated,
        "mask": masks,
        "returned": returned,
        "translated_content": translation.content_encoder(translated),
        "translated_style": translation.style_encoder(translated)[0],
        "reconstructed_style": translation.style_encoder(passes.reconstructed)[0],
        "kl": translation.prior.kl(mean, log_variance, batch["label"]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(passes, name), value, atol=1e-4, rtol=1e-4, err_msg=name)
    for mine, plain in zip(passes.on_translated, translation.discriminator(translated), strict=True):
        np.testing.assert_allclose(mine.realness, plain.realness, atol=1e-4)


def test_gradients_are_those_of_the_plain_formulation(make_translation, make_batch):
    translation, batch = make_translation(loss=PENALTIES), make_batch()
    variables = [*translation.trained_variables, *translation.discriminator.trainable_variables]

    def gradients():
        terms = translation.batch_terms(batch, step_noise())
        return tf.gradients(terms["generator_loss"] + terms["discriminator_loss"], variables)

    fast = tf.function(gradients, autograph=False)()
    with convolutions.as_written():
        plain = tf.function(gradients, autograph=False)()
    assert len(fast) == len(plain) > 50
    difference = tf.linalg.global_norm([one - other for one, other in zip(fast, plain, strict=True)])
    assert 0.0 < difference < 1e-4 * tf.linalg.global_norm(plain)


@pytest.mark.parametrize(("step", "strength"), [(0, 0.0), (100, 0.0), (110, 0.5), (120, 1.0), (500, 1.0)])
def test_mask_is_off_during_its_warm_up(make_translation, make_batch, step, strength):
    model = make_translation(loss={"mask_warmup": 100})
    model.step.assign(step)
    assert float(model.mask_strength) == pytest.approx(strength)
    content, style, images = tf.zeros((1, 4, 4, 16)), tf.zeros((1, 10)), make_batch(1)["image"]
    decoded, masks = model.decoder(content, style)
    result, shown = model.decode(content, style, images)
    expected = 1.0 - strength * (1.0 - masks)
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    np.testing.assert_allclose(result, decoded * expected + images * (1.0 - expected), atol=1e-6)


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (150, 0.6), (300, 0.2), (400, 0.2)])
def test_the_noise_on_what_the_discriminator_sees_fades(make_translation, make_batch, step, share):
    model = make_translation({"steps": 300}, loss={"noise": 0.5, "final_noise": 0.2})
    model.step.assign(step)
    passes, source = model.forward(make_batch(), step_noise(step)), step_noise(step)
    for _ in range(2):
        source.normal(10)  # the styles
    seen = make_batch()["image"] + 0.5 * share * source.uniform(1, 1, 1) * source.normal(16, 16, 3)
    for mine, plain in zip(passes.on_real, model.discriminator(seen), strict=True):
        np.testing.assert_allclose(mine.realness, plain.realness, atol=1e-5)


def test_one_batch_is_learnt_by_heart(make_translation, make_batch):
    # No adversary: its game has no loss that only falls.
    model = make_translation(loss={"adversarial": 0.0, "noise": 0.0})
    first, last = train(model, make_batch(), 250)
    for name, factor in {"reconstruction": 0.4, "cycle": 0.5, "domain_d": 0.1, "domain_g": 0.3, "kl": 0.3}.items():
        assert last[name] < factor * first[name], (name, first[name], last[name])
    assert last["generator_loss"] < 0.4 * first["generator_loss"]
    assert set(last) == {*TERMS, *STEP_TERMS}
    assert int(model.step) == 250


def test_the_discriminator_learns_to_tell_real_from_translated(make_translation, make_batch):
    model = make_translation()
    model.generator_optimizer = tf.keras.optimizers.SGD(0.0)
    first, last = train(model, make_batch(), 100)
    assert last["adversarial_d"] < 0.3 * first["adversarial_d"]


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_each_loss_changes_its_own_side_only(make_translation, make_batch, side):
    model = make_translation()
    still = "discriminator" if side == "generator" else "generator"
    setattr(model, f"{still}_optimizer", tf.keras.optimizers.SGD(0.0))
    before = weights(model.networks)
    model.train_step(make_batch())
    after = weights(model.networks)
    for name in model.networks:
        assert same(before[name], after[name]) == ((name == "discriminator") == (still == "discriminator")), name


def biases_before_normalization(model):
    """Instance normalisation takes away the mean: a bias in front of it does nothing."""
    layers = [*model.content_encoder.body]
    convolutions = [layer for layer, after in itertools.pairwise(layers) if isinstance(after, InstanceNormalization)]
    for block in [*layers, *model.decoder.blocks]:
        convolutions += [block.first, block.second] if hasattr(block, "first") else []
    return {id(layer.bias) for layer in convolutions}


def test_every_variable_has_a_gradient(translation, make_batch):
    batch = make_batch(8)
    with tf.GradientTape(persistent=True) as tape:
        terms = translation.loss_terms(translation.forward(batch, step_noise(1, 8)), batch)
        # At step 0 the KL has no weight yet.
        generator_loss = terms["generator_loss"] + terms["kl"]
    sides = {
        "generator": (generator_loss, translation.trained_variables),
        "discriminator": (terms["discriminator_loss"], translation.discriminator.trainable_variables),
    }
    idle = biases_before_normalization(translation)
    for loss, variables in sides.values():
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            assert gradient is not None, variable.name
            if id(variable) not in idle:
                assert float(tf.norm(gradient)) > 1e-7, variable.name


def test_all_weights_are_trained(translation):
    trained = [*translation.trained_variables, *translation.discriminator.trainable_variables]
    assert {id(variable) for variable in trained} == {id(variable) for variable in translation.trainable_variables}


def test_evaluate_gives_every_term_and_changes_nothing(make_translation, make_batch):
    model = make_translation()
    batch = {name: value for name, value in make_batch().items() if name != "target"}
    before = weights(model.networks)
    results = model.evaluate(tf.data.Dataset.from_tensors(batch).repeat(2), verbose=0, return_dict=True)
    assert set(results) == set(TERMS)
    batch["target"] = tf.roll(batch["label"], 1, axis=0)
    terms = model.loss_terms(model.forward(batch, StepNoise(1, tf.zeros((), tf.int64), tf.constant(4))), batch)
    for name in TERMS:
        assert results[name] == pytest.approx(float(terms[name]), rel=1e-3, abs=1e-5), name
    after = weights(model.networks)
    assert all(same(before[name], after[name]) for name in before)
    assert int(model.step) == 0


def test_averages_of_the_generator_side(make_translation, make_batch):
    model = make_translation(optimizer={"ema_momentum": 0.5})
    for _ in range(2):
        model.train_step(make_batch())
    own = weights(model.networks)
    with model.averaged_weights():
        averaged = weights(model.networks)
    for name in own:
        assert same(own[name], averaged[name]) == (name == "discriminator")
    assert all(same(own[name], value) for name, value in weights(model.networks).items())


def test_after_fit_the_weights_are_the_averages(make_translation, make_batch, tmp_path):
    """What translates, and what is built on the model, then uses what an export of it holds."""
    batches = tf.data.Dataset.from_tensors(make_batch()).repeat(3)
    model, found = make_translation(optimizer={"ema_momentum": 0.5}), {}
    start = tf.train.Checkpoint(**model.training_state).write(str(tmp_path / "start"))
    for average in (True, False):
        tf.train.Checkpoint(**model.training_state).read(start).assert_existing_objects_matched()
        model.fit(batches, verbose=0, average=average)
        found[average] = weights(model.networks)
        with model.averaged_weights():
            averages = weights(model.networks)
        assert all(same(found[True][name], value) for name, value in averages.items()), average
    assert all(same(found[True][name], found[False][name]) == (name == "discriminator") for name in found[True])


def test_categories_use_softmax(make_batch):
    from rgunit_tf.domains import AttributeSchema

    model = TranslationModel(
        AttributeSchema(["cat", "dog"], [["cat", "dog"]]),
        16,
        width=4,
        residual_blocks=1,
        discriminator_width=4,
        discriminator_layers=2,
    )
    batch = {**make_batch(2), "label": tf.eye(2), "target": tf.reverse(tf.eye(2), [1])}
    passes = model.forward(batch, step_noise(0, 2))
    expected = np.mean(
        [
            tf.nn.softmax_cross_entropy_with_logits(batch["label"], verdict.domain).numpy().mean()
            for verdict in passes.on_real
        ]
    )
    assert float(model.loss_terms(passes, batch)["domain_d"]) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(tf.reduce_sum(model.predict_labels(batch["image"]), -1), [1, 1])
