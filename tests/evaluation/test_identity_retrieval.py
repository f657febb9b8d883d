"""The rank of another photograph of the same person, on embeddings that are known."""

import types

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.evaluation.identity_retrieval import evaluate_identity
from rgunit_tf.evaluation.metrics.precision_at_k import first_ranks


class ByWho:
    """Embeds an image by who is on it, which the first test images' colours do not tell; others by their place."""

    def __init__(self, prior, test, places):
        self.translation = types.SimpleNamespace(prior=prior)
        self._places = {image.tobytes(): place for image, place in zip(test.images(), places, strict=True)}
        self.asked = []

    def _of(self, images):
        levels = np.clip(np.rint((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)
        return np.array([[self._places[image.tobytes()]] for image in levels], np.float32)

    def embed_images(self, images):
        return tf.ensure_shape(tf.numpy_function(self._of, [images], tf.float32), [None, 1])

    def embed_query(self, images, styles):
        tf.numpy_function(lambda styles: self.asked.extend(styles) or np.zeros(1), [styles], tf.float64)
        return self.embed_images(images)


@pytest.fixture
def with_people(drawn):
    def make(identities):
        count = len(identities)
        test = drawn.test.subset(np.arange(count))
        test.identities = None if identities is None else np.asarray(identities)
        return types.SimpleNamespace(test=test)

    return make


def test_ranks_by_hand(with_people, fake_model):
    #        rank of the first of the same person: 1, 1, 2, 3 (of 0.0, 0.1, 3.0); the last is alone
    people, places = [1, 1, 2, 2, 3], [0.0, 0.1, 1.0, 3.0, 1.5]
    data = with_people(people)
    model = ByWho(fake_model("copy").prior, data.test, places)
    found = evaluate_identity(model, data)
    assert found["identity_first"]["value"] == 0.5 and found["identity_first"]["images"] == 4
    # 1.0 has 1.5, 0.1 and 0.0 before 3.0; 3.0 has 1.5 before 1.0.
    assert found["identity_rank"]["value"] == np.median([1, 1, 4, 2])
    assert found["random_images/identity_first"]["value"] == 0.25
    assert found["random_images/identity_rank"]["value"] == 2.5
    assert "among the 4 other test images" in found["identity_rank"]["computed_with"]


def test_nothing_is_said_where_nobody_is_known_or_seen_twice(with_people, fake_model):
    data = with_people([1, 2, 3])
    model = ByWho(fake_model("copy").prior, data.test, range(3))
    assert evaluate_identity(model, data) == {}
    data.test.identities = np.full(3, -1)
    assert evaluate_identity(model, data) == {}
    data.test.identities = None
    assert evaluate_identity(model, data) == {}


def test_the_question_is_what_the_other_photograph_shows(with_people, fake_model):
    data = with_people([5, 5])
    model = ByWho(fake_model("copy").prior, data.test, [0.0, 1.0])
    evaluate_identity(model, data)
    np.testing.assert_array_equal(np.stack(model.asked), data.test.labels[::-1])


def test_a_tie_with_the_right_one_is_no_loss():
    assert first_ranks(np.array([[1.0, 1.0, 2.0]]), np.array([[False, True, True]])).tolist() == [1]
