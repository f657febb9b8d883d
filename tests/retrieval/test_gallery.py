"""Galleries: building, searching, exclusion, ids, images, saving."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.errors import UserError
from rgunit_tf.retrieval import Gallery

KINDS = ["exact", pytest.param("scann", marks=pytest.mark.skipif(sys.platform != "linux", reason="no wheel"))]


def vectors(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def pictures(count):
    return np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), np.uint8)


def make(count=20, index="exact", images=True):
    ids = [f"{row:03d}.png" for row in range(count)]
    return Gallery.from_embeddings(vectors(count), ids, pictures(count) if images else None, index)


def nearest(queries, embeddings):
    return np.argsort(np.linalg.norm(queries[:, None] - embeddings[None], axis=-1), axis=1)


class MeanColors:
    """Stands in for a retrieval model: the embedding is the mean colour and its square."""

    def embed_images(self, images):
        means = tf.reduce_mean(images, axis=(1, 2))
        return tf.concat([means, means**2], axis=1)


def batches(count, size=3, dtype=np.float32):
    images = pictures(count)
    if dtype != np.uint8:
        images = images.astype(np.float32) / 127.5 - 1.0
    for start in range(0, count, size):
        ids = np.array([b"id%d" % row for row in range(start, min(start + size, count))])
        yield {"image": images[start : start + size], "id": tf.constant(ids)}


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_build_embeds_every_image_and_keeps_its_pixels(dtype):
    gallery = Gallery.build(MeanColors(), batches(7, dtype=dtype))
    assert list(gallery.ids) == [f"id{row}" for row in range(7)]
    expected = MeanColors().embed_images(pictures(7).astype(np.float32) / 127.5 - 1.0)
    np.testing.assert_allclose(gallery.embeddings.numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(gallery.images(np.arange(7)), pictures(7))


def test_build_reads_a_split_in_order_without_augmentation():
    class Split:
        def batches(self, batch_size, training):
            assert not training
            return batches(5, batch_size)

    gallery = Gallery.build(MeanColors(), Split(), batch_size=2, keep_images=False)
    assert gallery.size == 5
    assert not gallery.has_images
    with pytest.raises(UserError, match="keep_images"):
        gallery.images([0])


@pytest.mark.parametrize("kind", KINDS)
def test_search_returns_ids_nearest_first(kind):
    gallery, queries = make(index=kind), vectors(4, seed=1)
    ids, distances = gallery.search(queries, 5)
    expected = nearest(queries, vectors(20))[:, :5]
    np.testing.assert_array_equal(ids, gallery.ids.astype(np.bytes_)[expected])
    np.testing.assert_allclose(distances, np.linalg.norm(queries[:, None] - vectors(20)[expected], axis=-1), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_excluded_image_is_never_found_and_nothing_else_is_lost(kind):
    gallery = make(index=kind)
    own = np.array([3, 0, 19, -1, 7])
    queries = vectors(20)[own] + vectors(5, seed=1) * np.array([[0.0], [0.0], [0.01], [1.0], [9.0]], np.float32)
    distances, rows = gallery.search_rows(queries, 6, own)
    order = nearest(queries, vectors(20))
    expected = np.array([[row for row in order[b] if row != own[b]][:6] for b in range(5)])
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(distances, np.linalg.norm(queries[:, None] - vectors(20)[expected], axis=-1), rtol=1e-5)
    names = [gallery.ids[row] if row >= 0 else "" for row in own]
    np.testing.assert_array_equal(gallery.search(queries, 6, names)[0], gallery.ids.astype(np.bytes_)[expected])


def test_every_other_image_can_be_asked_for_but_not_one_more():
    gallery = make(5)
    assert sorted(gallery.search_rows(vectors(1), 4, [2])[1].numpy()[0]) == [0, 1, 3, 4]
    with pytest.raises(UserError, match=r"neighbors=5: .* from 1 to 4"):
        gallery.search_rows(vectors(1), 5, [2])
    with pytest.raises(UserError, match=r"neighbors=6: .* from 1 to 5"):
        gallery.search(vectors(1), 6)


def test_rows_of_known_and_unknown_ids():
    rows = tf.function(make().rows_of)(tf.constant([["004.png", "nobody"], ["", "019.png"]]))
    np.testing.assert_array_equal(rows, [[4, -1], [-1, 19]])
    assert rows.dtype == tf.int32


def test_images_and_ids_keep_the_shape_of_the_rows():
    gallery = make()
    np.testing.assert_array_equal(gallery.images([[3, 1], [0, 3]]), pictures(20)[[[3, 1], [0, 3]]])
    np.testing.assert_array_equal(gallery.ids_at([2]), [b"002.png"])


def test_contradictions_are_refused():
    with pytest.raises(UserError, match="'a'"):
        Gallery.from_embeddings(vectors(3), ["a", "b", "a"])
    with pytest.raises(UserError, match="one id an image"):
        Gallery.from_embeddings(vectors(3), ["a", "b"])
    with pytest.raises(UserError, match="uint8"):
        Gallery.from_embeddings(vectors(2), ["a", "b"], pictures(3))
    with pytest.raises(UserError, match="no image"):
        Gallery.build(MeanColors(), [])


def test_another_index_finds_the_same_images():
    gallery = make()
    other = gallery.with_index("exact", block=3)
    np.testing.assert_array_equal(other.images([[3, 1], [0, 17]]), gallery.images([[3, 1], [0, 17]]))
    assert other.ids.tolist() == gallery.ids.tolist()
    np.testing.assert_array_equal(other.search(vectors(2), 3)[0], gallery.search(vectors(2), 3)[0])


def test_added_images_stand_behind_the_others_and_are_found():
    gallery = make()
    more = gallery.add(["new", "newer"], pictures(2), vectors(2, seed=8))
    assert list(more.ids) == [*gallery.ids, "new", "newer"] and gallery.size == 20
    ids, distances = more.search(vectors(2, seed=8), 1)
    assert ids.numpy().ravel().tolist() == [b"new", b"newer"] and not distances.numpy().any()
    np.testing.assert_array_equal(more.images([0, 20, 21]), np.concatenate([pictures(20)[:1], pictures(2)]))
    np.testing.assert_array_equal(more.rows_of(gallery.ids), np.arange(20))
    again = more.remove(["new", "newer"])
    for found, expected in zip(again.search(vectors(3, 1), 4), gallery.search(vectors(3, 1), 4), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_removed_images_are_gone_and_the_others_keep_their_ids(kind):
    gallery = make(index=kind)
    gallery.metadata["retrieval"] = "step 10"
    less = gallery.remove(["003.png", "000.png"])
    kept = np.setdiff1d(np.arange(20), [0, 3])
    assert list(less.ids) == list(gallery.ids[kept]) and less.index.kind == kind
    assert less.metadata == {"retrieval": "step 10"}
    np.testing.assert_array_equal(less.images(np.arange(18)), pictures(20)[kept])
    expected = gallery.ids.astype(np.bytes_)[kept][nearest(vectors(4, 1), vectors(20)[kept])[:, :5]]
    np.testing.assert_array_equal(less.search(vectors(4, 1), 5)[0], expected)
    assert less.rows_of(["003.png"]).numpy() == [-1]


def test_added_images_are_embedded_as_those_of_a_build():
    first, rest = list(batches(7, 4))
    gallery = Gallery.build(MeanColors(), [first])
    names = [name.decode() for name in rest["id"].numpy()]
    more = gallery.add(names, pictures(7)[4:], retrieval=MeanColors())
    whole = Gallery.build(MeanColors(), batches(7, 4))
    np.testing.assert_array_equal(more.embeddings.numpy(), whole.embeddings.numpy())
    np.testing.assert_array_equal(more.images(np.arange(7)), whole.images(np.arange(7)))
    assert list(more.ids) == list(whole.ids)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["000.png"], "images": pictures(1), "embeddings": vectors(1)}, "'000.png'"),
        ({"ids": ["a", "a"], "images": pictures(2), "embeddings": vectors(2)}, "'a'"),
        ({"ids": ["a"], "embeddings": vectors(1)}, "holds images"),
        ({"ids": ["a"], "images": pictures(1)}, "the retrieval model that embeds them"),
        ({"ids": ["a"], "images": pictures(1), "embeddings": vectors(1)[:, :3]}, "6 dimensions"),
        ({"ids": ["a", "b"], "images": pictures(2), "embeddings": vectors(1)}, "2 ids"),
        ({"ids": ["a"], "images": pictures(1)[:, :2], "embeddings": vectors(1)}, r"\[1, 4, 4, 3\] are needed"),
    ],
)
def test_what_cannot_be_added_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        make().add(**arguments)


def test_what_cannot_be_removed_is_refused():
    with pytest.raises(UserError, match="holds no image 'nobody'"):
        make().remove(["000.png", "nobody"])
    with pytest.raises(UserError, match="at least one"):
        make(2).remove(["000.png", "001.png"])


def test_ids_that_are_not_valid_utf_8():
    name = b"photo-\xff.png"
    gallery = Gallery.build(MeanColors(), [{"image": pictures(1), "id": tf.constant([name])}])
    assert gallery.rows_of(tf.constant([name])).numpy() == [0]
    assert gallery.ids_at([0]).numpy()[0] == name and gallery.ids[0] == name.decode("utf-8", "surrogateescape")


def test_random_rows_are_distinct_reproducible_and_never_the_own():
    gallery = make(6)
    seeds = np.random.default_rng(0).integers(0, 2**31, (6000, 2)).astype(np.int32)
    own = np.arange(6000) % 7 - 1
    rows = tf.function(gallery.random_rows)(seeds, 3, own).numpy()
    assert rows.shape == (6000, 3)
    assert all(len(set(row)) == 3 for row in rows)
    assert not (rows == own[:, None]).any()
    np.testing.assert_array_equal(gallery.random_rows(seeds[10:12], 3, own[10:12]), rows[10:12])
    np.testing.assert_array_equal(np.sort(gallery.random_rows(seeds[:5], 6), axis=1), np.tile(np.arange(6), (5, 1)))
    for excluded in range(-1, 6):
        # 857 draws of each place: every allowed row takes its share, within four standard deviations.
        drawn = rows[own == excluded]
        allowed = [row for row in range(6) if row != excluded]
        for place in range(3):
            share = np.bincount(drawn[:, place], minlength=6)[allowed] / len(drawn)
            expected = 1 / len(allowed)
            assert abs(share - expected).max() < 4 * np.sqrt(expected * (1 - expected) / len(drawn))
    with pytest.raises(UserError, match="from 1 to 5"):
        gallery.random_rows(seeds[:1], 6, own[:1])


def test_length_and_words():
    gallery = make(5)
    assert len(gallery) == gallery.size == 5
    assert repr(gallery) == "<Gallery of 5 images, ExactIndex>"
    assert repr(make(5, images=False)) == "<Gallery of 5 ids alone, ExactIndex>"
