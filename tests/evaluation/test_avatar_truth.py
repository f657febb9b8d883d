import numpy as np
import pytest

from rgunit_tf import data
from rgunit_tf.evaluation.avatar_truth import avatar_counterfactuals, avatars_root


@pytest.fixture(scope="module")
def avatars(tmp_path_factory):
    pytest.importorskip("python_avatars")
    pytest.importorskip("resvg_py")
    from rgunit_tf.data import avatars as source

    return source.draw_dataset(tmp_path_factory.mktemp("avatars") / "set", num_images=24, size=48, workers=1)


def load(root, attributes=("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")):
    return data.load("celeba", root=root, image_size=16, crop=48, attributes=attributes)


def test_with_their_own_labels_the_images_themselves_are_drawn(avatars, tmp_path):
    dataset = load(avatars)
    truth = avatar_counterfactuals(dataset, tmp_path, workers=1)
    images = truth.images(dataset.test.ids, dataset.test.labels)
    np.testing.assert_array_equal(images, dataset.test.images())


def test_other_labels_change_the_image(avatars):
    dataset = load(avatars)
    labels = dataset.test.labels.copy()
    labels[:, :3] = np.roll(labels[:, :3], 1, axis=1)
    images = avatar_counterfactuals(dataset, workers=1).images(dataset.test.ids, labels)
    assert (images != dataset.test.images()).any(axis=(1, 2, 3)).all()


def test_attributes_outside_the_schema_stay(avatars):
    dataset = load(avatars, ("Young", "Male"))
    images = avatar_counterfactuals(dataset, workers=1).images(dataset.test.ids, dataset.test.labels)
    np.testing.assert_array_equal(images, dataset.test.images())


def test_no_truth_for_other_data_or_for_domains_that_cannot_be_drawn(avatars, drawn):
    assert avatars_root(drawn) is None and avatar_counterfactuals(drawn) is None
    assert avatar_counterfactuals(load(avatars, ("Blond_Hair", "Male"))) is None
    assert avatar_counterfactuals(load(avatars, ("Male", "Smiling"))) is None
