import numpy as np
import pytest

from rgunit_tf import data
from rgunit_tf.errors import UserError


@pytest.fixture
def dataset(celeba):
    return data.load("celeba", celeba.root, image_size=16)


def test_subset_keeps_rows_together(dataset):
    train = dataset.train
    part = train.subset([5, 2])
    assert len(part) == 2
    assert part.ids.tolist() == train.ids[[5, 2]].tolist()
    np.testing.assert_array_equal(part.labels, train.labels[[5, 2]])
    np.testing.assert_array_equal(part.content_labels, train.content_labels[[5, 2]])
    assert part.identities is None
    np.testing.assert_array_equal(part.image(0), train.image(5))
    np.testing.assert_array_equal(part.subset([1]).image(0), train.image(2))
    young = train.labels[:, 4] > 0
    assert len(train.subset(young)) == young.sum()


def test_words(dataset):
    assert repr(dataset.train).startswith(f"<Split of {len(dataset.train)} images, 16 px, labelled by Black_Hair, ")


def test_images(dataset):
    image = dataset.test.image(1)
    assert image.shape == (16, 16, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(dataset.test.images()[1], image)
    image[:] = 0
    assert dataset.test.image(1).any()


def test_encoded_is_the_file(dataset, celeba):
    assert dataset.train.encoded(3) == (celeba.images / dataset.train.ids[3]).read_bytes()


def test_unlabelled_split_has_neither_labels_nor_targets(celeba):
    bare = data.load("celeba", celeba.root, image_size=16, retrieval_source="all").retrieval
    assert bare.labels is None
    assert set(next(iter(bare.stream(2, seed=0)))) == {"image", "id"}
    assert set(next(iter(bare.batches(2)))) == {"image", "id"}
    with pytest.raises(UserError, match="no labels"):
        bare.domains()


def test_empty_split_and_batch_size(dataset):
    with pytest.raises(UserError, match="holds no images"):
        dataset.train.subset([]).stream(2, seed=0)
    with pytest.raises(UserError, match="batch_size=0"):
        dataset.train.stream(0, seed=0)
    with pytest.raises(UserError, match="batch_size=-1"):
        dataset.train.batches(-1)


def test_fingerprint_changes_with_what_is_learnt_from(celeba):
    def fingerprint(**options):
        return data.load("celeba", celeba.root, image_size=16, **options).fingerprint

    first = fingerprint()
    assert first == fingerprint()
    assert first == fingerprint(cache_mb=0)
    assert first != fingerprint(seed=1)
    assert first != fingerprint(crop=12)
    celeba.values[0, 4] *= -1
    celeba.write()
    assert first != fingerprint()
