"""Galleries in shards: what one gallery finds, the shards find together."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery
from rgunit_tf.retrieval.sharded import ShardedGallery, shard_folders, shard_name

COUNT, DIMENSION = 53, 6
IDS = [f"{row:03d}.png" for row in range(COUNT)]
linux = pytest.mark.skipif(sys.platform != "linux", reason="no wheel of ScaNN")


def vectors(count=COUNT, seed=0, dimension=DIMENSION):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def pictures(count=COUNT):
    return np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), np.uint8)


@pytest.fixture(scope="module")
def whole():
    return Gallery.from_embeddings(vectors(), IDS, pictures())


@pytest.fixture(scope="module", params=[1, 4])
def shards(request, whole):
    return ShardedGallery.split(whole, request.param)


def assert_same(found, expected):
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype and left.shape == right.shape


@pytest.mark.parametrize("k", [1, 20, COUNT - 1])
def test_it_finds_what_one_exact_gallery_finds_to_the_bit(whole, shards, k):
    queries = vectors(9, seed=1)
    assert_same(shards.search_rows(queries, k), whole.search_rows(queries, k))
    assert_same(shards.search(queries, k), whole.search(queries, k))
    own = np.array(["", "nobody", *IDS[::8]])
    assert_same(shards.search(vectors()[:9], k, own), whole.search(vectors()[:9], k, own))


def test_the_query_itself_is_not_found_whichever_shard_holds_it(shards):
    ids, distances = shards.search(vectors(), 3, IDS)
    assert not (ids.numpy() == np.array(IDS, np.bytes_)[:, None]).any() and (distances.numpy() > 0).all()
    np.testing.assert_array_equal(shards.search(vectors(), 1)[0].numpy()[:, 0], np.array(IDS, np.bytes_))


def test_of_equal_distances_the_lower_row_comes_first():
    # The squares of rows 0 and 1 differ by a unit in the last place, their roots do not.
    square = np.float32(1.0)
    twins = np.array([[np.nextafter(square, np.float32(2)), 0], [square, 0], [0, square], [-square, 0]], np.float32)
    embeddings = np.concatenate([twins, twins, twins[::-1]])
    whole = Gallery.from_embeddings(embeddings, [str(row) for row in range(12)])
    queries = np.array([[0, 0], [0, 1e-4], [3, 4]], np.float32)
    for count in (2, 3, 5):
        assert_same(ShardedGallery.split(whole, count).search_rows(queries, 12), whole.search_rows(queries, 12))
    distances, rows = (found.numpy() for found in whole.search_rows(queries, 12))
    ties = distances[:, 1:] == distances[:, :-1]
    assert ties.any() and (np.diff(rows)[ties] > 0).all()


def test_it_works_in_a_graph_with_a_k_that_the_graph_decides(whole, shards):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, DIMENSION]), tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.string)
        ]
    )  # fmt: skip
    def search(queries, k, ids):
        rows = shards.search_rows(queries, k, shards.rows_of(ids))[1]
        return shards.ids_at(rows), shards.images(rows)

    ids, images = search(vectors(3), 7, IDS[:3])
    expected = whole.search(vectors(3), 7, IDS[:3])[0]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(images, whole.images(whole.rows_of(expected)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="from 1 to 52"):
        search(vectors(3), 53, IDS[:3])


def test_ids_rows_and_images_are_those_of_the_shard_that_holds_them(whole, shards):
    rows = np.array([[3, COUNT - 1], [0, 30]])
    np.testing.assert_array_equal(shards.images(rows), pictures()[rows])
    np.testing.assert_array_equal(shards.ids_at(rows), whole.ids_at(rows))
    np.testing.assert_array_equal(shards.rows_of(shards.ids_at(rows)), rows)
    np.testing.assert_array_equal(shards.rows_of(["nobody", ""]), [-1, -1])
    assert shards.images(np.zeros((0, 2), np.int32)).shape == (0, 2, 4, 4, 3)
    assert (len(shards), shards.size, shards.has_images) == (COUNT, COUNT, True)
    seeds = tf.constant([[1, 2], [3, 4]])
    np.testing.assert_array_equal(shards.random_rows(seeds, 4), whole.random_rows(seeds, 4))


def test_too_many_are_refused_as_by_one_gallery(shards):
    with pytest.raises(UserError, match=r"neighbors=54: .* from 1 to 53"):
        shards.search(vectors(1), 54)
    with pytest.raises(UserError, match=r"neighbors=53: .* from 1 to 52, the .* without the query's own"):
        shards.search(vectors(1), 53, ["x"])
    with pytest.raises(UserError, match="do not fit embeddings"):
        shards.search(np.zeros((1, 3), np.float32), 1)


@pytest.mark.parametrize("keep_images", [True, "mapped", False])
def test_folders(whole, tmp_path, keep_images):
    ShardedGallery.split(whole, 4).save(tmp_path / "shards")
    names = [shard_name(number, 4) for number in range(4)]
    assert [path.name for path in shard_folders(tmp_path / "shards")] == names
    read = ShardedGallery.load(tmp_path / "shards", keep_images=keep_images)
    assert_same(read.search(vectors(3, 1), 8), whole.search(vectors(3, 1), 8))
    if keep_images:
        np.testing.assert_array_equal(read.images([52, 0, 14]), pictures()[[52, 0, 14]])
    else:
        assert not read.has_images
    # Others in another order are a gallery with other rows.
    some = ShardedGallery.load([tmp_path / "shards" / names[number] for number in (2, 0)])
    assert some.ids.tolist() == [*IDS[26:39], *IDS[:13]]


def test_what_does_not_fit_together_is_refused(whole, tmp_path):
    other = Gallery.from_embeddings(vectors(dimension=5), [f"x{row}" for row in range(COUNT)], pictures())
    with pytest.raises(UserError, match="shard 1 has embeddings of 5 dimensions, that of shard 0 embeddings of 6"):
        ShardedGallery([whole, other])
    with pytest.raises(UserError, match="ids occur more than once, such as '000"):
        ShardedGallery([whole, whole])
    with pytest.raises(UserError, match="images of shape None"):
        ShardedGallery([whole, Gallery.from_embeddings(vectors(), [f"x{row}" for row in range(COUNT)])])
    for count in (0, COUNT + 1):
        with pytest.raises(UserError, match=f"shards={count} must be from 1 to 53"):
            ShardedGallery.split(whole, count)
    with pytest.raises(UserError, match="no shards"):
        ShardedGallery([])
    with pytest.raises(UserError, match="neither a gallery nor a folder of galleries"):
        ShardedGallery.load(tmp_path)
    ShardedGallery.split(whole, 3).save(tmp_path)
    (tmp_path / shard_name(1, 3)).rename(tmp_path / "away")
    with pytest.raises(UserError, match="1 of 3 shards are missing, such as 00001-of-00003"):
        ShardedGallery.load(tmp_path)


@linux
def test_recall_of_scann_in_shards_is_not_lower_than_that_of_one_index():
    # Beyond 10,000 rows a shard ScaNN is approximate.
    embeddings, queries = vectors(40_000, dimension=24), vectors(300, seed=1, dimension=24)
    ids = [str(row) for row in range(len(embeddings))]
    exact = Gallery.from_embeddings(embeddings, ids)
    truth = exact.search_rows(queries, 10)[1].numpy()

    def recall(gallery):
        rows = gallery.search_rows(queries, 10)[1].numpy()
        return np.mean([len(set(found) & set(true)) / 10 for found, true in zip(rows, truth, strict=True)])

    one = exact.with_index("scann")
    shards = ShardedGallery.split(one, 3)
    assert all(shard.index.kind == "scann" and shard.index.parameters.leaves for shard in shards.shards)
    found = recall(shards), recall(one)
    print(f"recall at 10: {found[0]:.4f} in 3 shards, {found[1]:.4f} in one index")
    assert found[0] >= found[1] > 0.5
