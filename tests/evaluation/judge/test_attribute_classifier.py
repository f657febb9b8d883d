import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf import atomic, pixels
from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError
from rgunit_tf.evaluation.judge import classifier_networks, classifier_training
from rgunit_tf.evaluation.judge.attribute_classifier import AttributeClassifier


def test_it_learns_colours_and_knows_its_own_accuracy(classifier, drawn):
    assert classifier.info["real_test"]["accuracy_mean"] >= 0.97
    scores, features = classifier(drawn.test.images())
    right = (classifier.decide(scores) == drawn.test.labels).mean()
    assert right == pytest.approx(classifier.info["real_test"]["accuracy_mean"])
    assert features.shape == (len(drawn.test), classifier.feature_size)


def test_uint8_and_float_images_score_alike_whatever_the_batch(classifier, drawn):
    images = drawn.test.images()
    scores, features = classifier(images, batch_size=7)
    np.testing.assert_allclose(classifier(pixels.to_float(images).numpy())[0], scores, atol=1e-5)
    batches = drawn.test.batches(5, training=False)
    np.testing.assert_allclose(classifier.features(batches), features, atol=1e-5)


def test_saved_classifier_scores_alike(classifier, drawn, tmp_path):
    with atomic.directory(tmp_path / "kept") as folder:
        classifier.save(folder)
    loaded = AttributeClassifier.load(tmp_path / "kept")
    assert loaded.schema == classifier.schema and loaded.info == classifier.info
    images = drawn.test.images()
    np.testing.assert_array_equal(loaded(images)[0], classifier(images)[0])


def test_kept_for_the_same_data_and_trained_anew_for_other(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier_training, "ROUNDS", 4)
    recipe = {"width": 4, "steps": 20, "batch_size": 16}
    folder, images = tmp_path / "classifier", drawn.test.images()
    first = classifier_training.load_or_train(folder, drawn, **recipe)
    stamp = (folder / "classifier.json").stat().st_mtime_ns
    again = classifier_training.load_or_train(folder, drawn, **recipe)
    assert (folder / "classifier.json").stat().st_mtime_ns == stamp
    assert again.info == first.info
    other = classifier_training.load_or_train(folder, drawn, **{**recipe, "seed": 1})
    assert (folder / "classifier.json").stat().st_mtime_ns != stamp
    assert np.abs(other(images)[0] - first(images)[0]).max() > 1e-3
    (folder / "classifier.weights.h5").write_bytes(b"broken")
    anew = classifier_training.load_or_train(folder, drawn, **recipe)
    assert AttributeClassifier.load(folder).info["fingerprint"] == first.info["fingerprint"]
    # The same seed, the same weights.
    np.testing.assert_allclose(anew(images)[0], first(images)[0], atol=1e-4)


def test_a_missing_or_foreign_classifier_is_the_users_to_mend(tmp_path):
    with pytest.raises(UserError, match="delete the folder"):
        AttributeClassifier.load(tmp_path / "nothing")


def test_categorical_scores_sum_to_one_and_one_attribute_holds():
    schema = AttributeSchema(("cat", "dog", "fox"), (("cat", "dog", "fox"),))
    classifier = AttributeClassifier(schema, 16, width=4)
    scores, _ = classifier(np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8))
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert (classifier.decide(scores).sum(axis=1) == 1).all()


@pytest.mark.parametrize("size", [16, 32, 48, 128])
def test_every_size_ends_in_the_same_number_of_features(size):
    logits, features = classifier_networks.small(5, size, width=4)(tf.zeros((2, size, size, 3)))
    assert logits.shape == (2, 5) and features.shape == (2, 8)


def test_images_of_another_size_are_refused(classifier):
    with pytest.raises(ValueError, match="expected"):
        classifier(np.zeros((1, 8, 8, 3), np.uint8))


def test_augmentation_moves_and_mirrors_but_is_seeded():
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)), tf.float32)
    one = classifier_training.augment(images, tf.constant([0, 1]))
    np.testing.assert_array_equal(one, classifier_training.augment(images, tf.constant([0, 1])))
    assert np.abs(one - classifier_training.augment(images, tf.constant([0, 2]))).max() > 0.1
    assert one.shape == images.shape and np.abs(one).max() <= 1.0


def test_a_shifted_image_is_the_image_shifted():
    ramp = np.tile(np.linspace(-0.5, 0.5, 32, dtype=np.float32)[:, None, None], (1, 32, 3))
    moved = classifier_training.augment(tf.constant(ramp[None]), tf.constant([0, 5])).numpy()[0]
    steps = np.diff(moved[4:-4, 0, 0])
    np.testing.assert_allclose(steps, 1 / 31, atol=1e-5)
