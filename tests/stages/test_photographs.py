"""What `configs/faces.py` switches on: changes instead of pictures, grey, values, frozen features, altered images."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.config import default_config
from rgunit_tf.models import frozen_features
from rgunit_tf.pretrained import efficientnet
from rgunit_tf.runs import architecture
from rgunit_tf.stages import precision
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.translation import TERMS, VALUE_TERMS

installed = pytest.mark.skipif(not frozen_features.available(), reason=frozen_features.MISSING)
LOSS = {"real_values": 2.0, "domain": 0.0, "hinge": True, "augment": 0.5, "gradient_penalty": 0.2}
LOSS_OF_PICTURES = {"kl_warmup": 0, "mask_warmup": 0}
PROJECTED = {"discriminator": "efficientnet", "discriminator_width": 8, "drawing": "change", "colors": "grey"}


def noise():
    return StepNoise(0, tf.constant(0, tf.int64), tf.constant(4))


def grey(batch):
    return {**batch, "image": tf.repeat(tf.reduce_mean(batch["image"], -1, keepdims=True), 3, -1)}


def test_a_fresh_model_that_draws_changes_nearly_copies(make_translation, make_batch):
    images = make_batch()["image"]
    change, picture = (make_translation(drawing=drawing, width=8) for drawing in ("change", "picture"))
    styles = change.prior.mean(make_batch()["target"])
    moved = [np.abs(model.translate_with_style(images, styles)[0] - images).mean() for model in (change, picture)]
    assert 0 < moved[0] < 0.2 < moved[1]


def test_a_change_is_added_to_the_input_within_its_range(make_translation, make_batch):
    model, images = make_translation(drawing="change"), make_batch()["image"]
    model.decoder.head.bias.assign([10.0, 0.0, -10.0, 20.0])
    model.decoder.head.kernel.assign(tf.zeros_like(model.decoder.head.kernel))
    translated, masks = model.translate_with_style(images, tf.zeros((4, model.prior.style_dim)))
    np.testing.assert_allclose(masks, 1.0, atol=1e-6)
    np.testing.assert_allclose(translated[..., 0], 1.0, atol=1e-5)
    np.testing.assert_allclose(translated[..., 1], images[..., 1], atol=1e-5)
    np.testing.assert_allclose(translated[..., 2], -1.0, atol=1e-5)


@pytest.mark.parametrize("drawing", ["picture", "change"])
def test_grey_stays_grey_to_the_bit(make_translation, make_batch, drawing):
    model, images = make_translation(drawing=drawing, colors="grey"), grey(make_batch())["image"]
    translated = model.translate_with_style(images, model.prior.mean(make_batch()["target"]))[0].numpy()
    np.testing.assert_array_equal(translated[..., 0], translated[..., 1])
    np.testing.assert_array_equal(translated[..., 0], translated[..., 2])
    assert np.abs(translated - images).max() > 0.01


@pytest.mark.parametrize("hinge", [False, True])
def test_values_of_a_convolutional_discriminator_teach_both_sides(make_translation, make_batch, hinge):
    model, batch = (
        make_translation(loss={**LOSS, "hinge": hinge, "gradient_penalty": 0.0}, judge_values=True),
        make_batch(),
    )
    with tf.GradientTape(persistent=True) as tape:
        terms = model.batch_terms(batch, noise())
    assert set(terms) == {*TERMS, *VALUE_TERMS}
    heads = [scale.values.kernel for scale in model.discriminator.scales]
    assert all(float(tf.norm(tape.gradient(terms["values_d"], head))) > 0 for head in heads)
    gradients = tape.gradient(terms["values_g"], model.decoder.trainable_variables)
    assert all(float(tf.norm(gradient)) > 0 for gradient in gradients[-2:])
    rest = {name: float(terms[name]) for name in ("adversarial_d", "values_d", "domain_d", "gradient_penalty")}
    assert float(terms["discriminator_loss"]) == pytest.approx(
        rest["adversarial_d"] + 2.0 * rest["values_d"] + rest["gradient_penalty"], rel=1e-5
    )


def test_half_of_a_batch_is_reconstructed_and_half_goes_there_and_back(make_translation, make_batch):
    whole, half = make_translation(loss=LOSS_OF_PICTURES), make_translation(loss={**LOSS_OF_PICTURES, "halves": True})
    batch = make_batch()
    for mine, theirs in zip(half.networks.values(), whole.networks.values(), strict=True):
        mine.set_weights(theirs.get_weights())
    all_passes, passes = whole.forward(batch, noise()), half.forward(batch, noise())
    first, second = slice(0, None, 2), slice(1, None, 2)
    for name in ("reconstructed", "reconstructed_style", "own_style"):
        np.testing.assert_allclose(getattr(passes, name), getattr(all_passes, name)[first], atol=1e-5, err_msg=name)
    for name in ("returned", "translated_content", "content"):
        np.testing.assert_allclose(getattr(passes, name), getattr(all_passes, name)[second], atol=1e-5, err_msg=name)
    for name in ("translated", "translated_style", "mask", "kl"):
        np.testing.assert_allclose(getattr(passes, name), getattr(all_passes, name), atol=1e-5, err_msg=name)
    terms, images = half.loss_terms(passes, batch), batch["image"]
    expected = {
        "reconstruction": np.abs(all_passes.reconstructed - images)[first].mean(),
        "cycle": np.abs(all_passes.returned - images)[second].mean(),
        "content": np.abs(all_passes.translated_content - all_passes.content)[second].mean(),
    }
    assert {name: float(terms[name]) for name in expected} == pytest.approx(expected, rel=1e-4)


def test_an_image_alone_in_its_batch_is_both_halves(make_translation, make_batch):
    whole, half = make_translation(loss=LOSS_OF_PICTURES), make_translation(loss={**LOSS_OF_PICTURES, "halves": True})
    for mine, theirs in zip(half.networks.values(), whole.networks.values(), strict=True):
        mine.set_weights(theirs.get_weights())
    batch = make_batch(1)
    source = [StepNoise(0, tf.constant(0, tf.int64), tf.constant(1)) for _ in range(2)]
    expected, found = (model.batch_terms(batch, each) for model, each in zip((whole, half), source, strict=True))
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-5
    )


def test_what_a_translation_changes_may_cost(make_translation, make_batch):
    free, costly = make_translation(loss=LOSS_OF_PICTURES), make_translation(loss={**LOSS_OF_PICTURES, "change": 3.0})
    batch = make_batch()
    for mine, theirs in zip(costly.networks.values(), free.networks.values(), strict=True):
        mine.set_weights(theirs.get_weights())
    passes = free.forward(batch, noise())
    plain, terms = free.loss_terms(passes, batch), costly.loss_terms(passes, batch)
    change = np.abs(passes.translated - batch["image"]).mean()
    assert float(terms["change"]) == pytest.approx(change, rel=1e-5) and "change" not in plain
    assert float(terms["generator_loss"] - plain["generator_loss"]) == pytest.approx(3.0 * change, rel=1e-4)
    assert costly.train_step(batch)["change"] > 0


def test_what_the_mask_hides_can_be_reconstructed_too(make_translation, make_batch):
    model = make_translation(loss={"reconstruct_drawing": True})
    bias = model.decoder.head.trainable_variables[-1]
    bias.assign([0.0, 0.0, 0.0, -30.0])  # the mask is 0: the input is laid over all that G draws
    model.step.assign(1)
    batch = make_batch()
    drawn = model.draw(model.content_encoder(batch["image"]), model.style_encoder(batch["image"])[0], batch["image"])[0]
    found = float(model.batch_terms(batch, noise())["reconstruction"])
    assert found == pytest.approx(float(tf.reduce_mean(tf.abs(drawn - batch["image"]))), rel=0.1)
    hidden = make_translation()
    hidden.decoder.head.set_weights(model.decoder.head.get_weights())
    hidden.step.assign(1)  # the mask is on after the first step
    assert float(hidden.batch_terms(batch, noise())["reconstruction"]) == pytest.approx(0.0, abs=1e-6)


def test_what_a_change_costs_falls_until_six_tenths_of_the_stage(make_translation, make_batch):
    model = make_translation({"steps": 100}, {"change": 10.0, "final_change": 0.2})
    for step, share in ((0, 1.0), (30, 0.6), (60, 0.2), (90, 0.2)):
        model.step.assign(step)
        assert float(model.change_share()) == pytest.approx(share)
    batch = make_batch()
    late = model.loss_terms(model.forward(batch, noise()), batch)
    model.step.assign(30)
    early = model.loss_terms(model.forward(batch, noise()), batch)
    fallen = float(early["generator_loss"] - late["generator_loss"])
    assert fallen == pytest.approx(10.0 * 0.4 * float(late["change"]), rel=1e-3)


@installed
def test_one_batch_is_learnt_by_heart_and_the_network_is_left_as_it_is(make_translation, make_batch):
    model, batch = make_translation({"learning_rate": 3e-3}, LOSS, **PROJECTED), grey(make_batch())
    network = frozen_features._network()
    layers = [network._stem, *(layer for block in network._blocks for layer in block)]
    before = [np.copy(part) for layer in layers for part in layer]
    heads = model.discriminator.get_weights()
    step, seen = tf.function(model.train_step), []
    for _ in range(150):
        model.term_means.reset_state()
        seen.append(float(step(batch)["values_d"]))
    assert np.mean(seen[-20:]) < 0.7 * seen[0]
    assert all(np.array_equal(part, old) for part, old in zip((p for la in layers for p in la), before, strict=True))
    assert all(not np.array_equal(new, old) for new, old in zip(model.discriminator.get_weights(), heads, strict=True))


class Steady:
    """Noise that is the same however it is computed: XLA draws other numbers."""

    def normal(self, *shape):
        return tf.tile(tf.reshape([0.3, -0.7, 1.1, 0.2], (4, *(1 for _ in shape))), (1, *shape))

    def uniform(self, *shape):
        return 0.5 + 0.1 * self.normal(*shape)


RECIPE = {**LOSS, "domain": 4.0, "change": 5.0, "domain_gradient_penalty": 0.2, "halves": True}


@installed
@pytest.mark.parametrize(
    ("policy", "xla", "tolerance"),
    [
        pytest.param("float32", True, 1e-3, marks=pytest.mark.soak),
        ("mixed_bfloat16", False, 0.05),
    ],
)
def test_xla_and_16_bits_take_the_plain_step(make_translation, make_batch, policy, xla, tolerance):
    def terms_and_gradients(policy, xla):
        with precision.policy(policy):
            model = make_translation(None, RECIPE, **PROJECTED)
        batch = {name: value for name, value in make_batch().items() if name != "id"}

        @tf.function(jit_compile=xla, autograph=False)
        def step():
            with tf.GradientTape(persistent=True) as tape:
                terms = model.batch_terms(batch, Steady())
            sides = ("generator_loss", model.trained_variables), ("discriminator_loss", model.discriminator.variables)
            return terms, [tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(terms[a], b)], 0) for a, b in sides]

        return step()

    (plain, gradients), (terms, others) = terms_and_gradients("float32", False), terms_and_gradients(policy, xla)
    for name, value in plain.items():
        assert float(terms[name]) == pytest.approx(float(value), rel=tolerance, abs=1e-3), name
    for one, other in zip(gradients, others, strict=True):
        assert float(tf.norm(one)) > 0.1
        assert float(tf.norm(one - other)) < 5 * tolerance * float(tf.norm(one))


@installed
def test_a_run_goes_on_to_the_bit(make_translation, make_batch, tmp_path):
    def make():
        model = make_translation(None, RECIPE, **PROJECTED)
        return model, tf.function(model.train_step), tf.train.Checkpoint(**model.training_state)

    batch = make_batch()
    (model, step, state), (other, go_on, its_state) = make(), make()
    for number in range(4):
        if number == 2:
            path = state.write(str(tmp_path / "state"))
        step(batch)
    its_state.read(path).assert_existing_objects_matched()
    for _ in range(2):
        go_on(batch)
    assert int(model.step) == int(other.step) == 4
    found, expected = (
        [*m.trained_variables, *m.discriminator.variables, *m.generator_optimizer.variables] for m in (other, model)
    )
    for variable, undisturbed in zip(found, expected, strict=True):
        np.testing.assert_array_equal(variable, undisturbed, err_msg=variable.name)


def test_the_discriminator_has_a_rate_of_its_own(make_translation):
    model = make_translation({"learning_rate": 2e-3, "discriminator_rate": 1.5})
    rates = [float(optimizer.learning_rate) for optimizer in model.optimizers.values()]
    assert rates == pytest.approx([2e-3, 3e-3])


def test_grey_is_found_out_from_the_images_alone(make_split):
    settings = {**default_config().model, "colors": "auto"}
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    assert architecture.resolved(settings, make_split(images))["colors"] == "rgb"
    assert architecture.resolved(settings, make_split(images[..., :1].repeat(3, -1)))["colors"] == "grey"
    one = images[..., :1].repeat(3, -1)
    one[5, 0, 0, 0] ^= 1
    assert architecture.resolved(settings, make_split(one))["colors"] == "rgb"
    assert architecture.resolved(default_config().model, make_split(images)) == dict(default_config().model)


def test_without_the_network_the_discriminator_is_convolutional_and_that_is_said(make_split, monkeypatch, caplog):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    settings = {**default_config().model, "discriminator": "efficientnet"}
    with caplog.at_level(logging.WARNING, "absl"):
        found = architecture.resolved(settings, make_split(np.zeros((2, 16, 16, 3), np.uint8)))
    assert found["discriminator"] == "convolutional" and "pip install" in caplog.text


@pytest.fixture
def make_split():
    """Stands for a split of so many images."""

    class Images:
        def __init__(self, images):
            self._images = images

        def __len__(self):
            return len(self._images)

        def images(self, indices):
            return self._images[indices]

    return Images
