"""Stage 2: the triplet loss over the negatives in use, and what it changes."""

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import STRATEGIES
from rgunit_tf.stages.noise import StepNoise
from rgunit_tf.stages.retrieval import RetrievalModel

SMALL = {"embedding_dim": 8, "hidden": 16, "content_channels": 4}


@pytest.fixture(scope="module")
def make_retrieval(translation):
    def make(**optimizer):
        tf.keras.utils.set_random_seed(1)
        model = RetrievalModel(translation, **SMALL)
        model.compile({"steps": 300, "learning_rate": 2e-3, "learning_rate_warmup": 0, **optimizer})
        return model

    return make


def noise(batch=4):
    return StepNoise(0, tf.zeros((), tf.int64), tf.constant(batch))


def test_loss_is_the_mean_of_eq_8_over_the_negatives(make_retrieval, make_batch):
    model = make_retrieval(negatives=STRATEGIES, margin=0.7)
    samples = model.triplets(make_batch(), noise())
    terms = model.loss_terms(samples, None)
    embeddings = model.embed(samples.content, samples.style).numpy().reshape(8, 4, 8)

    def distance(left, right):
        return np.linalg.norm(embeddings[left] - embeddings[right], axis=-1)

    expected = {
        name: (np.maximum(0.0, 0.7 + distance(0, 1) - distance(0, 2 + row)) * samples.weights_of(name)).numpy().mean()
        for row, name in enumerate(STRATEGIES)
    }
    for name, value in expected.items():
        assert float(terms[f"loss_{name}"]) == pytest.approx(value, rel=1e-4, abs=1e-6)
    assert float(terms["triplet_loss"]) == pytest.approx(np.mean(list(expected.values())), rel=1e-4)


def test_only_the_chosen_negatives_count(make_retrieval, make_batch):
    every, one = make_retrieval(negatives=STRATEGIES), make_retrieval(negatives=("medium",))
    every_terms = every.loss_terms(every.triplets(make_batch(), noise()), None)
    one_terms = one.loss_terms(one.triplets(make_batch(), noise()), None)
    assert [name for name in one_terms if name.startswith("loss_")] == ["loss_medium"]
    assert float(one_terms["triplet_loss"]) == pytest.approx(float(every_terms["loss_medium"]), rel=1e-4)
    with pytest.raises(UserError, match="easy, medium"):
        model = make_retrieval(negatives=("hard",))
        model.train_step(make_batch())


def test_one_batch_is_learnt_by_heart_and_nothing_else_changes(make_retrieval, make_batch, translation):
    model = make_retrieval(margin=0.5)
    before = [variable.numpy() for variable in translation.variables]
    step = tf.function(model.train_step)
    losses = []
    for _ in range(150):
        model.term_means.reset_state()
        losses.append(float(step(make_batch())["triplet_loss"]))
    # Styles are drawn anew each step: single steps scatter.
    assert np.mean(losses[-20:]) < 0.35 * np.mean(losses[:3]), losses[::10]
    for variable, value in zip(translation.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert int(model.step) == 150


def test_every_variable_of_the_network_has_a_gradient(retrieval, make_batch):
    with tf.GradientTape() as tape:
        loss = retrieval.loss_terms(retrieval.triplets(make_batch(), noise()), None)["triplet_loss"]
    for variable, gradient in zip(
        retrieval.trained_variables, tape.gradient(loss, retrieval.trained_variables), strict=True
    ):
        # The bias of the embedding moves all embeddings alike.
        if variable is not retrieval.network.embedding.bias:
            assert float(tf.norm(gradient)) > 1e-7, variable.name


def test_dropout_is_drawn_anew_each_step_and_off_in_evaluation(make_retrieval, make_batch):
    model = make_retrieval()
    model.network_optimizer = tf.keras.optimizers.SGD(0.0)
    model.network.dropout = 0.5
    samples = model.triplets(make_batch(), noise())
    dropped = [model.loss_terms(samples, [noise().uniform(16)[:1]] * 2)["triplet_loss"] for _ in range(2)]
    assert float(dropped[0]) == float(dropped[1])
    assert float(dropped[0]) != pytest.approx(float(model.loss_terms(samples, None)["triplet_loss"]), rel=1e-4)
    first = float(model.train_step(make_batch())["triplet_loss"])
    model.term_means.reset_state()
    assert float(model.train_step(make_batch())["triplet_loss"]) != pytest.approx(first, rel=1e-6)
    tests = []
    for _ in range(2):
        model.test_term_means.reset_state()
        tests.append(float(model.test_step(make_batch())["triplet_loss"]))
    assert tests[0] == tests[1]


def test_queries_and_images_share_a_space(retrieval, translation, make_batch):
    images = make_batch()["image"]
    style = translation.style_encoder(images)[0]
    assert retrieval.embed_images(images).shape == (4, 8)
    np.testing.assert_allclose(retrieval.embed_query(images, style), retrieval.embed_images(images), atol=1e-6)
    np.testing.assert_allclose(retrieval(images), retrieval.embed_images(images), atol=1e-6)
    assert float(tf.norm(retrieval.embed_query(images, style + 1.0) - retrieval(images))) > 1e-3


def test_config_makes_the_model_again(retrieval, translation):
    again = RetrievalModel(translation, **retrieval.get_config())
    assert again.get_config() == retrieval.get_config()
    assert [v.shape for v in again.network.weights] == [v.shape for v in retrieval.network.weights]
