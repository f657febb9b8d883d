import types

import numpy as np
import pytest
import tensorflow as tf

from rgunit_tf.data.split import Split
from rgunit_tf.evaluation import retrieval as evaluation
from rgunit_tf.evaluation.outputs.neighbors import nearest_rows
from rgunit_tf.evaluation.outputs.translated import draw_targets
from rgunit_tf.retrieval import Gallery


def brightness(images):
    """Mean colour of the upper and of the lower border: the hair and the gender, [B, 6]."""
    return tf.concat([tf.reduce_mean(images[:, :6], (1, 2)), tf.reduce_mean(images[:, 9:, :4], (1, 2))], -1)


class FakeRetrieval:
    """Embeds images by colour, and queries by the colours that the target domain has."""

    def __init__(self, prior, domain_colors):
        self.translation = types.SimpleNamespace(prior=prior)
        self.domain_colors = domain_colors

    def embed_images(self, images):
        return brightness(images)

    def embed_query(self, images, styles):
        labels = tf.constant(list(self.domain_colors), tf.float32)
        nearest = tf.argmin(tf.reduce_sum(tf.square(styles[:, None] - labels[None]), -1), -1)
        return tf.gather(tf.constant(np.stack(list(self.domain_colors.values())), tf.float32), nearest)


@pytest.fixture(scope="module")
def model(fake_model, drawn):
    colors = brightness(drawn.train.images().astype(np.float32) / 127.5 - 1).numpy()
    keys = [tuple(row) for row in drawn.train.labels]
    means = {key: colors[[k == key for k in keys]].mean(0) for key in sorted(set(keys))}
    return FakeRetrieval(fake_model("copy").prior, means)


@pytest.fixture(scope="module")
def gallery(model, drawn):
    return Gallery.build(model, drawn.train)


def test_figures_equal_a_plain_computation(model, gallery, drawn, truth):
    records = evaluation.evaluate_retrieval(model, gallery, drawn, truth, seed=2, k=5)
    targets = draw_targets(drawn.test.labels, drawn.test.labels, 2)
    embeddings = gallery.embeddings.numpy()
    attributes, content = [], []
    for row, target in enumerate(targets):
        distance = np.linalg.norm(embeddings - model.domain_colors[tuple(target)], axis=1)
        top = np.argsort(distance)[:5]
        attributes.append((drawn.train.labels[top] == target).mean())
        content.append((drawn.train.content_labels[top] == drawn.test.content_labels[row]).mean())
    assert records["precision_at_5/attributes"]["value"] == pytest.approx(np.mean(attributes))
    assert records["precision_at_5/content"]["value"] == pytest.approx(np.mean(content))
    average = (np.mean(attributes) + np.mean(content)) / 2
    assert records["precision_at_5/average"]["value"] == pytest.approx(average)
    chance = np.mean([(drawn.train.labels == target).mean() for target in targets])
    of_content = np.mean([(drawn.train.content_labels == own).mean() for own in drawn.test.content_labels])
    assert records["random_images/precision_at_5/attributes"]["value"] == pytest.approx(chance)
    assert records["random_images/precision_at_5/content"]["value"] == pytest.approx(of_content)
    assert records["random_images/precision_at_5/average"]["value"] == pytest.approx((chance + of_content) / 2)
    assert np.mean(attributes) > 0.95, "colours tell the domains apart"
    assert records["recall_at_5"]["value"] == 1.0
    assert 1 <= records["counterfactual_rank"]["value"] <= len(drawn.train) / 3


def test_unlabelled_images_do_not_count(model, drawn):
    gallery = Gallery.build(model, drawn.train)
    hidden = types.SimpleNamespace(
        train=drawn.train.subset(np.arange(60)),
        retrieval=Split(drawn.train.store, drawn.train.rows, drawn.train.ids, drawn.schema),
        test=drawn.test,
        schema=drawn.schema,
    )
    labels = evaluation.labels_of(gallery.ids, hidden)
    assert not np.isnan(labels[:60]).any() and np.isnan(labels[60:]).all()
    record = evaluation.evaluate_retrieval(model, gallery, hidden, k=5)["precision_at_5/attributes"]
    assert 0.9 < record["value"] <= 1.0


def test_an_image_of_the_gallery_is_not_found_by_itself(model, gallery, drawn):
    split = drawn.train.subset(np.arange(8))
    queries = gallery.embeddings.numpy()[:8]
    rows = nearest_rows(gallery, queries, split.ids, 3)
    assert not (rows == np.arange(8)[:, None]).any()


def test_recall_of_an_inexact_index_is_measured(model, gallery, drawn):
    class Worse:
        """Finds the second to sixth nearest."""

        is_exact, size, embeddings = False, gallery.size, gallery.embeddings

        def search(self, queries, k):
            distances, rows = gallery.index.search(queries, k + 1)
            return distances[:, 1:], rows[:, 1:]

    worse = Gallery(Worse(), gallery.ids)
    record = evaluation.evaluate_retrieval(model, worse, drawn, k=5)["recall_at_5"]
    assert record["value"] == pytest.approx(0.8)


def test_recall_leaves_out_the_querys_own_image_as_the_search_does():
    ids = np.array([f"{number}.png" for number in range(8)])
    embeddings = np.array([[2.0**number] for number in range(8)], np.float32)
    exact = Gallery.from_embeddings(embeddings, ids)

    class Right:
        """Finds what an exact search finds, but does not promise to."""

        is_exact, size, embeddings = False, exact.size, exact.embeddings

        def search(self, queries, k):
            return exact.index.search(queries, k)

    gallery = Gallery(Right(), ids)
    rows = nearest_rows(gallery, embeddings, ids, 2)
    np.testing.assert_array_equal(rows[:3], [[1, 2], [0, 2], [1, 0]])
    record = evaluation._recall_record(gallery, embeddings, ids, rows, seed=0)
    assert record["value"] == 1.0, "with the query's own image among the exact neighbours it would be 0.5"
    rows[:, 1] = (np.arange(8) + 4) % 8
    assert evaluation._recall_record(gallery, embeddings, ids, rows, seed=0)["value"] == 0.5
